"""Histories of one coin as rows of the store: whose bars they are, which of them to write, column by column.

Pure. Knows the words of the adapters' labels (a test holds them to the adapters) and no memory of what was
written; that is `history_recorder`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import INTERVAL_MS, Candles, Series, Unit
from app.core.domain.outliers import FUNDING, PRICE, SHARE, outlier_flags
from app.core.domain.quality import Reading
from app.core.domain.stored import (
    ALL_EXCHANGES,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
)

_INTERVAL_NAMES = {size_ms: name for name, size_ms in INTERVAL_MS.items()}
# A provider that is one exchange: whatever it measures, it measures there.
_OWN_EXCHANGE: Mapping[str, str] = {"okx": "OKX"}
# "All exchanges" means those that this provider follows. The key of the store has no provider, so ALL is its
# alone: another aggregator's total is another set of exchanges and must not overwrite it.
_AGGREGATOR = "coinglass"
_EVERY_EXCHANGE = "all exchanges"
_OhlcRow = tuple[float | None, float | None, float | None, float | None]


def exchange_of(label: str, provider: str) -> str | None:
    """The exchange column of a history, from its label; None when the label does not say (then no row).

    "open interest, all exchanges" -> ALL; "accounts net long, Binance BTCUSDT" -> Binance;
    "OI-weighted, Binance,OKX" -> "Binance,OKX", a key of its own: two sets of exchanges never share one.
    """
    if provider in _OWN_EXCHANGE:
        return _OWN_EXCHANGE[provider]
    what, _, where = label.rpartition(", ")
    if not what:
        return None
    if where == _EVERY_EXCHANGE:
        return ALL_EXCHANGES if provider == _AGGREGATOR else None
    return where if "," in where else where.rpartition(" ")[0] or None


def interval_text(interval_ms: int) -> str | None:
    """3,600,000 -> "1h"; None for a size that the store has no name for (such as funding every 2 h)."""
    return _INTERVAL_NAMES.get(interval_ms)


def pick_bars(close_ms: Sequence[int], interval_ms: int, *, from_ms: int, until_ms: int) -> list[int]:
    """Indexes of bars with from_ms <= close <= until_ms that end on the grid of their size.

    What ends off the grid is no closed bar: OKX's running funding rate is stamped by its own moment.
    """
    span = range(bisect_left(close_ms, from_ms), bisect_right(close_ms, until_ms))
    return [index for index in span if close_ms[index] % interval_ms == 0]


def learned_ms(ts_init_ms: int, close_ms: int) -> int:
    """When a bar was learned. A history joined of pages carries its oldest page's time, but no bar is
    known before it closes."""
    return max(ts_init_ms, close_ms)


def candle_rows(
    symbol: str, interval: str, reading: Reading[Candles], picked: Sequence[int]
) -> list[CandleRow]:
    """Candles as rows, volume in coins or None."""
    candles = reading.value
    flags = outlier_flags(PRICE, candles.close)
    return [
        CandleRow(
            candles.exchange,
            symbol,
            interval,
            candles.close_ms[index],
            candles.open[index],
            candles.high[index],
            candles.low[index],
            candles.close[index],
            None if candles.volume_base is None else candles.volume_base[index],
            reading.provider,
            learned_ms(reading.ts_init_ms, candles.close_ms[index]),
            flags[index],
        )
        for index in picked
    ]


def funding_rows(
    symbol: str, exchange: str, interval: str, reading: Reading[Series], picked: Sequence[int]
) -> list[FundingRow]:
    """Fractions per 8 h: the OI-weighted column over several exchanges, the plain one for a single one."""
    series = reading.value
    is_venue = exchange != ALL_EXCHANGES and "," not in exchange
    flags = outlier_flags(FUNDING, series.values)
    return [
        FundingRow(
            exchange,
            symbol,
            interval,
            series.close_ms[index],
            series.values[index] if is_venue else None,
            None if is_venue else series.values[index],
            None,
            reading.provider,
            learned_ms(reading.ts_init_ms, series.close_ms[index]),
            flags[index],
        )
        for index in picked
    ]


def ratio_rows(
    symbol: str,
    scope: RatioScope,
    exchange: str,
    interval: str,
    reading: Reading[Series],
    picked: Sequence[int],
) -> list[RatioRow]:
    """Long shares, 0..1."""
    series = reading.value
    flags = outlier_flags(SHARE, series.values)
    return [
        RatioRow(
            scope.value,
            exchange,
            symbol,
            interval,
            series.close_ms[index],
            series.values[index],
            reading.provider,
            learned_ms(reading.ts_init_ms, series.close_ms[index]),
            flags[index],
        )
        for index in picked
    ]


def as_interest(series: Series) -> OpenInterestHistory:
    """A series of closes as open interest without open, high and low."""
    return OpenInterestHistory(
        series.unit, series.interval_ms, series.close_ms, None, None, None, series.values, series.label
    )


def interest_rows(
    symbol: str,
    exchange: str,
    interval: str,
    readings: Sequence[Reading[OpenInterestHistory]],
    closes: Sequence[int],
) -> list[OpenInterestRow]:
    """Rows of the bars that end at `closes`: USD and coins of one bar side by side, None where not known.

    readings: one per unit at most, of one exchange, bar size and provider.
    """
    columns = {reading.value.unit: _by_close(reading.value, closes) for reading in readings}
    flagged: set[int] = set()
    for reading in readings:
        history = reading.value
        flags = outlier_flags(PRICE, history.close)
        flagged |= {at_ms for at_ms, flag in zip(history.close_ms, flags, strict=True) if flag}
    ts_init_ms = max(reading.ts_init_ms for reading in readings)
    unknown: _OhlcRow = (None, None, None, None)
    return [
        OpenInterestRow(
            exchange,
            symbol,
            interval,
            at_ms,
            *columns.get(Unit.USD, {}).get(at_ms, unknown),
            *columns.get(Unit.BASE, {}).get(at_ms, unknown),
            readings[0].provider,
            learned_ms(ts_init_ms, at_ms),
            at_ms in flagged,
        )
        for at_ms in closes
    ]


def _by_close(history: OpenInterestHistory, closes: Sequence[int]) -> dict[int, _OhlcRow]:
    wanted = set(closes)
    found: dict[int, _OhlcRow] = {}
    for index, at_ms in enumerate(history.close_ms):
        if at_ms in wanted:
            open_, high, low = (
                None if column is None else column[index]
                for column in (history.open, history.high, history.low)
            )
            found[at_ms] = (open_, high, low, history.close[index])
    return found
