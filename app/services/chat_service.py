"""The conversation: a command of an allow-listed chat in, a reply out. Knows no Telegram.

Reads the command, hands it to its part (`chat_*`) under one deadline, and is the boundary at which any
failure becomes a text: a bug in one answer must not stop the alerts of everybody. Called by the bot for every
message and pressed button.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.core.alerting.bot_texts import COMMANDS
from app.core.chat_ports import Inquiries, Reply, ReportNow
from app.core.clock import Clock
from app.core.domain.access import AuditAction
from app.core.domain.alerts import ChatSettings
from app.core.domain.context import DataMode
from app.core.domain.symbol import Symbol
from app.core.errors import ServiceError
from app.core.stream_ports import Message
from app.services.audit_trail import Occurrence
from app.services.chat_alerts import AlertAnswers
from app.services.chat_book import ChatBook
from app.services.chat_liquidations import LiquidationAnswers
from app.services.chat_market import MarketAnswers
from app.services.chat_settings import CHANGERS, Change, TooMany, Usage, Wish
from app.services.chat_status import list_text, status_text, test_text
from app.services.chat_text import Buttons, Voice, coin_name, fault_text, joined, message, plain_of
from app.services.chat_track import TrackAnswers

ANSWER_DEADLINE_S = 30.0
MAX_COMMAND_CHARS = 200
MAX_ARGS = 6
MAX_NOTICE_CHARS = 190  # of 200
MAX_FOREIGN = 1_000  # chats that are remembered as refused; then none is logged any more
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:\s+(.*))?", re.DOTALL)
_MUTE = re.compile(r"mute:([A-Z0-9]{1,15}|\*):([0-9]{1,3})")
_DETAILS = re.compile(r"details:([0-9a-f]{8,64})")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """One command on its way: who asks, what, and in which words to answer."""

    settings: ChatSettings
    command: str
    args: tuple[str, ...]
    voice: Voice
    is_callback: bool = False


Handler: TypeAlias = Callable[[Ask], Awaitable[Message]]


class ChatService:
    """`core.chat_ports.Conversation` over the use cases of the service."""

    def __init__(
        self,
        *,
        book: ChatBook,
        inquiries: Inquiries,
        report: ReportNow,
        clock: Clock,
        data_mode: DataMode,
        dashboard_url: str | None = None,
        deadline_s: float = ANSWER_DEADLINE_S,
        note: Callable[[Occurrence], None] = lambda _what: None,
    ) -> None:
        """report: how everything does, for /status. dashboard_url: None where there is no dashboard. note:
        told of every change, for the audit log."""
        self._book = book
        self._resolve = inquiries.signals.resolve
        self._report = report
        self._clock = clock
        self._data_mode = data_mode
        self._dashboard_url = dashboard_url
        self._deadline_s = deadline_s
        self._note = note
        self._market = MarketAnswers(inquiries)
        self._liquidations = LiquidationAnswers(inquiries)
        self._alerts = AlertAnswers(inquiries)
        self._record = TrackAnswers(inquiries)
        self._foreign: set[str] = set()
        self._handlers: Mapping[str, Handler] = {
            "start": self._start,
            "help": self._help,
            "status": self._status,
            "signal": self._signal,
            "why": self._why,
            "liq": self._liq,
            "heatmap": self._heatmap,
            "funding": self._funding,
            "oi": self._oi,
            "whales": self._whales,
            "fear": self._fear,
            "track": self._track,
            "list": self._list,
            "test": self._test,
            "details": self._details,
            **dict.fromkeys(CHANGERS, self._change),
        }

    def knows(self, chat: str) -> bool:
        """Whether this chat may ask; the first time that one may not is logged."""
        if self._book.name_of(chat) is not None:
            return True
        if chat not in self._foreign and len(self._foreign) < MAX_FOREIGN:
            self._foreign.add(chat)
            _log.warning(
                "a chat that is not in TELEGRAM_CHAT_ID wrote and got no answer", extra={"chat": chat}
            )
        return False

    async def refused(self, chat: str) -> None:
        """The chat does not take our messages any more."""
        await self._book.disable(self._book.name_of(chat) or chat)

    async def answer(self, chat: str, text: str, *, is_callback: bool = False) -> Reply:
        """Answer a command, or the data of a button; nothing to what is neither. Never raises."""
        settings = self._book.get(self._book.name_of(chat) or chat)
        read = _read_button(text) if is_callback else _read_command(text)
        if settings is None or read is None:
            return Reply()
        voice = Voice(settings.language, self._data_mode, self._clock.now_ms())
        said = await self._say(Ask(settings, *read, voice, is_callback))
        notice = ""
        if is_callback and read[0] in CHANGERS:
            notice = said.plain[:MAX_NOTICE_CHARS]
        return Reply((said,), notice)

    async def _say(self, ask: Ask) -> Message:
        """The answer, or what went wrong in its place."""
        handler = self._handlers.get(ask.command)
        if handler is None:
            return _unknown(ask)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._book.enable(ask.settings.chat)
                return await handler(ask)
        except TimeoutError:
            return message([ask.voice.say("error.deadline", seconds=f"{self._deadline_s:g}")])
        except Usage as error:
            return message([ask.voice.say("error.usage"), ask.voice.say(f"usage.{error.command}")])
        except TooMany as error:
            return message([ask.voice.say("error.too_many", most=error.most)])
        except ServiceError as error:
            text = fault_text(ask.voice, error)
            return _internal(ask, error) if text is None else message([text])
        except Exception as error:  # noqa: BLE001 - named boundary
            return _internal(ask, error)

    async def _start(self, ask: Ask) -> Message:
        lines = [ask.voice.title("start.title"), ask.voice.say("start.body")]
        return message(lines, footer=ask.voice.footer(), buttons=self._dashboard(ask.voice))

    async def _help(self, ask: Ask) -> Message:
        lines = [ask.voice.say("help.title")]
        for name in COMMANDS:
            usage = ask.voice.say(f"usage.{name}")
            lines.append(ask.voice.say("help.line", usage=usage, what=ask.voice.say(f"menu.{name}")))
        return message(lines, footer=ask.voice.footer())

    async def _status(self, ask: Ask) -> Message:
        report = await self._report()
        buttons = self._dashboard(ask.voice)
        return status_text(ask.voice, report, ask.settings, self._book.unsaved(), buttons)

    async def _signal(self, ask: Ask) -> Message:
        return await self._market.signal(ask.voice, self._coin(ask))

    async def _why(self, ask: Ask) -> Message:
        symbol = self._coin(ask)
        factors, recent = await asyncio.gather(
            self._market.why(ask.voice, symbol),
            self._alerts.recent(ask.voice, ask.settings.chat, symbol),
        )
        return message([*factors, *recent], footer=ask.voice.footer())

    async def _liq(self, ask: Ask) -> Message:
        return await self._liquidations.liquidations(ask.voice, self._coin(ask))

    async def _heatmap(self, ask: Ask) -> Message:
        return await self._liquidations.heatmap(ask.voice, self._coin(ask))

    async def _funding(self, ask: Ask) -> Message:
        return await self._market.funding(ask.voice, self._coin(ask))

    async def _oi(self, ask: Ask) -> Message:
        return await self._market.open_interest(ask.voice, self._coin(ask))

    async def _whales(self, ask: Ask) -> Message:
        return await self._market.whales(ask.voice, self._coin(ask) if ask.args else None)

    async def _fear(self, ask: Ask) -> Message:
        return await self._market.fear(ask.voice)

    async def _track(self, ask: Ask) -> Message:
        return await self._record.track(ask.voice, self._coin(ask) if ask.args else None)

    async def _list(self, ask: Ask) -> Message:
        return list_text(ask.voice, ask.settings, self._book.symbols())

    async def _test(self, ask: Ask) -> Message:
        return test_text(ask.voice, ask.settings)

    async def _details(self, ask: Ask) -> Message:
        """Mostly from a button. Raises: Usage, StorageUnavailable."""
        if len(ask.args) != 1 or not re.fullmatch(r"[0-9a-f]{8,64}", ask.args[0]):
            raise Usage(ask.command)
        return await self._alerts.details(ask.voice, ask.settings.chat, ask.args[0])

    async def _change(self, ask: Ask) -> Message:
        """Change what the chat is told; in force even where it could not be saved, and then it says so."""
        # The coin of a button is that of an alert, whatever the providers list.
        resolve = Symbol if ask.is_callback else self._resolve
        wish = Wish(ask.command, ask.args, ask.voice.now_ms, resolve)
        done: list[Change] = []

        def edit(settings: ChatSettings) -> ChatSettings:
            done.append(CHANGERS[ask.command](settings, wish))
            return done[-1].settings

        is_saved = await self._book.change(ask.settings.chat, edit)
        change = done[-1]
        actor, target = f"chat:{ask.settings.chat}", f"/{ask.command} {change.coin}"
        self._note(Occurrence(actor, AuditAction.CHAT_CHANGED, target=target))
        if change.watched is not None:
            self._note(Occurrence(actor, AuditAction.COIN_ADDED, target=change.watched))
            is_saved = await self._book.watch(change.watched) and is_saved
        voice = Voice(change.settings.language, self._data_mode, ask.voice.now_ms)
        lines = [voice.say(change.key, **change.values, coin=coin_name(voice, change.coin))]
        return message(lines if is_saved else [*lines, voice.say("set.not_saved")])

    def _coin(self, ask: Ask) -> Symbol:
        """Raises: Usage, InvalidParameter, UnknownSymbol."""
        if len(ask.args) != 1:
            raise Usage(ask.command)
        return self._resolve(ask.args[0])

    def _dashboard(self, voice: Voice) -> Buttons:
        if self._dashboard_url is None:
            return ()
        return [[(plain_of(voice.say("button.dashboard")), self._dashboard_url)]]


def _read_command(text: str) -> tuple[str, tuple[str, ...]] | None:
    """`/Signal  btc ` -> (`signal`, (`btc`,)); None when it is no command."""
    match = _COMMAND.fullmatch(text.strip()[:MAX_COMMAND_CHARS])
    if match is None:
        return None
    return match.group(1).lower(), tuple((match.group(2) or "").split()[:MAX_ARGS])


def _read_button(data: str) -> tuple[str, tuple[str, ...]] | None:
    """`mute:BTC:1`, `details:0123456789abcdef`, or a command; None for what no button of ours holds."""
    muted, details = _MUTE.fullmatch(data), _DETAILS.fullmatch(data)
    if muted is not None:
        return "mute", (muted.group(1), muted.group(2))
    if details is not None:
        return "details", (details.group(1),)
    return _read_command(data)


def _unknown(ask: Ask) -> Message:
    near = difflib.get_close_matches(ask.command, COMMANDS, n=3, cutoff=0.6)
    line = ask.voice.say("error.unknown_command", command=ask.command)
    if near:
        line = joined(line, ask.voice.say("error.near", near=", ".join(f"/{name}" for name in near)))
    return message([line])


def _internal(ask: Ask, error: Exception) -> Message:
    _log.error("a command failed", extra={"command": ask.command}, exc_info=error)
    return message([ask.voice.say("error.internal")])
