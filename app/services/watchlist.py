"""The coins that the service follows: those of the configuration and what was added, switched or removed.

One per process, read by everything that asks or listens ahead. Memory is what counts: a database that is away
costs nobody a change, which is in force here, is said not to be saved, and is made again as soon as it
answers. Another process sees a change within `RELOAD_S`. Spellings are resolved before (`coin_service`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from app.core.domain.watchlist import MAX_COINS, StoredCoin, WatchChange, WatchedCoin
from app.core.errors import NotWatched, StorageUnavailable, WatchlistFull
from app.core.store_ports import WatchStore

RELOAD_S = 2.0
# Until the store has answered once, the list is the configuration's alone.
FIRST_LOAD_S = 0.25
# Changes that wait for the database. Each coin has one at most, its last.
MAX_PENDING = 1_000
# Told the coins that are on, in order, whenever the list is another than before.
Listener: TypeAlias = Callable[[tuple[str, ...]], None]
_log = logging.getLogger(__name__)


class Watchlist:
    """Every method that takes a coin takes its base asset in capitals."""

    def __init__(
        self, *, configured: Sequence[str], store: WatchStore, now_ms: Callable[[], int] = lambda: 0
    ) -> None:
        """configured: followed unless somebody says otherwise, and first in the list. now_ms: market time."""
        self._configured = dict.fromkeys(configured)
        self._store = store
        self._now_ms = now_ms
        self._rows: dict[str, StoredCoin] = {}  # in the order in which they were added
        self._pending: dict[str, StoredCoin | None] = {}  # not saved yet; None: its row is to go
        self._lock = asyncio.Lock()  # whoever holds it talks to the store
        self._listeners: list[Listener] = []
        self._told = self._shape()

    def symbols(self) -> tuple[str, ...]:
        """Coins that are on, those of the configuration first."""
        return tuple(coin.symbol for coin in self.all() if coin.is_on)

    def all(self) -> tuple[WatchedCoin, ...]:
        """The whole list, in order; at most `MAX_COINS`."""
        names = dict.fromkeys([*self._configured, *self._rows])
        shown = (self._shown(name) for name in names)
        return tuple(coin for coin in shown if coin is not None)[:MAX_COINS]

    def find(self, symbol: str) -> WatchedCoin | None:
        """None: not in the list."""
        return next((coin for coin in self.all() if coin.symbol == symbol), None)

    def unsaved(self) -> int:
        """Changes that are in memory only."""
        return len(self._pending)

    def subscribe(self, listener: Listener) -> None:
        """Told from now on, in the loop that made the change: it must not wait for anything."""
        self._listeners.append(listener)

    async def add(self, symbol: str) -> WatchChange:
        """Follow a coin: a new one at the end, one that is off or was removed in its place.

        Raises:
            WatchlistFull: the list has `MAX_COINS`, and this is none of them.
        """
        known = self.find(symbol)
        if known is None and len(self.all()) >= MAX_COINS:
            raise WatchlistFull(MAX_COINS)
        return await self._switch(symbol, known, is_on=True)

    async def remove(self, symbol: str) -> WatchChange:
        """Take a coin out of the list; one of the configuration stays out after a restart, too.

        Raises:
            NotWatched: it is not in the list.
        """
        self._listed(symbol)
        if symbol not in self._configured:
            return await self._change(symbol, None)
        return await self._change(symbol, StoredCoin(symbol, False, True, self._added_ms(symbol)))

    async def toggle(self, symbol: str, *, is_on: bool | None = None) -> WatchChange:
        """Switch a coin of the list on or off; None: to what it is not.

        Raises:
            NotWatched: it is not in the list.
        """
        known = self._listed(symbol)
        return await self._switch(symbol, known, is_on=not known.is_on if is_on is None else is_on)

    async def run(self) -> None:
        """Save what is unsaved and read what other processes changed, until cancelled."""
        was_read = False
        while True:
            was_read = await self.load() or was_read
            await asyncio.sleep(RELOAD_S if was_read else FIRST_LOAD_S)

    async def load(self) -> bool:
        """One round of `run`; False when the store cannot be asked: what is known stays."""
        try:
            async with self._lock:
                await self._save()
                rows = {row.symbol: row for row in await self._store.watchlist()}
                # A change made while this was read is not saved before the lock is free, so it is in here.
                for symbol, row in self._pending.items():
                    _put(rows, symbol, row)
                self._rows = rows
        except StorageUnavailable:
            return False
        self._tell()
        return True

    def _listed(self, symbol: str) -> WatchedCoin:
        known = self.find(symbol)
        if known is None:
            raise NotWatched(symbol)
        return known

    async def _switch(self, symbol: str, known: WatchedCoin | None, *, is_on: bool) -> WatchChange:
        if known is not None and known.is_on == is_on:
            return WatchChange(symbol, did_change=False, is_saved=known.is_saved)
        return await self._change(symbol, StoredCoin(symbol, is_on, False, self._added_ms(symbol)))

    async def _change(self, symbol: str, row: StoredCoin | None) -> WatchChange:
        """In force when this is called, saved when it returns, or not."""
        _put(self._rows, symbol, row)
        self._pending.pop(symbol, None)
        self._pending[symbol] = row
        if len(self._pending) > MAX_PENDING:
            lost = next(iter(self._pending))
            del self._pending[lost]
            _log.error("a change of the watchlist is lost: too many wait", extra={"coin": lost})
        self._tell()
        try:
            async with self._lock:
                await self._save()
        except StorageUnavailable as error:
            _log.warning("a change of the watchlist is not saved", extra={"coin": symbol, "why": str(error)})
        return WatchChange(symbol, did_change=True, is_saved=symbol not in self._pending)

    async def _save(self) -> None:
        """Under the lock. Raises: StorageUnavailable."""
        for symbol, row in list(self._pending.items()):
            if row is None:
                await self._store.unwatch(symbol)
            else:
                await self._store.watch(
                    symbol, is_on=row.is_on, is_removed=row.is_removed, added_ms=row.added_ms
                )
            # Another change of the same coin may have come meanwhile; it is saved next.
            if symbol in self._pending and self._pending[symbol] is row:
                del self._pending[symbol]

    def _added_ms(self, symbol: str) -> int:
        row = self._rows.get(symbol)
        return self._now_ms() if row is None else row.added_ms

    def _shown(self, symbol: str) -> WatchedCoin | None:
        row, is_configured = self._rows.get(symbol), symbol in self._configured
        if row is not None and row.is_removed:
            return None
        return WatchedCoin(
            symbol=symbol,
            is_on=row is None or row.is_on,
            is_configured=is_configured,
            is_saved=symbol not in self._pending,
            added_ms=None if row is None or is_configured else row.added_ms,
        )

    def _shape(self) -> tuple[tuple[str, bool], ...]:
        return tuple((coin.symbol, coin.is_on) for coin in self.all())

    def _tell(self) -> None:
        shape = self._shape()
        if shape == self._told:
            return
        self._told = shape
        symbols = self.symbols()
        for listener in self._listeners:
            listener(symbols)


def _put(rows: dict[str, StoredCoin], symbol: str, row: StoredCoin | None) -> None:
    if row is None:
        rows.pop(symbol, None)
    else:
        rows[symbol] = row
