"""Sends alerts to Telegram chats: one call per message, its own time limits, its answer in our words.

Owns the connection of one bot for the life of the process. Knows no outbox and no pace. Its calls are never
cancelled from outside: a cancelled one would take its connection with it. Called by the delivery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.error import TelegramError

from app.core.domain.alerts import Delivery
from app.core.stream_ports import Message
from app.services.telegram.connection import BotRequest
from app.services.telegram.faults import delivery_error, is_bad_markup, is_too_long, is_unchanged
from app.services.transport.redact import Redactor

TEXT_MAX = 4_096
CAPTION_MAX = 1_024
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class TelegramSender:
    """`core.stream_ports.Sender` for chats `telegram:-100123` and `telegram:@name`."""

    scheme = "telegram"

    def __init__(self, token: str, *, base_url: str, read_s: float = 5.0) -> None:
        """base_url: below which `/bot{token}/METHOD` lies. read_s: longest wait for an answer."""
        self._redactor = Redactor((token,))
        self._request = BotRequest(read_s=read_s)
        self._bot = Bot(
            token,
            base_url=f"{base_url.rstrip('/')}/bot",
            request=self._request,
            get_updates_request=self._request,
        )

    def __repr__(self) -> str:
        return "TelegramSender()"

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        """The id of the new message. Raises: DeliveryError."""
        target: dict[str, Any] = {"chat_id": _address(chat), "reply_markup": _keyboard(message)}
        target["disable_notification"] = message.is_silent
        if message.png is None:
            target["link_preview_options"] = _NO_PREVIEW
            sent = await self._call(chat, self._bot.send_message, message, "text", target)
        else:
            target["photo"] = message.png
            sent = await self._call(chat, self._bot.send_photo, message, "caption", target)
        return str(sent.message_id)

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        """Show this text in the message sent before. Raises: DeliveryError."""
        target: dict[str, Any] = {"chat_id": _address(chat), "message_id": int(delivery.message_id or 0)}
        target["reply_markup"] = _keyboard(message)
        if message.png is None:
            target["link_preview_options"] = _NO_PREVIEW
            await self._call(chat, self._bot.edit_message_text, message, "text", target)
        else:
            await self._call(chat, self._bot.edit_message_caption, message, "caption", target)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._request.shutdown()

    async def _call(
        self,
        chat: str,
        method: Callable[..., Awaitable[Any]],
        message: Message,
        field: str,
        target: Mapping[str, Any],
    ) -> Any:
        """With markup, and once more without when Telegram does not take it or finds it too long."""
        failure = await self._try(method, {**target, field: message.html, "parse_mode": "HTML"})
        if isinstance(failure, TelegramError) and (is_bad_markup(failure) or is_too_long(failure)):
            most = TEXT_MAX if field == "text" else CAPTION_MAX
            failure = await self._try(method, {**target, field: cut(message.plain, most)})
        if isinstance(failure, TelegramError) and not is_unchanged(failure):
            error = delivery_error(chat, failure, self._redactor)
            # The library's error leads to the request, and that to the token.
            failure = None
            raise error
        return failure

    @staticmethod
    async def _try(method: Callable[..., Awaitable[Any]], fields: Mapping[str, Any]) -> Any:
        """The answer, or the error as a value: raised from within its handler ours would carry it along."""
        try:
            return await method(**fields)
        except TelegramError as error:
            return error


def cut(text: str, most: int) -> str:
    """At most so many UTF-16 units, as Telegram counts."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * most:
        return text
    return units[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def _address(chat: str) -> int | str:
    name = chat.partition(":")[2]
    return name if name.startswith("@") else int(name)


def _keyboard(message: Message) -> InlineKeyboardMarkup | None:
    if not message.buttons:
        return None
    return InlineKeyboardMarkup([[_button(text, target) for text, target in row] for row in message.buttons])


def _button(text: str, target: str) -> InlineKeyboardButton:
    if target.startswith(("https://", "http://")):
        return InlineKeyboardButton(text, url=target)
    return InlineKeyboardButton(text, callback_data=target)
