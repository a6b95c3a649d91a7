"""A store in memory for tests: what the ports promise, with the merging rules of the real one.

An event stays as it is; a bar is completed and corrected by whoever learned it later, and a flag once set
stays. Not a test module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.domain.stored import (
    BarQuery,
    BarRow,
    CandleRow,
    FundingRow,
    LiquidationRow,
    MarketRow,
    OpenInterestRow,
    Page,
    RatioRow,
    SeriesName,
    StoreState,
    StoreStatus,
    TakerRow,
)
from app.core.domain.watchlist import StoredCoin
from app.core.errors import StorageUnavailable

_SERIES: dict[type, SeriesName] = {
    CandleRow: SeriesName.CANDLES,
    OpenInterestRow: SeriesName.OPEN_INTEREST,
    FundingRow: SeriesName.FUNDING,
    RatioRow: SeriesName.LONG_SHORT,
    TakerRow: SeriesName.TAKER_VOLUME,
}


class MemoryStore:
    """`MarketWriter`, `BarReader`, `StateStore`, `StoreHealth`.

    `put_all` buffers until `flush`, as the real one may.

    is_down: every access raises. lost: what a kill would lose now.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], Any] = {}
        self.states: dict[str, str] = {}
        self.is_down = False
        self.lost: list[MarketRow] = []
        self.largest_put = 0
        self.written = self.duplicates = 0

    def put(self, rows: Sequence[MarketRow]) -> int:
        self.lost.extend(rows)
        return len(rows)

    async def put_all(self, rows: Sequence[MarketRow]) -> None:
        self._check()
        assert len({type(row) for row in rows}) == 1, "rows of one type"
        self.largest_put = max(self.largest_put, len(rows))
        self.lost.extend(rows)

    async def flush(self) -> None:
        self._check()
        for row in self.lost:
            self._write(row)
        self.lost.clear()

    def _write(self, row: Any) -> None:
        key = key_of(row)
        old = self.rows.get(key)
        self._merge(key, old, row)
        is_new = self.rows[key] != old
        self.written, self.duplicates = self.written + is_new, self.duplicates + (not is_new)

    def _merge(self, key: tuple[Any, ...], old: Any, row: Any) -> None:
        if old is None:
            self.rows[key] = row
        elif not isinstance(row, LiquidationRow) and row.ts_init_ms >= old.ts_init_ms:
            merged = type(row)(*(new if new is not None else was for new, was in zip(row, old, strict=True)))
            merged = merged._replace(is_outlier=row.is_outlier or old.is_outlier)
            # The same facts again leave a row as it was, and who said so first.
            if merged._replace(ts_init_ms=old.ts_init_ms, source=old.source) != old:
                self.rows[key] = merged

    def status(self) -> StoreStatus:
        return StoreStatus(
            StoreState.OK, "", "memory", len(self.lost), 0.0, 0, 0.0, self.written, self.duplicates, 0, 0, 0
        )

    async def bars(self, query: BarQuery) -> Page[BarRow]:
        self._check()
        found = [row for row in self.rows.values() if self._fits(row, query)]
        found.sort(key=lambda row: (row.close_ms, row.exchange), reverse=query.newest_first)
        return Page(tuple(found[: query.limit]), "more" if len(found) > query.limit else None)

    @staticmethod
    def _fits(row: Any, query: BarQuery) -> bool:
        return (
            _SERIES.get(type(row)) is query.series
            and (row.symbol, row.interval) == (query.symbol, query.interval)
            and query.from_ms <= row.close_ms < query.to_ms
            and query.exchange in (None, row.exchange)
            and (query.scope is None or row.scope == query.scope.value)
        )

    async def get_state(self, key: str) -> str | None:
        self._check()
        return self.states.get(key)

    async def put_state(self, key: str, value: str) -> None:
        self._check()
        self.states[key] = value

    async def aclose(self) -> None:
        await self.flush()

    def of(self, kind: type) -> list[Any]:
        """Stored rows of one kind, oldest first."""
        found = [row for row in self.rows.values() if type(row) is kind]
        time = "ts_event_ms" if kind is LiquidationRow else "close_ms"
        return sorted(found, key=lambda row: (getattr(row, time), str(row)))

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")

    # The rest of `StateStore`, which the backfill does not use.
    async def watchlist(self) -> tuple[StoredCoin, ...]:
        raise NotImplementedError

    async def watch(self, symbol: str, *, is_on: bool, is_removed: bool = False, added_ms: int) -> None:
        raise NotImplementedError

    async def unwatch(self, symbol: str) -> None:
        raise NotImplementedError

    async def chat_settings(self, chat: str) -> str | None:
        raise NotImplementedError

    async def put_chat_settings(self, chat: str, settings: str) -> None:
        raise NotImplementedError


def key_of(row: Any) -> tuple[Any, ...]:
    """The key of the row's table."""
    if isinstance(row, LiquidationRow):
        return (LiquidationRow, row.symbol, row.ts_event_ms, row.id)
    scope = row.scope if isinstance(row, RatioRow) else ""
    return (type(row), row.symbol, scope, row.interval, row.close_ms, row.exchange)
