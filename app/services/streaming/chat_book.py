"""What the delivery has to know of a chat, and what it learns: language, whether it is closed, its new id.

Everything is kept in the state store; what was read is remembered for seconds, because settings change in
other places. A chat keeps its name in the outbox when it gets a new id: only its address changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.alerting.codec import decode_settings, encode_settings
from app.core.domain.alerts import ChatSettings
from app.core.errors import StorageUnavailable
from app.core.store_ports import StateStore

_ADDRESS_KEY = "chat_address:"
_REMEMBERED_S = 10.0
_MAX_CHATS = 500


class ChatBook:
    """Settings and addresses of chats. Reads never fail: without the database the last known holds."""

    def __init__(
        self,
        state: StateStore,
        *,
        monotonic: Callable[[], float],
        defaults: Callable[[str], ChatSettings] = ChatSettings,
        on_disabled: Callable[[str], None] = lambda chat: None,
    ) -> None:
        """defaults: settings of a chat that stored none. on_disabled: told of each chat that is closed."""
        self._state = state
        self._monotonic = monotonic
        self._defaults = defaults
        self._on_disabled = on_disabled
        self._known: dict[str, tuple[float, ChatSettings, str]] = {}

    async def settings(self, chat: str) -> ChatSettings:
        return (await self._entry(chat))[0]

    async def address(self, chat: str) -> str:
        """Where to send what is meant for `chat`: the chat itself, unless it moved."""
        return (await self._entry(chat))[1]

    async def disable(self, chat: str) -> None:
        """It does not take our messages any more. Raises: StorageUnavailable."""
        settings = replace(await self._stored(chat), is_disabled=True)
        await self._state.put_chat_settings(chat, encode_settings(settings))
        self._known.pop(chat, None)
        self._on_disabled(chat)

    async def move(self, chat: str, address: str) -> None:
        """It has this id from now on. Raises: StorageUnavailable."""
        await self._state.put_state(f"{_ADDRESS_KEY}{chat}", address)
        self._known.pop(chat, None)

    async def _entry(self, chat: str) -> tuple[ChatSettings, str]:
        now_s = self._monotonic()
        known = self._known.get(chat)
        if known is None or now_s - known[0] >= _REMEMBERED_S:
            try:
                settings = await self._stored(chat)
                address = await self._state.get_state(f"{_ADDRESS_KEY}{chat}") or chat
            except StorageUnavailable:
                return (self._defaults(chat), chat) if known is None else known[1:]
            if len(self._known) >= _MAX_CHATS:
                self._known.clear()
            known = self._known[chat] = (now_s, settings, address)
        return known[1:]

    async def _stored(self, chat: str) -> ChatSettings:
        text = await self._state.chat_settings(chat)
        return self._defaults(chat) if text is None else decode_settings(text)
