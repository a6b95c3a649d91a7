"""OKX histories for the backfill: one bounded page per call, closed bars only, as the store keeps them.

Owns what is asked for a stretch of time, how deep each history is and how rows become stored bars. Calls go
through the client of the provider, so breaker and call limits hold; a page is asked once and not kept.
Source: OKX v5 market/history-candles, public/funding-rate-history, rubik per contract; checked 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS
from app.core.domain.stored import (
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
    SeriesName,
    TakerRow,
)
from app.core.domain.symbol import Symbol
from app.core.history_ports import HistorySource
from app.services.okx import parse, resources
from app.services.okx.client import PROVIDER
from app.services.okx.funding import periods_h
from app.services.okx.listings import Listings, inst_id
from app.services.okx.parse import Rows, per_8h, require_past
from app.services.okx.reading import Reader
from app.services.transport.cache import Cached, Freshness
from app.services.transport.resource import Resource, ResourceClient

EXCHANGE = "OKX"
# As OKX spells them. 8h bars do not exist; longer ones need the utc suffix, or they open in Hong Kong.
_CANDLE_BARS = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "4h": "4H"} | {
    "12h": "12Hutc",
    "1d": "1Dutc",
}
# Where the statistics open longer bars is not documented, so they are not asked for.
_RUBIK_BARS = {"5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "4h": "4H"}
_RUBIK_ROWS = 1440
_FUNDING_DAYS = 90
# Settlements around a page that say what the periods in it are, whatever page it is.
_FUNDING_MARGIN_MS = 2 * DAY_MS
# With the margins at most a hundred settlements of 8 h: one call.
_FUNDING_PAGE_BARS = 28 * 3
_MAX_FUNDING_CALLS = 12
# Kept for a moment, so that a page asked twice at once is one call; never an old one instead of an error.
_ONCE = Freshness(fresh_ms=1_000)


@dataclass(frozen=True, slots=True)
class _Table:
    """One history in bars. build: (coin, bar size, close, figures, fetched) -> row."""

    series: SeriesName
    scope: RatioScope | None
    endpoint: str
    path: str
    bars: Mapping[str, str]
    parse: Callable[[bytes], Rows]
    build: Callable[[str, str, int, tuple[float, ...], int], BarRow]
    more: tuple[tuple[str, int], ...] = ()

    @property
    def is_candles(self) -> bool:
        return self.series is SeriesName.CANDLES

    def max_days(self, interval: str) -> int | None:
        """Statistics keep 1,440 rows; candles go back to the listing."""
        return None if self.is_candles else _RUBIK_ROWS * INTERVAL_MS[interval] // DAY_MS

    def resource(self, symbol: Symbol, interval: str, start_ms: int, stop_ms: int) -> Resource[Rows]:
        """Bars that open in [start_ms, stop_ms)."""
        params: dict[str, str | int] = {
            "instId": inst_id(symbol),
            "limit": parse.PAGE_ROWS,
            **dict(self.more),
        }
        if self.is_candles:
            params |= {"bar": self.bars[interval], "after": stop_ms}  # older than, its own stamp excluded
        else:
            # One ms off the bar on both sides: the same rows whether OKX includes the bounds or not.
            params |= {"period": self.bars[interval], "begin": start_ms - 1, "end": stop_ms - 1}
        return Resource(self.endpoint, self.path, params, self.parse, _once, is_asked_ahead=False)


def _once(_rows: object, _fetched_ms: int) -> Freshness:
    return _ONCE


def _candle(symbol: str, interval: str, close_ms: int, row: tuple[float, ...], at_ms: int) -> CandleRow:
    open_usd, high_usd, low_usd, close_usd, volume_base = row
    return CandleRow(
        EXCHANGE,
        symbol,
        interval,
        close_ms,
        open_usd,
        high_usd,
        low_usd,
        close_usd,
        volume_base,
        PROVIDER,
        at_ms,
    )


def _interest(
    symbol: str, interval: str, close_ms: int, row: tuple[float, ...], at_ms: int
) -> OpenInterestRow:
    base, usd = row
    none = (None, None, None)
    return OpenInterestRow(EXCHANGE, symbol, interval, close_ms, *none, usd, *none, base, PROVIDER, at_ms)


def _taker(symbol: str, interval: str, close_ms: int, row: tuple[float, ...], at_ms: int) -> TakerRow:
    buy_usd, sell_usd = row
    return TakerRow(EXCHANGE, symbol, interval, close_ms, buy_usd, sell_usd, PROVIDER, at_ms)


def _ratio_table(scope: RatioScope, table: resources.HistoryTable) -> _Table:
    def build(symbol: str, interval: str, close_ms: int, row: tuple[float, ...], at_ms: int) -> RatioRow:
        return RatioRow(scope.value, EXCHANGE, symbol, interval, close_ms, row[0], PROVIDER, at_ms)

    return _Table(SeriesName.LONG_SHORT, scope, table.endpoint, table.path, _RUBIK_BARS, table.parse, build)


_TABLES = (
    _Table(
        SeriesName.CANDLES,
        None,
        resources.DAYS,
        "/api/v5/market/history-candles",
        _CANDLE_BARS,
        partial(parse.parse_candles, endpoint=resources.DAYS),
        _candle,
    ),
    _Table(
        SeriesName.OPEN_INTEREST,
        None,
        resources.OPEN_INTEREST.endpoint,
        resources.OPEN_INTEREST.path,
        _RUBIK_BARS,
        parse.parse_open_interest_rows,
        _interest,
    ),
    _ratio_table(RatioScope.GLOBAL_ACCOUNT, resources.ACCOUNT_RATIO),
    _ratio_table(RatioScope.TOP_ACCOUNT, resources.TOP_ACCOUNT_RATIO),
    _ratio_table(RatioScope.TOP_POSITION, resources.TOP_POSITION_RATIO),
    _Table(
        SeriesName.TAKER_VOLUME,
        None,
        resources.TAKER_VOLUME,
        "/api/v5/rubik/stat/taker-volume-contract",
        _RUBIK_BARS,
        parse.parse_taker_rows,
        _taker,
        more=(("unit", 2),),  # USDT
    ),
)


class OkxHistories:
    """The histories of OKX as `HistorySource`s."""

    def __init__(self, resources_: ResourceClient, listings: Listings, now_ms: Callable[[], int]) -> None:
        """resources_: over a cache of its own, so that thousands of pages do not push out what is asked."""
        self._reader = Reader(resources_, listings)
        self._now_ms = now_ms

    def sources(self) -> tuple[HistorySource, ...]:
        """Candles, open interest, three ratios, taker volume and settled funding."""
        tables = tuple(
            HistorySource(
                series=table.series,
                provider=PROVIDER,
                exchange=EXCHANGE,
                scope=table.scope,
                intervals=frozenset(table.bars),
                rhythm=(),
                page_bars=parse.PAGE_ROWS,
                max_days=table.max_days,
                fetch=partial(self._bars, table),
            )
            for table in _TABLES
        )
        funding = HistorySource(
            series=SeriesName.FUNDING,
            provider=PROVIDER,
            exchange=EXCHANGE,
            scope=None,
            intervals=frozenset(),
            rhythm=tuple(f"{hours}h" for hours in sorted(parse.FUNDING_PERIODS_H)),
            page_bars=_FUNDING_PAGE_BARS,
            max_days=lambda _interval: _FUNDING_DAYS,
            fetch=self._funding,
        )
        return (*tables, funding)

    async def _bars(
        self, table: _Table, symbol: Symbol, interval: str, from_ms: int, to_ms: int
    ) -> tuple[BarRow, ...]:
        bar_ms = INTERVAL_MS[interval]
        # First opens of bars that close at or after both ends.
        start_ms, stop_ms = (-(-ms // bar_ms) * bar_ms - bar_ms for ms in (from_ms, to_ms))
        found = await self._fetch(symbol, table.resource(symbol, interval, start_ms, stop_ms))
        closes_by_ms = min(found.fetched_ms, self._now_ms())
        return tuple(
            table.build(symbol.base, interval, open_ms + bar_ms, found.value[open_ms], found.fetched_ms)
            for open_ms in sorted(found.value)
            if start_ms <= open_ms < stop_ms and open_ms + bar_ms <= closes_by_ms
        )

    async def _fetch(self, symbol: Symbol, resource: Resource[Rows]) -> Cached[Rows]:
        async def fetch(coin: Symbol) -> Cached[Rows]:
            return await self._reader.fetch(coin, resource)

        found = await self._reader.guarded(resource.endpoint, fetch)(symbol)
        require_past(max(found.value, default=0), found.fetched_ms, resource.endpoint)
        return found

    async def _funding(
        self, symbol: Symbol, _interval: str, from_ms: int, to_ms: int
    ) -> tuple[FundingRow, ...]:
        """Settlements in [from_ms, to_ms), each with its own period and as a fraction per 8 h."""
        settled, fetched_ms = await self._settled(symbol, from_ms - _FUNDING_MARGIN_MS, to_ms)
        return settled_rows(symbol.base, settled, from_ms, to_ms, fetched_ms)

    async def _settled(
        self, symbol: Symbol, from_ms: int, to_ms: int
    ) -> tuple[dict[int, tuple[float, ...]], int]:
        """Settlements from `from_ms` to a margin after `to_ms`, page by page back in time."""
        settled: dict[int, tuple[float, ...]] = {}
        before_ms, fetched_ms = to_ms + _FUNDING_MARGIN_MS, 0
        for _ in range(_MAX_FUNDING_CALLS):
            found = await self._fetch(symbol, _settlements(symbol, before_ms))
            fetched_ms = found.fetched_ms
            settled |= {ts: rate for ts, rate in found.value.items() if from_ms <= ts <= fetched_ms}
            oldest_ms = min(found.value, default=from_ms)
            if oldest_ms <= from_ms or oldest_ms >= before_ms:
                break
            before_ms = oldest_ms
        return settled, fetched_ms


def _settlements(symbol: Symbol, before_ms: int) -> Resource[Rows]:
    newest = resources.funding_settled(symbol, before_ms)
    return Resource(newest.endpoint, newest.path, newest.params, newest.parse, _once, is_asked_ahead=False)


def settled_rows(
    symbol: str, settled: Rows, from_ms: int, to_ms: int, fetched_ms: int
) -> tuple[FundingRow, ...]:
    """Settled rates (fraction per period) as stored rows, the bar size being the period.

    Worked number: 0.00005 settled 4 h after the one before -> bar size 4h, 0.0001 per 8 h.
    """
    stamps = sorted(settled)
    newest_h = round((stamps[-1] - stamps[-2]) / HOUR_MS) if len(stamps) > 1 else 8
    lengths = periods_h(stamps, newest_h if newest_h in parse.FUNDING_PERIODS_H else 8)
    return tuple(
        FundingRow(
            EXCHANGE,
            symbol,
            f"{hours}h",
            at_ms,
            per_8h(settled[at_ms][0], hours),
            None,
            None,
            PROVIDER,
            fetched_ms,
        )
        for at_ms, hours in zip(stamps, lengths, strict=True)
        if from_ms <= at_ms < to_ms
    )
