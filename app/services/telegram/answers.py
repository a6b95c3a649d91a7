"""Sends the answers of a conversation: one message a second and chat, markup with plain text behind it.

Honours `retry_after`, resends without markup or buttons where the server refuses those, and tells what became
of it. Answers are not worth a queue: what cannot be sent now is counted and left. Used by the bot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError, TimedOut

from app.core.stream_ports import Message
from app.services.telegram.connection import FloodWait
from app.services.telegram.updates import Incoming

SPACING_S = 1.05  # the server counts a message a second and chat
MAX_TRIES = 4
MAX_WAIT_S = 60.0
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_log = logging.getLogger(__name__)
# Waits until a chat (as it is configured) may be written to again; shared with whoever else writes to it.
Pace: TypeAlias = Callable[[str], Awaitable[None]]


class Fate(StrEnum):
    """What became of one message."""

    SENT = "sent"
    FAILED = "failed"
    FORBIDDEN = "forbidden"  # the chat threw the bot out


class Spacing:
    """One message a second and chat; of the chats that are answered there are at most a few."""

    def __init__(
        self, *, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at_s: dict[str, float] = {}

    async def __call__(self, chat: str) -> None:
        now_s = self._monotonic()
        at_s = max(now_s, self._free_at_s.get(chat, now_s))
        self._free_at_s[chat] = at_s + SPACING_S  # taken before waiting: callers queue up
        if at_s > now_s:
            await self._sleep(at_s - now_s)


@dataclass(frozen=True, slots=True)
class _Form:
    """What of a message is still tried."""

    has_markup: bool
    has_buttons: bool


class AnswerSender:
    """Sends to one bot."""

    def __init__(self, bot: Bot, *, pace: Pace, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._bot = bot
        self._pace = pace
        self._sleep = sleep

    async def send(self, chat: str, to: Incoming, message: Message) -> Fate:
        """Send one message. Never raises for what the server or the network does."""
        form = _Form(has_markup=True, has_buttons=bool(message.buttons))
        for attempt in range(1, MAX_TRIES + 1):
            await self._pace(chat)
            try:
                await self._once(to, message, form)
                return Fate.SENT
            except Forbidden:
                return Fate.FORBIDDEN
            except TelegramError as error:
                again = _again(error, form, attempt)
                if again is None or attempt == MAX_TRIES:
                    _log.warning("an answer was not delivered", extra={"why": _told(error)})
                    return Fate.FAILED
            form, wait_s = again
            if wait_s:
                await self._sleep(wait_s)
        return Fate.FAILED

    async def notice(self, callback_id: str, text: str) -> None:
        """End the wait on a pressed button, with a short notice; old ones are refused, no matter."""
        try:
            await self._bot.answer_callback_query(callback_id, text=text or None)
        except TelegramError as error:
            _log.debug("a pressed button was not acknowledged", extra={"why": type(error).__name__})

    async def _once(self, to: Incoming, message: Message, form: _Form) -> None:
        """Raises: TelegramError."""
        text = message.html if form.has_markup else message.plain
        mode = ParseMode.HTML if form.has_markup else None
        keyboard = _keyboard(message) if form.has_buttons else None
        if message.png is not None:
            await self._bot.send_photo(
                to.chat_id,
                message.png,
                caption=text,
                parse_mode=mode,
                reply_markup=keyboard,
                message_thread_id=to.thread_id,
            )
            return
        await self._bot.send_message(
            to.chat_id,
            text,
            parse_mode=mode,
            reply_markup=keyboard,
            message_thread_id=to.thread_id,
            link_preview_options=_NO_PREVIEW,
            disable_notification=message.is_silent,
        )


def _keyboard(message: Message) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[_button(*button) for button in row] for row in message.buttons])


def _button(text: str, target: str) -> InlineKeyboardButton:
    if target.startswith(("https://", "http://")):
        return InlineKeyboardButton(text, url=target)
    return InlineKeyboardButton(text, callback_data=target)


def _again(error: TelegramError, form: _Form, attempt: int) -> tuple[_Form, float] | None:
    """In which form to try again after how many seconds; None when that cannot succeed or might double it."""
    if isinstance(error, FloodWait):
        return form, min(error.wait_s, MAX_WAIT_S)
    if isinstance(error, BadRequest):
        if "parse entities" in error.message and form.has_markup:
            return replace(form, has_markup=False), 0.0
        return (replace(form, has_buttons=False), 0.0) if form.has_buttons else None
    # After a timeout it may have arrived: asked again, it would stand there twice.
    is_retryable = isinstance(error, NetworkError) and not isinstance(error, TimedOut)
    return (form, 1.0) if is_retryable and attempt == 1 else None


def _told(error: TelegramError) -> str:
    """The kind of fault and what the server said; the address with the token is in neither."""
    return f"{type(error).__name__}: {error.message[:200]}"
