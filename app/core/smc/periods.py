"""Highs and lows of the period before: day, week, month, and shorter ones. Definition 8.

Periods are counted in UTC by the bar's open time, weeks from Monday. Vectorised (`previous_levels`) and bar
by bar (`PreviousTracker`), equal to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import nan
from typing import NamedTuple

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.errors import InvariantViolation
from app.core.smc.bars import Bars, Bools, Floats, Ints


class Period(StrEnum):
    """Length of a period."""

    MINUTES_15 = "15m"
    HOUR = "1h"
    HOURS_4 = "4h"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1M"


_LENGTH_MS = {
    Period.MINUTES_15: 15 * 60_000,
    Period.HOUR: HOUR_MS,
    Period.HOURS_4: 4 * HOUR_MS,
    Period.DAY: DAY_MS,
    Period.WEEK: 7 * DAY_MS,
}
_MONDAY_MS = 4 * DAY_MS  # the epoch was a Thursday


@dataclass(frozen=True, slots=True)
class PreviousLevels:
    """One row per bar. high, low: of the last period with bars before the bar's own, NaN for none.

    is_partial: bars of that period are missing, or a whole period lies between. broken_high / broken_low:
    this period has traded beyond by this bar; closed_above / closed_below: closed beyond.
    """

    high: Floats
    low: Floats
    is_partial: Bools
    broken_high: Bools
    broken_low: Bools
    closed_above: Bools
    closed_below: Bools


def period_start_ms(period: Period, at_ms: int) -> int:
    """Start of the period a moment lies in. Sunday 2026-03-01 12:00 -> week of Monday 2026-02-23."""
    if period is Period.MONTH:
        day = datetime.fromtimestamp(at_ms / 1000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() * 1000)
    offset = _MONDAY_MS if period is Period.WEEK else 0
    return at_ms - (at_ms - offset) % _LENGTH_MS[period]


def next_start_ms(period: Period, start_ms: int) -> int:
    """Start of the period after the one that starts at `start_ms`."""
    if period is Period.MONTH:
        return period_start_ms(period, start_ms + 32 * DAY_MS)
    return start_ms + _LENGTH_MS[period]


def previous_levels(bars: Bars, period: Period) -> PreviousLevels:
    """Levels of the period before, for every bar. Raises: InvariantViolation (bars longer than the
    period)."""
    _check(bars.interval_ms, period)
    size = len(bars)
    starts = _starts(bars.close_ms - bars.interval_ms, period)
    begins = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1]))) if size else np.empty(0, int)
    if begins.size == 0:
        none, no = np.empty(0), np.empty(0, dtype=np.bool_)
        return PreviousLevels(none, none, no, no, no, no, no)
    counts = np.diff(np.append(begins, size))
    group_starts = starts[begins]
    following = np.array([next_start_ms(period, start) for start in group_starts.tolist()], dtype=np.int64)
    short = counts * bars.interval_ms < following - group_starts
    apart = np.append(False, group_starts[1:] != following[:-1])
    group = np.repeat(np.arange(begins.size), counts)
    high = np.append(np.nan, np.maximum.reduceat(bars.high, begins)[:-1])[group]
    low = np.append(np.nan, np.minimum.reduceat(bars.low, begins)[:-1])[group]
    partial = (np.append(False, short[:-1]) | apart)[group]
    begin = begins[group]
    return PreviousLevels(
        high,
        low,
        partial,
        _since(bars.high > high, begin),
        _since(bars.low < low, begin),
        _since(bars.close > high, begin),
        _since(bars.close < low, begin),
    )


class PreviousRow(NamedTuple):
    """One row of `PreviousLevels`."""

    high: float
    low: float
    is_partial: bool
    broken_high: bool
    broken_low: bool
    closed_above: bool
    closed_below: bool


def standing_levels(bars: Bars, period: Period) -> PreviousRow | None:
    """The levels that hold from the close of the last bar on; None without bars or a period before.

    When that close begins a new period, the one that has just ended is "the period before", and nothing of it
    is broken yet. Raises: InvariantViolation, see `previous_levels`.
    """
    if not len(bars):
        return None
    _check(bars.interval_ms, period)
    newest_ms = int(bars.close_ms[-1])
    start = period_start_ms(period, newest_ms)
    # Bars from here on lie in the period of the close: none when it has just begun. Only they and the period
    # before are looked at, because nothing older stands.
    own = _first_of(bars, start)
    if own == 0:
        return None
    before = period_start_ms(period, int(bars.close_ms[own - 1]) - bars.interval_ms)
    end = next_start_ms(period, before)
    first = _first_of(bars, before)
    high, low = float(bars.high[first:own].max()), float(bars.low[first:own].min())
    is_short = (own - first) * bars.interval_ms < end - before
    return PreviousRow(
        high,
        low,
        is_short or end != start,
        bool((bars.high[own:] > high).any()),
        bool((bars.low[own:] < low).any()),
        bool((bars.close[own:] > high).any()),
        bool((bars.close[own:] < low).any()),
    )


def _first_of(bars: Bars, start_ms: int) -> int:
    """Position of the first bar that opens at `start_ms` or later."""
    return int(bars.close_ms.searchsorted(start_ms + bars.interval_ms))


def _check(interval_ms: int, period: Period) -> None:
    if period is not Period.MONTH and interval_ms > _LENGTH_MS[period]:
        raise InvariantViolation("bars are longer than the period they are to be summed over")


def _starts(open_ms: Ints, period: Period) -> Ints:
    if period is Period.MONTH:
        months = open_ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    offset = _MONDAY_MS if period is Period.WEEK else 0
    return open_ms - (open_ms - offset) % _LENGTH_MS[period]


def _since(happens: Bools, begin: Ints) -> Bools:
    """Has it happened since the bar's period began?"""
    last = np.maximum.accumulate(np.where(happens, np.arange(happens.size), -1))
    return last >= begin


class PreviousTracker:
    """The same bar by bar."""

    __slots__ = (
        *("_above", "_before", "_below", "_count", "_end", "_high", "_interval", "_low"),
        *("_over", "_partial", "_period", "_start", "_under"),
    )

    def __init__(self, interval_ms: int, period: Period) -> None:
        """Raises: InvariantViolation, see `previous_levels`."""
        _check(interval_ms, period)
        self._interval, self._period = interval_ms, period
        self._start = self._end = -1
        self._before = (nan, nan)
        self._partial = self._above = self._below = self._over = self._under = False
        self._high = self._low = nan
        self._count = 0

    def update(self, open_ms: int, high: float, low: float, close: float) -> PreviousRow:
        """Take the next bar; its row."""
        if not self._start <= open_ms < self._end:
            self._turn(open_ms)
            self._high, self._low = high, low
        elif high > self._high or low < self._low:
            self._high, self._low = max(self._high, high), min(self._low, low)
        self._count += 1
        above, below = self._before
        self._above = self._above or high > above
        self._below = self._below or low < below
        self._over = self._over or close > above
        self._under = self._under or close < below
        return PreviousRow(above, below, self._partial, self._above, self._below, self._over, self._under)

    def _turn(self, open_ms: int) -> None:
        start = period_start_ms(self._period, open_ms)
        if self._count:
            is_short = self._count * self._interval < self._end - self._start
            self._before, self._partial = (self._high, self._low), is_short or start != self._end
        self._start, self._end = start, next_start_ms(self._period, start)
        self._above = self._below = self._over = self._under = False
        self._count = 0
