"""The store as a source of backtests: everything of some coins, read once. A part of `backtest`.

Bars are stamped by their close in the store and by their open here, as `backtest_history` expects of any
source. Sentiment is not stored, so it is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.core.domain.flow import StreamGap
from app.core.domain.market import HOUR_MS, bar_length_ms
from app.core.domain.stored import (
    ALL_EXCHANGES,
    BarQuery,
    BarRow,
    CandleRow,
    FundingRow,
    HourSum,
    RatioRow,
    RatioScope,
    SeriesName,
)
from app.core.flow.hourly import build_hours
from app.core.store_ports import BarReader, LiquidationReader
from app.core.stream_ports import GapLog
from app.services.bar_pages import all_bars
from app.sim.market import CandleColumns, LiquidationColumns, ValueColumns

_PAGE = 5_000
_CANDLES = ("1m", "5m", "15m", "1h")
_FEED = "coinglass"
# Settlements are stored under the length of their period.
_FUNDING = ("1h", "2h", "4h", "8h")


@dataclass(slots=True)
class _Coin:
    """Rows by (what, exchange, interval); liquidation sums with the stream's gaps."""

    rows: dict[tuple[str, str, str], list[BarRow]] = field(default_factory=lambda: defaultdict(list))
    hours: Sequence[HourSum] = ()


