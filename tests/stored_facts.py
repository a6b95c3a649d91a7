"""A store in memory for tests of use cases and routes: the ports, with rows of our own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.market import HOUR_MS, Price, PriceKind
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.signal import Signal
from app.core.domain.stored import (
    BarQuery,
    BarRow,
    CandleRow,
    ExportName,
    ExportQuery,
    FundingRow,
    OpenInterestRow,
    Page,
    RatioRow,
    SeriesName,
    SignalQuery,
    StoredSignal,
    TakerRow,
    Trigger,
)
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter, StorageUnavailable

NOW_MS = 1_772_000_000_000
LAST_CLOSE_MS = NOW_MS // HOUR_MS * HOUR_MS
SERIES_OF: dict[type[Any], SeriesName] = {
    CandleRow: SeriesName.CANDLES,
    OpenInterestRow: SeriesName.OPEN_INTEREST,
    FundingRow: SeriesName.FUNDING,
    RatioRow: SeriesName.LONG_SHORT,
    TakerRow: SeriesName.TAKER_VOLUME,
}


def closes(count: int, *, last_ms: int = LAST_CLOSE_MS) -> list[int]:
    """Hourly closes, oldest first."""
    return [last_ms - HOUR_MS * n for n in range(count - 1, -1, -1)]


def candle(close_ms: int, *, exchange: str = "Binance", interval: str = "1h", coin: str = "BTC") -> CandleRow:
    return CandleRow(exchange, coin, interval, close_ms, 95.5, 97.25, 94.125, 96.0, 12.5, "coinglass", NOW_MS)


def interest(
    close_ms: int, *, exchange: str = "ALL", usd: float | None = 9e9, source: str = "coinglass"
) -> OpenInterestRow:
    base = (None, None, None, 95_000.5)
    return OpenInterestRow(exchange, "BTC", "1h", close_ms, usd, usd, usd, usd, *base, source, NOW_MS)


def funding(close_ms: int) -> FundingRow:
    return FundingRow("ALL", "BTC", "1h", close_ms, None, -0.0001, None, "coinglass", NOW_MS, True)


def ratio(close_ms: int, scope: str = "global_account") -> RatioRow:
    return RatioRow(scope, "Binance", "BTC", "1h", close_ms, 0.7388, "coinglass", NOW_MS)


def taker(close_ms: int) -> TakerRow:
    return TakerRow("ALL", "BTC", "1h", close_ms, 3e6, 1e6, "coinglass", NOW_MS)


def signal_row(seq: int, *, symbol: str = "BTC", trigger: Trigger = Trigger.REQUEST) -> StoredSignal:
    return StoredSignal(
        id=f"01JD{seq:022d}",
        symbol=symbol,
        as_of_ms=NOW_MS - HOUR_MS * (1000 - seq),
        trigger=trigger,
        data_mode="demo",
        mode="balanced",
        direction="SHORT",
        score=34.56789,
        confidence=61.23456,
        coverage=0.9,
        price_usd=0.00001182345678901,
        reason="SHORT 35/100: crowded longs",
        engine_version="1.0.0",
        context_digest="ab" * 32,
        chain="8d0f6c1e-6c43-4f4e-9d43-2c1a6f1f2b7d",
        seq=seq,
        prev_hash="cd" * 32,
        hash="ef" * 32,
        ts_init_ms=NOW_MS,
        body="{}",
    )


def write_cursor(index: int) -> str:
    return base64.urlsafe_b64encode(str(index).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> int:
    if text is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise InvalidParameter("cursor", "the next of the page before") from error


class FakeStore:
    """Bars, signals and tables in lists; `is_down` makes every read fail, `capacity` bounds `put`."""

    def __init__(self) -> None:
        self.rows: list[BarRow] = []
        self.kept: list[StoredSignal] = []
        self.put_rows: list[Any] = []
        self.appended: list[tuple[Signal, EnhancedSignalContext, Trigger]] = []
        self.queries: list[BarQuery] = []
        self.is_down = False
        self.capacity: int | None = None
        self.tables: dict[ExportName, tuple[tuple[str, ...], list[list[tuple[object, ...]]]]] = {
            name: (("symbol", "ts_event_ms", "usd", "reason"), []) for name in ExportName
        }
        self.exports: list[ExportQuery] = []
        self.break_after: int | None = None
        self.closed_exports = 0
        self.export_ends: asyncio.Queue[None] = asyncio.Queue()

    def put(self, rows: Sequence[Any]) -> int:
        accepted = len(rows) if self.capacity is None else min(self.capacity, len(rows))
        self.put_rows += rows[:accepted]
        return accepted

    async def put_all(self, rows: Sequence[Any]) -> None:
        self.put(rows)

    async def flush(self) -> None:
        return None

    def append(self, signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        self.appended.append((signal, context, trigger))

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")

    async def bars(self, query: BarQuery) -> Page[BarRow]:
        self._check()
        self.queries.append(query)
        found = [row for row in self.rows if _fits(row, query)]
        found.sort(key=lambda row: (row.close_ms, row.exchange), reverse=query.newest_first)
        return _page(found, query.limit, query.cursor)

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        self._check()
        found = [
            row
            for row in self.kept
            if query.symbol in {None, row.symbol} and query.trigger in {None, row.trigger}
        ]
        found.sort(key=lambda row: row.as_of_ms, reverse=True)
        return _page(found, query.limit, query.cursor)

    def export(
        self, query: ExportQuery
    ) -> tuple[tuple[str, ...], AsyncIterator[Sequence[tuple[object, ...]]]]:
        self.exports.append(query)
        columns, chunks = self.tables[query.name]
        return columns, self._chunks(chunks)

    async def _chunks(
        self, chunks: Sequence[Sequence[tuple[object, ...]]]
    ) -> AsyncIterator[Sequence[tuple[object, ...]]]:
        try:
            self._check()
            for index, chunk in enumerate(chunks):
                if index == self.break_after:
                    raise StorageUnavailable("the database went away")
                yield chunk
        finally:
            self.closed_exports += 1
            self.export_ends.put_nowait(None)


def _fits(row: BarRow, query: BarQuery) -> bool:
    return (
        SERIES_OF[type(row)] is query.series
        and row.symbol == query.symbol
        and row.interval == query.interval
        and query.from_ms <= row.close_ms < query.to_ms
        and query.exchange in {None, row.exchange}
        and (not isinstance(row, RatioRow) or query.scope in {None, row.scope})
    )


def _page(found: Sequence[Any], limit: int, cursor: str | None) -> Page[Any]:
    start = read_cursor(cursor)
    stop = start + limit
    return Page(tuple(found[start:stop]), write_cursor(stop) if stop < len(found) else None)


def price_context(coin: str = "BTC") -> EnhancedSignalContext:
    """A price and nothing else: enough for a NEUTRAL signal."""
    missing = Missing(MissingReason.NOT_CONFIGURED, "no key")
    price = Price(96_200.5, PriceKind.LAST_TRADE, "OKX")
    inputs: dict[str, Any] = {capability.value: missing for capability in Capability}
    inputs["price"] = Reading(price, "okx", "market_ticker", NOW_MS, NOW_MS, CacheState.MISS)
    return EnhancedSignalContext(symbol=Symbol(coin), as_of_ms=NOW_MS, data_mode=DataMode.DEMO, **inputs)
