"""Where a chat is to be found: a group that becomes a supergroup gets another id.

The chat keeps its name in settings, outbox and configuration; only where its messages go changes, and that
is kept in the state store. Used by the delivery.
"""

from __future__ import annotations

from app.core.errors import StorageUnavailable
from app.core.store_ports import StateStore

_KEY = "chat_address:"
_MAX_CHATS = 500


class ChatAddresses:
    """The address of each chat that moved; of every other chat its name."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._known: dict[str, str] = {}

    async def address(self, chat: str) -> str:
        """Where to send what is meant for `chat`. Without the database: where it is by name, for now."""
        if chat not in self._known:
            try:
                found = await self._state.get_state(f"{_KEY}{chat}") or chat
            except StorageUnavailable:
                return chat
            if len(self._known) >= _MAX_CHATS:
                self._known.clear()
            self._known[chat] = found
        return self._known[chat]

    async def move(self, chat: str, address: str) -> None:
        """It has this id from now on. Raises: StorageUnavailable."""
        self._known[chat] = address
        await self._state.put_state(f"{_KEY}{chat}", address)
