"""What an update of the Bot API holds for us: who wrote where, and which command or button.

Tolerant of everything that is not a command: such an update is None, never an error, because one that cannot
be read would otherwise come again for ever. Pure; used by the bot for polled and pushed updates alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

SCHEME = "telegram"
ALLOWED = ("message", "channel_post", "callback_query")
MAX_TEXT = 4_096
Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One command or pressed button.

    names: how the chat may be called in the configuration, its id first (`telegram:-100123`, then
    `telegram:@channel`). thread_id: topic of a forum to answer in. callback_id: of a pressed button.
    """

    update_id: int
    chat_id: int
    names: tuple[str, ...]
    text: str
    thread_id: int | None = None
    callback_id: str | None = None


def update_id_of(update: object) -> int | None:
    """None for what is no update at all."""
    value = update.get("update_id") if isinstance(update, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_update(update: Json, username: str) -> Incoming | None:
    """The command or button of an update; None when it holds neither, or is meant for another bot.

    username: of this bot; in groups a command may name the bot it is meant for (`/signal@this_bot BTC`).
    """
    update_id = update_id_of(update)
    pressed = _object(update.get("callback_query"))
    message = _object((pressed or update).get("message")) or _object(update.get("channel_post"))
    chat = _object(message.get("chat")) if message else None
    if update_id is None or message is None or chat is None:
        return None
    chat_id = chat.get("id")
    if not isinstance(chat_id, int) or isinstance(chat_id, bool):
        return None
    text = pressed.get("data") if pressed else _meant_for(message.get("text"), username)
    callback_id = pressed.get("id") if pressed else None
    if not isinstance(text, str) or not isinstance(callback_id, str | None):
        return None
    return Incoming(update_id, chat_id, _names(chat_id, chat), text[:MAX_TEXT], _thread(message), callback_id)


def _object(value: object) -> Json | None:
    return value if isinstance(value, Mapping) else None


def _names(chat_id: int, chat: Json) -> tuple[str, ...]:
    """A public channel or group may be configured by its @name; people's names are no configuration."""
    name = chat.get("username")
    if isinstance(name, str) and name and chat.get("type") in {"channel", "supergroup", "group"}:
        return f"{SCHEME}:{chat_id}", f"{SCHEME}:@{name}"
    return (f"{SCHEME}:{chat_id}",)


def _meant_for(text: object, username: str) -> str | None:
    """The text without the name of this bot; None when it is no command, or another bot's."""
    if not isinstance(text, str) or not text.startswith("/"):
        return None
    command, _, rest = text.partition(" ")
    name, _, bot = command.partition("@")
    if bot and bot.lower() != username.lower():
        return None
    return f"{name} {rest}" if rest else name


def _thread(message: Json) -> int | None:
    thread = message.get("message_thread_id")
    is_topic = message.get("is_topic_message") is True
    return thread if is_topic and isinstance(thread, int) else None