class StoredSource:
    """`backtest_history.HistorySource` over what was read (`read_store`)."""

    def __init__(self, coins: dict[str, _Coin], gaps: Sequence[StreamGap], until_ms: int) -> None:
        self._coins = coins
        self._gaps = gaps
        self._until_ms = until_ms

    def exchanges(self) -> tuple[str, ...]:
        found = {key[1] for coin in self._coins.values() for key in coin.rows}
        return tuple(sorted(found - {ALL_EXCHANGES}))

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        rows = self._rows(base, SeriesName.CANDLES, exchange, interval_ms)
        kept = [row for row in rows if isinstance(row, CandleRow)]
        kept = [row for row in kept if start_ms <= row.close_ms - interval_ms < end_ms]
        open_ms = np.array([row.close_ms - interval_ms for row in kept], dtype=np.int64)
        prices = np.array([[row.open, row.high, row.low, row.close] for row in kept]).reshape(-1, 4).T
        volume = np.array([np.nan if row.volume_base is None else row.volume_base for row in kept])
        closed = np.ones(len(kept), dtype=np.bool_)
        return CandleColumns(open_ms, prices[0], prices[1], prices[2], prices[3], volume, closed)

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """Of "All" the provider's total where it is stored, else whoever has most rows."""
        name = ALL_EXCHANGES if exchange == "All" else exchange
        pairs = self._best(base, SeriesName.OPEN_INTEREST, name, interval_ms, f"close_{unit}")
        return _columns(pairs, interval_ms, start_ms, end_ms)

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        pairs = self._best(base, SeriesName.FUNDING, ALL_EXCHANGES, interval_ms, "oi_weighted_8h_frac")
        return _columns(pairs, interval_ms, start_ms, end_ms)

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        """Rates per period, out of those per 8 h that are stored."""
        found: dict[int, float] = {}
        for interval in _FUNDING:
            length_ms = bar_length_ms(interval)
            for row in self._rows(base, SeriesName.FUNDING, exchange, length_ms):
                if isinstance(row, FundingRow) and row.rate_8h_frac is not None:
                    found[row.close_ms] = row.rate_8h_frac * length_ms / (8 * HOUR_MS)
        return _columns(sorted(found.items()), 0, start_ms, end_ms)

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        """Hours that the CoinGlass stream recorded whole, quiet ones included."""
        coin = self._coins.get(base)
        sums = coin.hours if coin is not None and interval_ms == HOUR_MS else ()
        found = build_hours(
            sums, self._gaps, source=_FEED, until_ms=self._until_ms, scope=", ".join(exchanges)
        )
        open_ms = np.array(found.close_ms, dtype=np.int64) - HOUR_MS
        kept = (open_ms >= start_ms) & (open_ms < end_ms)
        longs, shorts = np.array(found.long_usd)[kept], np.array(found.short_usd)[kept]
        return LiquidationColumns(open_ms[kept], longs, shorts, np.ones(int(kept.sum()), dtype=np.bool_))

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        return self._shares(base, RatioScope.GLOBAL_ACCOUNT, exchange, interval_ms, start_ms, end_ms)

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        return self._shares(base, RatioScope.TOP_POSITION, exchange, interval_ms, start_ms, end_ms)

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        """Not stored."""
        return _columns([], interval_ms, start_ms, end_ms)

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns:
        """Not stored."""
        return _columns([], 0, start_ms, end_ms)

    def last_close_ms(self, base: str) -> int | None:
        """Close of the newest hourly candle, None without any."""
        rows = [
            row.close_ms
            for name in self.exchanges()
            for row in self._rows(base, SeriesName.CANDLES, name, HOUR_MS)[-1:]
        ]
        return max(rows, default=None)

    def _shares(
        self, base: str, scope: RatioScope, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        rows = self._rows(base, scope, exchange, interval_ms)
        pairs = [(row.close_ms, row.long_share_frac) for row in rows if isinstance(row, RatioRow)]
        return _columns(pairs, interval_ms, start_ms, end_ms)

    def _best(
        self, base: str, what: str, exchange: str, interval_ms: int, column: str
    ) -> list[tuple[int, float]]:
        names = (exchange,) if exchange != ALL_EXCHANGES else (ALL_EXCHANGES, *self.exchanges())
        found = [
            [
                (row.close_ms, value)
                for row in self._rows(base, what, name, interval_ms)
                if (value := getattr(row, column)) is not None
            ]
            for name in names
        ]
        return found[0] if found[0] else max(found, key=len)

    def _rows(self, base: str, what: str, exchange: str, interval_ms: int) -> list[BarRow]:
        coin = self._coins.get(base)
        return [] if coin is None else coin.rows.get((what, exchange, _name(interval_ms)), [])


async def read_store(
    bars: BarReader,
    liquidations: LiquidationReader,
    gaps: GapLog,
    bases: Iterable[str],
    *,
    from_ms: int,
    to_ms: int,
) -> StoredSource:
    """Everything of these coins with a close in [from_ms, to_ms].

    Raises:
        StorageUnavailable: the database does not answer.
    """
    coins: dict[str, _Coin] = {}
    for base in bases:
        coin = coins[base] = _Coin()
        for query, what in _queries(base, from_ms, to_ms + 1):
            for row in await all_bars(bars, query):
                coin.rows[what, row.exchange, row.interval].append(row)
        coin.hours = await liquidations.hours(base, from_ms, to_ms)
    return StoredSource(coins, await gaps.gaps(from_ms), to_ms)


def _queries(base: str, from_ms: int, to_ms: int) -> Iterable[tuple[BarQuery, str]]:
    def query(series: SeriesName, interval: str, scope: RatioScope | None = None) -> BarQuery:
        return BarQuery(series, base, interval, from_ms, to_ms, scope=scope, limit=_PAGE, newest_first=False)

    for interval in _CANDLES:
        yield query(SeriesName.CANDLES, interval), SeriesName.CANDLES
    yield query(SeriesName.OPEN_INTEREST, "1h"), SeriesName.OPEN_INTEREST
    for interval in _FUNDING:
        yield query(SeriesName.FUNDING, interval), SeriesName.FUNDING
    for scope in (RatioScope.GLOBAL_ACCOUNT, RatioScope.TOP_POSITION):
        yield query(SeriesName.LONG_SHORT, "1h", scope), scope


def _columns(pairs: Sequence[tuple[int, float]], length_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
    open_ms = np.array([at - length_ms for at, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float64)
    kept = (open_ms >= start_ms) & (open_ms < end_ms)
    return ValueColumns(open_ms[kept], values[kept], np.ones(int(kept.sum()), dtype=np.bool_))


def _name(interval_ms: int) -> str:
    minutes = interval_ms // 60_000
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
