"""Probes of who is told: the Telegram bot, its chats and its webhook, the webhook for other systems.

Nothing is sent but what `--send-test-message` asks for: one message to each chat, by the sender of alerts.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from app.core.domain.alerts import Delivery, DeliveryState
from app.core.errors import DeliveryError, ProviderError
from app.core.stream_ports import Message
from app.doctor_deployment import Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, skip, warn

GROUP = "messages"
_MANY_WAITING = 100
_TEST = "Test message of the deployment check. Nothing happened, and nothing is to be done."
_COPY = "copy TELEGRAM_BOT_TOKEN again from @BotFather"


async def telegram_bot(deployment: Deployment) -> Finding:
    try:
        status, said = await _asked(deployment, "getMe")
    except ProviderError as error:
        return fail(f"Telegram does not answer: {error.detail}", "see to DNS, firewall and proxy")
    if status in (401, 404):
        return fail("Telegram does not know the token", _COPY)
    if status != 200:
        return fail(f"Telegram answers with HTTP {status}", "look again in a minute")
    return ok(f"the bot is @{said.get('username', '')}")


async def telegram_chats(deployment: Deployment) -> Finding:
    chats = [route.chat for route in deployment.settings.telegram_chat_id]
    if not chats:
        return skip("TELEGRAM_CHAT_ID is not set: no chat is told")
    bad = []
    for chat in chats:
        status, said = await _call(deployment, "getChat", chat_id=chat)
        if status == 401:
            return skip("the token is refused")
        if status != 200:
            bad.append(f"{chat} ({said.get('description', f'HTTP {status}')})")
    if bad:
        mend = "add the bot to the chat, or correct TELEGRAM_CHAT_ID; /start wakes a private chat"
        return fail(f"{len(bad)} of {len(chats)} chats cannot be reached: {', '.join(bad)}", mend)
    return ok(f"the bot may see {len(chats)} chat{'' if len(chats) == 1 else 's'}")


async def telegram_webhook(deployment: Deployment) -> Finding:
    settings = deployment.settings
    status, said = await _call(deployment, "getWebhookInfo")
    if status != 200:
        return skip("Telegram does not say which webhook is set")
    url, waiting = str(said.get("url", "")), int(said.get("pending_update_count", 0))
    if settings.telegram_mode != "webhook":
        return _judge_polling(settings.telegram_mode, url)
    if not url:
        return warn("no webhook is set yet", "start the web process: it sets the webhook")
    if url != f"{settings.public_url}/telegram/webhook":
        mend = "stop the other deployment of this bot, then start the web process again"
        return fail("the webhook of the bot is another address than PUBLIC_URL's", mend)
    if said.get("last_error_message"):
        mend = "see that PUBLIC_URL leads here, with a good certificate"
        return warn(f"Telegram could not call the webhook: {said['last_error_message']}", mend)
    if waiting > _MANY_WAITING:
        return warn(f"{waiting} updates wait for the webhook", "see why the web process does not take them")
    return ok("the webhook is ours, and Telegram calls it")


def _judge_polling(mode: str, url: str) -> Finding:
    if url:
        return warn(
            f"TELEGRAM_MODE={mode}, and the bot has a webhook: another deployment may be using it",
            "one deployment per bot; polling takes the webhook away when the worker starts",
        )
    return ok(f"TELEGRAM_MODE={mode}, and no webhook is set")


async def telegram_test_message(deployment: Deployment) -> Finding:
    if not deployment.sends_test_message:
        return skip("nothing is sent without --send-test-message")
    settings = deployment.settings
    chats = [f"telegram:{route.chat}" for route in settings.telegram_chat_id]
    if settings.telegram_bot_token is None or not chats:
        raise NothingToCheck("no bot or no chat is set")
    # Its library is heavy, and only a test message needs it.
    from app.services.telegram.sender import TelegramSender

    sender = TelegramSender(
        settings.telegram_bot_token.get_secret_value(), base_url=settings.telegram_base_url
    )
    try:
        refused = list(filter(None, await asyncio.gather(*(_send(sender, chat) for chat in chats))))
    finally:
        await sender.aclose()
    if refused:
        mend = "let the bot write there; the probe telegram_chats says more"
        return fail(f"not everybody was told: {', '.join(refused)}", mend)
    return ok(f"{len(chats)} chat{' was' if len(chats) == 1 else 's were'} told")


async def _send(sender: Any, chat: str) -> str:
    """Which chat was not told and why, "" when it was."""
    nothing = Delivery("doctor", chat, DeliveryState.PENDING, 1, 0, 1, 0, 0, None, "")
    try:
        await sender.send(chat, nothing, Message(html=_TEST, plain=_TEST))
    except DeliveryError as error:
        return str(error)
    return ""


async def alert_webhook(deployment: Deployment) -> Finding:
    url = deployment.settings.alert_webhook_url
    if url is None:
        return skip("ALERT_WEBHOOK_URL is not set")
    mend = "see that the other system runs and that this machine may reach it"
    try:
        answer = await deployment.questions.ask("webhook", url, method="OPTIONS")
    except ProviderError as error:
        return warn(f"nobody answers at the webhook: {error.detail}", mend)
    if answer.status >= 500 or answer.status == 404:
        return warn(f"the webhook answers with HTTP {answer.status}", mend)
    # Many refuse what is not a POST: that somebody is there is all that can be known without one.
    return ok(f"somebody answers at the webhook (HTTP {answer.status})")


async def _call(deployment: Deployment, method: str, **params: str) -> tuple[int, dict[str, Any]]:
    """As `_asked`, where another probe says that nobody answers. Raises: NothingToCheck."""
    try:
        return await _asked(deployment, method, **params)
    except ProviderError as error:
        raise NothingToCheck("Telegram does not answer") from error


async def _asked(deployment: Deployment, method: str, **params: str) -> tuple[int, dict[str, Any]]:
    """(status, result or the refusal). Raises: NothingToCheck without a token, ProviderError."""
    settings = deployment.settings
    if settings.telegram_bot_token is None:
        raise NothingToCheck("TELEGRAM_BOT_TOKEN is not set")
    url = f"{settings.telegram_base_url}/bot{settings.telegram_bot_token.get_secret_value()}/{method}"
    answer = await deployment.questions.ask("telegram", url, params=params)
    try:
        said = json.loads(answer.body)
    except ValueError:
        return answer.status, {}
    if not isinstance(said, dict):
        return answer.status, {}
    result = said.get("result")
    return answer.status, result if isinstance(result, dict) else said


PROBES = (
    Probe("telegram_bot", GROUP, telegram_bot, is_remote=True),
    Probe("telegram_chats", GROUP, telegram_chats, is_remote=True, limit_s=12.0),
    Probe("telegram_webhook", GROUP, telegram_webhook, is_remote=True),
    Probe("telegram_test_message", GROUP, telegram_test_message, is_remote=True, limit_s=15.0),
    Probe("alert_webhook", GROUP, alert_webhook, is_remote=True),
)
