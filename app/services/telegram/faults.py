"""What an answer of Telegram, or the want of one, means for a message: one of our delivery errors.

Pure. Texts of the library and of Telegram are data: control characters stripped, cut, token and URLs masked.
Called by `sender` only.
"""

from __future__ import annotations

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from app.core.errors import (
    DeliveryAuthFailed,
    DeliveryError,
    DeliveryForbidden,
    DeliveryMoved,
    DeliveryRateLimited,
    DeliveryRejected,
    DeliveryUnavailable,
    DeliveryUncertain,
)
from app.services.telegram.connection import FloodWait
from app.services.transport.redact import Redactor

# Before anything was written to the connection: the message is certainly not there.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def delivery_error(chat: str, error: TelegramError, redactor: Redactor) -> DeliveryError:
    """`DeliveryUncertain` only where the message may have arrived without our hearing of it."""
    detail = redactor.detail(error.message) or type(error).__name__
    match error:
        case FloodWait():
            return DeliveryRateLimited(chat, detail, retry_after_s=error.wait_s)
        case ChatMigrated():
            return DeliveryMoved(chat, f"telegram:{error.new_chat_id}")
        case Forbidden():
            return DeliveryForbidden(chat, detail)
        case InvalidToken():
            return DeliveryAuthFailed(chat, detail)
        case BadRequest():
            return DeliveryRejected(chat, detail)
        case TimedOut() | NetworkError():
            return _network_error(chat, error, detail)
        case _:
            # A good status and an answer nobody can read: it was probably sent.
            return DeliveryUncertain(chat, detail)


def _network_error(chat: str, error: TelegramError, detail: str) -> DeliveryError:
    cause = error.__cause__
    if isinstance(cause, _NOT_SENT):
        return DeliveryUnavailable(chat, f"not connected ({type(cause).__name__})")
    if isinstance(cause, httpx.HTTPError):
        return DeliveryUncertain(chat, f"no answer ({type(cause).__name__})")
    # The server itself said that it failed (5xx).
    return DeliveryUnavailable(chat, detail)


def is_bad_markup(error: TelegramError) -> bool:
    return isinstance(error, BadRequest) and "can't parse entities" in error.message.lower()


def is_too_long(error: TelegramError) -> bool:
    return isinstance(error, BadRequest) and "is too long" in error.message.lower()


def is_unchanged(error: TelegramError) -> bool:
    """The message says so already."""
    return isinstance(error, BadRequest) and "is not modified" in error.message.lower()
