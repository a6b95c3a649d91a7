"""Telegram Bot API, simulated: keeps what was sent, refuses what the real one refuses.

Limits (30 a second overall, 1 a second per chat, 20 a minute per group), 4096 characters, HTML that does not
parse, webhook and polling at once. Messages are read back at `/__sim__/telegram/messages`. Source: Bot API.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import math
import re
import time
from collections import deque
from collections.abc import Callable
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

from app.sim.telegram_text import entity_error, visible_length
from app.sim.wire import BAD_KEY, Call, Endpoint, Reply, json_reply

_BOT = {"id": 123456789, "is_bot": True, "first_name": "Simulated bot", "username": "simulated_bot"}
_TEXT_MAX = 4096
_CAPTION_MAX = 1024
_PER_SECOND = 30
_GROUP_PER_MINUTE = 20


class TelegramServer:
    """The Bot API below `/telegram`; `/bot{token}/METHOD`."""

    name = "telegram"

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self.messages: list[dict[str, Any]] = []
        self.updates: deque[dict[str, Any]] = deque()
        self.webhook: dict[str, Any] | None = None
        self.menus: dict[str, Any] = {}  # commands by language code, "" for everybody else
        self.notices: list[dict[str, Any]] = []  # answers to pressed buttons
        self._sent: dict[str, deque[float]] = {}
        self._arrived = asyncio.Event()
        self._last_id = 0
        # Chats that threw the bot out, that never were, and that have another id now.
        self.blocked: set[str] = set()
        self.unknown_chats: set[str] = set()
        self.moved: dict[str, int] = {}
        self.endpoints = tuple(
            Endpoint(
                name,
                f"/bot{{token}}/{name}",
                handler,
                cache_ms=0,
                wait=self._wait_for_update if name == "getUpdates" else None,
                has_effect=name.startswith(("send", "edit")),
            )
            for name, handler in self._handlers().items()
        )

    def _handlers(self) -> dict[str, Callable[[Call], Reply]]:
        return {
            "getMe": self._get_me,
            "getChat": self._get_chat,
            "getWebhookInfo": self._get_webhook,
            "sendMessage": self._send_message,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "sendPhoto": self._send_photo,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "setMyCommands": self._set_commands,
            "answerCallbackQuery": self._answer_callback,
        }

    def admit(self, call: Call, endpoint: Endpoint) -> Reply | None:
        # Compared like a real token, in constant time, so that the rule about secrets needs no exception.
        if hmac.compare_digest(call.args["token"].encode(), BAD_KEY.encode()):
            return failure(401, "Unauthorized")
        return None

    def headers(self, call: Call) -> tuple[tuple[str, str], ...]:
        return ()

    def unknown(self, call: Call) -> Reply:
        return failure(404, "Not Found")

    def refuse(self, code: str, message: str) -> Reply:
        return json_reply({"ok": False, "error_code": int(code), "description": message})

    def reset(self) -> None:
        """Forget messages, updates, webhook and used limits."""
        self.messages.clear()
        self.updates.clear()
        self.menus.clear()
        self.notices.clear()
        self._sent.clear()
        self.webhook = None
        self.blocked.clear()
        self.unknown_chats.clear()
        self.moved.clear()

    def push_update(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update for getUpdates, as if a user had written; fills its id in."""
        self._last_id += 1
        update = {"update_id": 1000 + self._last_id, **update}
        self.updates.append(update)
        self._arrived.set()
        return update

    def _get_me(self, call: Call) -> Reply:
        more = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries")
        return _ok(_BOT | dict(zip(more, (True, False, False), strict=True)))

    def _get_chat(self, call: Call) -> Reply:
        chat = str(_fields(call).get("chat_id") or "")
        if not chat or chat in self.unknown_chats or chat in self.moved:
            return failure(400, "Bad Request: chat not found")
        if chat in self.blocked:
            return failure(403, "Forbidden: bot was kicked from the supergroup chat")
        return _ok(_chat(chat))

    def _get_webhook(self, call: Call) -> Reply:
        url = str((self.webhook or {}).get("url") or "")
        info = {"url": url, "has_custom_certificate": False, "pending_update_count": len(self.updates)}
        return _ok(info)

    def _send_message(self, call: Call) -> Reply:
        fields = _fields(call)
        refusal = self._refusal(fields, "text", _TEXT_MAX) or self._limit_error(fields["chat_id"])
        if refusal is not None:
            return refusal
        return _ok(self._keep(call, fields, {"text": str(fields["text"])}))

    def _send_photo(self, call: Call) -> Reply:
        fields = _fields(call)
        if not fields.get("photo"):
            return failure(400, "Bad Request: there is no photo in the request")
        fields.setdefault("caption", "")
        refusal = self._refusal(fields, "caption", _CAPTION_MAX) or self._limit_error(fields["chat_id"])
        if refusal is not None:
            return refusal
        size = {"file_id": "simulated", "file_unique_id": "s", "width": 800, "height": 600}
        return _ok(self._keep(call, fields, {"caption": str(fields["caption"]), "photo": [size]}))

    def _edit_text(self, call: Call) -> Reply:
        return self._edit(call, "text", _TEXT_MAX)

    def _edit_caption(self, call: Call) -> Reply:
        return self._edit(call, "caption", _CAPTION_MAX)

    def _edit(self, call: Call, name: str, most: int) -> Reply:
        fields = _fields(call)
        refusal = self._refusal(fields, name, most)
        if refusal is not None:
            return refusal
        wanted = (str(fields["chat_id"]), str(fields.get("message_id", "")))
        for message in self.messages:
            if (str(message["chat"]["id"]), str(message["message_id"])) == wanted:
                if name not in message:
                    return failure(400, f"Bad Request: there is no {name} in the message to edit")
                if message[name] == fields[name]:
                    return failure(400, "Bad Request: message is not modified")
                message |= {name: str(fields[name]), "edit_date": call.now_ms // 1000}
                return _ok(message)
        return failure(400, "Bad Request: message to edit not found")

    def _refusal(self, fields: dict[str, Any], name: str, most: int) -> Reply | None:
        """Why this text does not go to this chat; the chat is asked first, as the real one does."""
        chat = str(fields.get("chat_id") or "")
        if chat in self.blocked:
            return failure(403, "Forbidden: bot was blocked by the user")
        if chat in self.moved:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            return failure(400, text, {"migrate_to_chat_id": self.moved[chat]})
        return _text_error(fields, name, most)

    def _keep(self, call: Call, fields: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        self._last_id += 1
        chat = fields["chat_id"]
        message = {
            "message_id": self._last_id,
            "from": _BOT,
            "chat": _chat(str(chat)),
            "date": call.now_ms // 1000,
            **content,
        }
        if fields.get("reply_markup"):
            message["reply_markup"] = _parsed(fields["reply_markup"])
        self.messages.append(message)
        return message

    def _limit_error(self, chat: object) -> Reply | None:
        """429 with retry_after when one of the three limits is used up; otherwise counts the message."""
        now_s = self._monotonic_s()
        rules = [("all", _PER_SECOND, 1.0), (f"chat:{chat}", 1, 1.0)]
        if str(chat).startswith("-"):
            rules.append((f"group:{chat}", _GROUP_PER_MINUTE, 60.0))
        for key, most, window_s in rules:
            sent = self._sent.setdefault(key, deque(maxlen=_PER_SECOND))
            recent = [at for at in sent if now_s - at < window_s]
            if len(recent) >= most:
                wait_s = max(1, math.ceil(window_s - (now_s - recent[-most])))
                text = f"Too Many Requests: retry after {wait_s}"
                return failure(429, text, {"retry_after": wait_s})
        for key, _, _ in rules:
            self._sent[key].append(now_s)
        return None

    def _get_updates(self, call: Call) -> Reply:
        if self.webhook is not None:
            text = "Conflict: can't use getUpdates method while webhook is active"
            return failure(409, text)
        fields = _fields(call)
        offset = int(fields.get("offset") or 0)
        while offset > 0 and self.updates and self.updates[0]["update_id"] < offset:
            self.updates.popleft()
        return _ok(list(self.updates)[: int(fields.get("limit") or 100)])

    def _set_webhook(self, call: Call) -> Reply:
        fields = _fields(call)
        self.webhook = fields if fields.get("url") else None
        return json_reply({"ok": True, "result": True, "description": "Webhook was set"})

    def _delete_webhook(self, call: Call) -> Reply:
        self.webhook = None
        return json_reply({"ok": True, "result": True, "description": "Webhook was deleted"})

    def _set_commands(self, call: Call) -> Reply:
        fields = _fields(call)
        commands = _parsed(fields.get("commands"))
        if not isinstance(commands, list) or not 1 <= len(commands) <= 100:
            return failure(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        if not all(_is_command(command) for command in commands):
            return failure(400, "Bad Request: BOT_COMMAND_INVALID")
        self.menus[str(fields.get("language_code") or "")] = commands
        return _ok(True)

    def _answer_callback(self, call: Call) -> Reply:
        fields = _fields(call)
        if not fields.get("callback_query_id"):
            return failure(400, "Bad Request: query is too old and response timeout expired")
        if len(str(fields.get("text") or "")) > 200:
            return failure(400, "Bad Request: MESSAGE_TOO_LONG")
        self.notices.append(fields)
        return _ok(True)

    async def _wait_for_update(self, call: Call) -> None:
        """Hold a long poll until an update is queued or its timeout (at most 50 s) has passed."""
        text = str(_fields(call).get("timeout") or "0")
        timeout_s = min(float(text), 50.0) if text.isdigit() else 0.0
        if self.updates or self.webhook is not None or timeout_s == 0:
            return
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()


def _chat(chat: str) -> dict[str, Any]:
    kind = "supergroup" if chat.startswith(("-", "@")) else "private"
    return {
        "id": int(chat) if chat.lstrip("-").isdigit() else chat,
        "first_name" if kind == "private" else "title": "simulated",
        "type": kind,
    }


def _ok(result: object) -> Reply:
    return json_reply({"ok": True, "result": result})


def failure(code: int, text: str, parameters: dict[str, int] | None = None) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": text}
    if parameters:
        body["parameters"] = parameters
    return json_reply(body, code)


def _parsed(value: object) -> object:
    """Forms carry lists as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _is_command(command: object) -> bool:
    if not isinstance(command, dict):
        return False
    name, what = command.get("command"), command.get("description")
    is_name = isinstance(name, str) and re.fullmatch(r"[a-z0-9_]{1,32}", name) is not None
    return is_name and isinstance(what, str) and 1 <= len(what) <= 256


def _are_buttons(markup: object) -> bool:
    """Whether every button leads to an address or holds 1 to 64 bytes; True without buttons."""
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    return all(
        bool(button.get("url")) or 1 <= len(str(button.get("callback_data") or "").encode()) <= 64
        for row in rows
        for button in row
    )


def _text_error(fields: dict[str, Any], name: str, most: int) -> Reply | None:
    text, mode = str(fields.get(name) or ""), str(fields.get("parse_mode") or "")
    if not fields.get("chat_id"):
        return failure(400, "Bad Request: chat_id is empty")
    if name == "text" and not text.strip():
        return failure(400, "Bad Request: message text is empty")
    broken = entity_error(text, mode)
    if broken:
        return failure(400, f"Bad Request: can't parse entities: {broken}")
    if not _are_buttons(_parsed(fields.get("reply_markup"))):
        return failure(400, "Bad Request: BUTTON_DATA_INVALID")
    if visible_length(text, mode) > most:
        return failure(400, f"Bad Request: message {'caption ' if name == 'caption' else ''}is too long")
    return None


def _fields(call: Call) -> dict[str, Any]:
    """Parameters from query, JSON, form or multipart; a file becomes its size in bytes."""
    fields: dict[str, Any] = dict(call.params)
    kind = call.headers.get("content-type", "")
    if kind.startswith("application/json"):
        try:
            sent = json.loads(call.body or b"{}")
        except ValueError:
            return fields
        return fields | sent if isinstance(sent, dict) else fields
    if kind.startswith("multipart/form-data"):
        return fields | _multipart(kind, call.body)
    return fields | dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _multipart(kind: str, body: bytes) -> dict[str, Any]:
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields: dict[str, Any] = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = len(content) if part.get_filename() else content.decode("utf-8", "replace")
    return fields
