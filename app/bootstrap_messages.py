"""Who is told, and by what: chats, senders of messages and the bot. A part of `bootstrap`.

Telegram's library is loaded only where a token is set: it weighs as much as a third of the web process.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from app.api.deps import TelegramWebhook
from app.api.options import digest_of
from app.api.page_policies import DASHBOARD_PATH
from app.bootstrap_base import Base
from app.bootstrap_use_cases import UseCases
from app.core.alerting.bot_texts import menus
from app.core.chat_ports import BotStatus, Inquiries, ReportNow, ServiceReport
from app.core.domain.alerts import ChatSettings, FilterLevel, Language, Severity
from app.core.domain.context import DataMode
from app.core.stream_ports import Sender
from app.services.bus.channels import ChannelSender, RedisChannels
from app.services.chat_book import ChatBook
from app.services.chat_pace import SharedPace
from app.services.chat_service import ChatService
from app.services.outcome_counts import RecordedOutcomes
from app.services.streaming.status_board import StatusBoard
from app.services.transport.post import PostClient
from app.services.webhook.sender import WebhookSender
from app.settings import Settings

_log = logging.getLogger(__name__)

WEBHOOK = "webhook"
CHANNELS = "redis"


@dataclass(frozen=True, slots=True)
class Bot:
    """The conversation with chats: its loop, how it does, where pushed updates go."""

    run: Callable[[], Awaitable[None]]
    status: Callable[[], BotStatus]
    webhook: TelegramWebhook | None


@dataclass(frozen=True, slots=True)
class Messengers:
    """Senders by the scheme of their chats. closers: to be called at the end."""

    senders: Mapping[str, Sender]
    closers: tuple[Callable[[], Awaitable[None]], ...] = field(default=())


def build_chats(base: Base) -> ChatBook:
    """Every destination of the configuration with where it starts; chats change theirs by commands."""
    settings, defaults = base.settings, base.alerts.chat
    chats = [
        ChatSettings(
            chat=f"telegram:{route.chat}",
            severities=frozenset(map(Severity, route.severities)),
            language=Language(settings.app_language),
            level=FilterLevel(defaults.level),
            min_confidence=defaults.min_confidence,
            cooldown_s=defaults.cooldown_s,
            hourly_cap=defaults.hourly_cap,
        )
        for route in settings.telegram_chat_id
        if settings.telegram_bot_token is not None
    ]
    # Other systems hear everything that passes the gate, and count for themselves.
    systems = [WEBHOOK] if settings.alert_webhook_url is not None else []
    systems += [CHANNELS] if settings.alert_channels and base.redis is not None else []
    chats += [
        ChatSettings(
            chat=name,
            level=FilterLevel(defaults.level),
            min_confidence=defaults.min_confidence,
            cooldown_s=defaults.cooldown_s,
            hourly_cap=None,
            is_digest_on=False,
        )
        for name in systems
    ]
    return ChatBook(defaults=chats, watchlist=base.watchlist, store=base.store.state)


def build_messengers(base: Base) -> Messengers:
    """Senders of what is configured; none at all is a worker that only watches."""
    settings = base.settings
    for note in settings.message_notes():
        _log.warning("messages are half configured", extra={"why": note})
    senders: dict[str, Sender] = {}
    closers: list[Callable[[], Awaitable[None]]] = []
    if settings.telegram_bot_token is not None:
        from app.services.telegram.sender import TelegramSender

        telegram = TelegramSender(
            settings.telegram_bot_token.get_secret_value(), base_url=settings.telegram_base_url
        )
        senders[telegram.scheme] = telegram
        closers.append(telegram.aclose)
    if settings.alert_webhook_url is not None:
        client = PostClient(WEBHOOK, settings.alert_webhook_url)
        secret = settings.alert_webhook_secret
        senders[WEBHOOK] = WebhookSender(client, secret=secret.get_secret_value() if secret else None)
        closers.append(client.aclose)
    if settings.alert_channels and base.redis is not None:
        senders[CHANNELS] = ChannelSender(RedisChannels(base.redis, prefix=base.prefix))
    return Messengers(senders, tuple(closers))


def build_bot(
    base: Base,
    use_cases: UseCases,
    book: ChatBook,
    report: ReportNow,
    pace: SharedPace | None = None,
) -> Bot | None:
    """The bot, None without a token, a chat or the wish for one. pace: of the delivery of this process.

    Raises:
        ConfigurationError: webhook mode without PUBLIC_URL or its secret.
    """
    settings = base.settings
    if settings.telegram_bot_token is None or not settings.telegram_chat_id:
        return None
    if settings.telegram_mode == "off":
        return None
    from app.services.telegram.bot import BotConfig, TelegramBot

    secret = settings.telegram_webhook_secret
    bot = TelegramBot(
        BotConfig(
            mode=settings.telegram_mode,
            base_url=settings.telegram_base_url,
            menus=menus(Language(settings.app_language)),
            webhook_url=_webhook_url(settings),
        ),
        token=settings.telegram_bot_token.get_secret_value(),
        conversation=_conversation(base, use_cases, book, report),
        now_ms=base.clock.now_ms,
        monotonic=base.clock.monotonic_s,
        webhook_secret=secret.get_secret_value() if secret else None,
        pace=pace,
    )
    pushed = settings.telegram_mode == "webhook" and secret is not None
    webhook = TelegramWebhook(digest_of(secret.get_secret_value()), bot.accept) if pushed and secret else None
    return Bot(bot.run, bot.status, webhook)


def _webhook_url(settings: Settings) -> str | None:
    return None if settings.public_url is None else f"{settings.public_url}/telegram/webhook"


def build_pushed_bot(base: Base, use_cases: UseCases) -> tuple[Bot, ChatBook] | None:
    """The bot of a web process whose worker is another: pushed updates arrive here. None in other modes."""
    settings = base.settings
    if settings.telegram_mode != "webhook" or settings.runs_worker_embedded():
        return None
    book = build_chats(base)
    board = StatusBoard(base.warm, now_ms=base.clock.now_ms, speed=settings.market_speed())

    async def report() -> ServiceReport:
        told = await board.read()
        links = tuple(link for one in told for link in one.links)
        alarms = tuple(alarm for one in told for alarm in one.alarms)
        return ServiceReport(await use_cases.api.health.ready(), links, alarms=alarms)

    bot = build_bot(base, use_cases, book, report)
    return None if bot is None else (bot, book)


def dashboard_url(settings: Settings) -> str | None:
    """Where the button of an alert leads; Telegram takes no address that only this machine can reach."""
    url = settings.public_url
    return f"{url}{DASHBOARD_PATH}" if url is not None and url.startswith("https://") else None


def _conversation(base: Base, use_cases: UseCases, book: ChatBook, report: ReportNow) -> ChatService:
    return ChatService(
        book=book,
        inquiries=Inquiries(
            signals=use_cases.api.signals,
            market=use_cases.api.market,
            derivatives=use_cases.api.derivatives,
            liquidity=use_cases.api.liquidity,
            heatmap=use_cases.api.heatmap,
            snapshots=base.warm,
            alerts=base.store.alerts,
            outcomes=RecordedOutcomes(base.store.outcomes, clock=base.clock),
            record=use_cases.api.track,
        ),
        report=report,
        clock=base.clock,
        data_mode=DataMode(base.settings.data_mode),
        dashboard_url=dashboard_url(base.settings),
        note=base.audit.note,
    )
