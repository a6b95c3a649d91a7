"""Bar arithmetic shared by the synthetic and the recorded market: grids, and small bars into larger ones.

Bars are stamped by open and aligned to UTC (weeks to Monday). Nothing here knows where rows come from.
Columns go in sorted by time and come out the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.market import CandleColumns, Floats, Int64s, LiquidationColumns, ValueColumns

MINUTE_MS = 60_000
WEEK_MS = 7 * DAY_MS
_FIRST_MONDAY_MS = 4 * DAY_MS  # 1970-01-05: weeks start on Monday, the epoch was a Thursday


def is_interval(interval_ms: int) -> bool:
    """Whether bars of this length tile the day: minutes that divide an hour, or whole hours."""
    if interval_ms >= HOUR_MS:
        return interval_ms % HOUR_MS == 0
    return interval_ms >= MINUTE_MS and interval_ms % MINUTE_MS == 0 and HOUR_MS % interval_ms == 0


def floor_open(ts_ms: int, interval_ms: int) -> int:
    """Open of the bar that holds `ts_ms`."""
    offset = _FIRST_MONDAY_MS if interval_ms == WEEK_MS else 0
    return ts_ms - (ts_ms - offset) % interval_ms


def ceil_open(ts_ms: int, interval_ms: int) -> int:
    """First bar open at or after `ts_ms`."""
    return floor_open(ts_ms + interval_ms - 1, interval_ms)


@dataclass(frozen=True, slots=True)
class Span:
    """Bars asked for: opens first_ms, first_ms + interval, ... below stop_ms."""

    interval_ms: int
    first_ms: int
    stop_ms: int
    now_ms: int

    @property
    def data_end_ms(self) -> int:
        """Exclusive end of the facts inside these bars, never after now."""
        return min(ceil_open(self.stop_ms, self.interval_ms), self.now_ms)

    def opens(self) -> Int64s:
        return np.arange(self.first_ms, self.stop_ms, self.interval_ms, dtype=np.int64)

    def closed(self, open_ms: Int64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of these bars have ended by now."""
        return np.asarray(open_ms + self.interval_ms <= self.now_ms)


def span_of(interval_ms: int, start_ms: int, end_ms: int, *, now_ms: int, floor_ms: int) -> Span | None:
    """The bars with open in `[start_ms, end_ms)` that have begun by now, none before `floor_ms`; or None."""
    if not is_interval(interval_ms):
        return None
    first = ceil_open(max(start_ms, floor_ms), interval_ms)
    stop = min(end_ms, now_ms)
    return Span(interval_ms, first, stop, now_ms) if first < stop else None


class Groups:
    """Rows gathered into the bars of a larger interval.

    row_ms: length of one source row when every bar must be complete (recorded data: a bar with a hole is
    unknown, not smaller); None keeps partial bars.
    """

    def __init__(self, row_open_ms: Int64s, interval_ms: int, *, row_ms: int | None = None) -> None:
        offset = _FIRST_MONDAY_MS if interval_ms == WEEK_MS else 0
        keys = row_open_ms - (row_open_ms - offset) % interval_ms
        starts = np.flatnonzero(np.diff(keys, prepend=np.int64(-1)))
        counts = np.diff(starts, append=keys.size)
        self._starts = starts
        self._keep = np.ones(starts.size, bool) if row_ms is None else counts * row_ms == interval_ms
        self._ends = starts + counts - 1
        self.open_ms: Int64s = keys[starts][self._keep]

    def first(self, column: Floats) -> Floats:
        return np.asarray(column[self._starts][self._keep])

    def last(self, column: Floats) -> Floats:
        return np.asarray(column[self._ends][self._keep])

    def highest(self, column: Floats) -> Floats:
        return np.maximum.reduceat(column, self._starts)[self._keep] if column.size else column

    def lowest(self, column: Floats) -> Floats:
        return np.minimum.reduceat(column, self._starts)[self._keep] if column.size else column

    def total(self, column: Floats) -> Floats:
        return np.add.reduceat(column, self._starts)[self._keep] if column.size else column


_NO_MS: Int64s = np.empty(0, np.int64)
_NO_VALUES: Floats = np.empty(0, np.float64)
_NO_FLAGS = np.empty(0, np.bool_)


def no_candles() -> CandleColumns:
    return CandleColumns(_NO_MS, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_FLAGS)


def no_values() -> ValueColumns:
    return ValueColumns(_NO_MS, _NO_VALUES, _NO_FLAGS)


def no_liquidations() -> LiquidationColumns:
    return LiquidationColumns(_NO_MS, _NO_VALUES, _NO_VALUES, _NO_FLAGS)
