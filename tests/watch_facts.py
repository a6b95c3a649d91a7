"""A stored watchlist in memory that can go away, and a list over it. Not a test module."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.domain.watchlist import StoredCoin
from app.core.errors import StorageUnavailable
from app.services.watchlist import Watchlist

SYMBOLS = ("BTC", "ETH", "SOL")
NOW_MS = 1_772_000_000_000


@dataclass(slots=True)
class MemoryCoins:
    """`core.store_ports.WatchStore`."""

    coins: dict[str, StoredCoin] = field(default_factory=dict)
    is_away: bool = False

    def _ask(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database does not answer")

    async def watchlist(self) -> tuple[StoredCoin, ...]:
        self._ask()
        return tuple(self.coins.values())

    async def watch(self, symbol: str, *, is_on: bool, is_removed: bool = False, added_ms: int) -> None:
        self._ask()
        known = self.coins.get(symbol)
        first_ms = added_ms if known is None else known.added_ms
        self.coins[symbol] = StoredCoin(symbol, is_on, is_removed, first_ms)

    async def unwatch(self, symbol: str) -> None:
        self._ask()
        self.coins.pop(symbol, None)


def make_watchlist(store: MemoryCoins, *configured: str) -> Watchlist:
    return Watchlist(configured=configured or SYMBOLS, store=store, now_ms=lambda: NOW_MS)
