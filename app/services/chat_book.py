"""What every destination wants to hear: loaded from the store, changed by commands, read by the gate.

Memory is what counts. A database that is away costs nobody a setting: changes stay in force here, are said
not to be saved, and are made again on what the database holds as soon as it answers. Another process sees a
change within `RELOAD_S`. Who may ask at all is configuration; nobody gets in by a stored row.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from app.core.alerting.codec import decode_settings, encode_settings
from app.core.chat_ports import SettingsStore
from app.core.domain.alerts import ChatSettings
from app.core.errors import InputError, ServiceError, StorageUnavailable, WatchlistFull
from app.services.watchlist import Watchlist

# Under this key the delivery notes the new id of a chat that moved (a group that became a supergroup).
ADDRESS_KEY = "chat_address:"
RELOAD_S = 15.0
FIRST_LOAD_S = 1.0
MAX_PENDING = 200
# From settings to new settings; made again on what the store holds when that could not be read before.
Edit: TypeAlias = Callable[[ChatSettings], ChatSettings]
_log = logging.getLogger(__name__)


class ChatBook:
    """Settings of all destinations; the service's watchlist is another's, and asked for them."""

    def __init__(
        self,
        *,
        defaults: Sequence[ChatSettings],
        watchlist: Watchlist,
        store: SettingsStore,
    ) -> None:
        """defaults: one per destination, as configured: its severities always count, the rest until it sets
        something else. watchlist: of the process, loaded by somebody else."""
        self._defaults = {settings.chat: settings for settings in defaults}
        self._settings = dict(self._defaults)
        self._by_spelling = {chat.lower(): chat for chat in self._defaults}  # @names know no case
        self._pending: dict[str, deque[Edit]] = {chat: deque(maxlen=MAX_PENDING) for chat in self._defaults}
        self._version = dict.fromkeys(self._defaults, 0)
        self._read: set[str] = set()  # chats whose stored settings are known
        self._moved: dict[str, str] = {}  # present id -> chat as configured
        self._watchlist = watchlist
        self._store = store

    def all(self) -> Sequence[ChatSettings]:
        """Current settings, in the order of the configuration."""
        return tuple(self._settings.values())

    def get(self, chat: str) -> ChatSettings | None:
        """None: not configured, and so nobody we talk to."""
        return self._settings.get(chat)

    def name_of(self, chat: str) -> str | None:
        """The chat as it is configured, also when it writes from a new id; None for one that is not."""
        return self._by_spelling.get(chat.lower()) or self._moved.get(chat)

    def symbols(self) -> Sequence[str]:
        """Coins the service follows, the configured ones first."""
        return self._watchlist.symbols()

    def unsaved(self) -> int:
        """Chats and coins of which something is in memory only."""
        return sum(bool(edits) for edits in self._pending.values()) + self._watchlist.unsaved()

    async def change(self, chat: str, edit: Edit) -> bool:
        """Make a change, in force at once; whether it is saved too.

        Raises:
            KeyError: not a configured destination.
            InputError: what `edit` refused; nothing has changed then.
        """
        self._settings[chat] = edit(self._settings[chat])
        self._pending[chat].append(edit)
        self._version[chat] += 1
        try:
            await self._save(chat)
        except StorageUnavailable as error:
            _log.warning("settings of a chat are not saved", extra={"chat": chat, "why": str(error)})
            return False
        return True

    async def disable(self, chat: str) -> None:
        """The destination does not want to hear from us; a command from it takes that back (`enable`)."""
        known = self._settings.get(chat)
        if known is not None and not known.is_disabled:
            _log.warning("a chat does not take messages any more", extra={"chat": chat})
            await self.change(chat, _disabled)

    async def enable(self, chat: str) -> None:
        """The destination speaks to us, so it takes messages."""
        known = self._settings.get(chat)
        if known is not None and known.is_disabled:
            await self.change(chat, _enabled)

    async def watch(self, coin: str) -> bool:
        """Follow a coin; whether that is saved too. A full list is left as it is."""
        try:
            return (await self._watchlist.add(coin)).is_saved
        except WatchlistFull:
            return True

    async def run(self) -> None:
        """Save what is unsaved and read what other processes changed, until cancelled."""
        while True:
            is_current = await self.load()
            await asyncio.sleep(RELOAD_S if is_current else FIRST_LOAD_S)

    async def load(self) -> bool:
        """One round of `run`; False when the store cannot be asked: what is known stays."""
        try:
            for chat in self._defaults:
                await (self._save(chat) if self._pending[chat] else self._refresh(chat))
                await self._refresh_address(chat)
        except StorageUnavailable:
            return False
        return True

    async def _refresh_address(self, chat: str) -> None:
        """Raises: StorageUnavailable."""
        address = await self._store.get_state(f"{ADDRESS_KEY}{chat}")
        self._moved = {now: was for now, was in self._moved.items() if was != chat}
        if address:
            self._moved[address] = chat

    async def _save(self, chat: str) -> None:
        """Raises: StorageUnavailable."""
        if chat not in self._read:
            await self._refresh(chat)
        version = self._version[chat]
        await self._store.put_chat_settings(chat, encode_settings(self._settings[chat]))
        # A further change may have come meanwhile: it saves itself, and all before it.
        if version == self._version[chat]:
            self._pending[chat].clear()

    async def _refresh(self, chat: str) -> None:
        """What the store holds, with what is not saved yet made on it again. Raises: StorageUnavailable."""
        version = self._version[chat]
        text = await self._store.chat_settings(chat)
        if chat in self._read and version != self._version[chat]:
            return  # a command was faster, and what it set is newer
        self._read.add(chat)
        stored = self._decoded(chat, text)
        if stored is None:
            return
        for edit in self._pending[chat]:
            try:
                stored = edit(stored)
            except InputError as error:
                _log.warning("a change does not fit", extra={"chat": chat, "why": str(error)})
        self._settings[chat] = stored

    def _decoded(self, chat: str, text: str | None) -> ChatSettings | None:
        """Stored settings, with what only the configuration decides; None: there are none to be used."""
        if text is None:
            return None
        try:
            stored = decode_settings(text)
        except (ServiceError, ValueError) as error:
            _log.warning("settings of a chat are not readable", extra={"chat": chat, "why": str(error)[:200]})
            return None
        return replace(stored, chat=chat, severities=self._defaults[chat].severities)


def _disabled(settings: ChatSettings) -> ChatSettings:
    return replace(settings, is_disabled=True)


def _enabled(settings: ChatSettings) -> ChatSettings:
    return replace(settings, is_disabled=False)
