"""Columns of sums, one row per non-empty second or minute: what the windows of liquidations are made of.

A row holds sums since the beginning, as they stood at the end of its second or minute. So any window is a
difference of two rows, and a late event changes a few rows instead of rebuilding anything. 52 bytes a row.
Used by the windows of `core.flow`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple, TypeAlias

# Adding and subtracting this rounds a float to a multiple of 2^-10 USD (a tenth of a cent) for amounts below
# 2^41 USD, because floats between 2^42 and 2^43 have that spacing. Sums of such multiples are exact up to
# 2^43 USD: order, lateness and restarts never change a window, not even by its last digit.
EXACT_USD: Final = 1.5 * 2.0**42
UNITS_PER_USD: Final = 1_024

SPARE_ROWS: Final = 256  # rows that may be overdue before they are cut off or folded

Column: TypeAlias = "array[int] | array[float]"


class Totals(NamedTuple):
    """Sums since the beginning: USD and events of liquidated longs and shorts."""

    long_usd: float
    short_usd: float
    longs: int
    shorts: int


class Extremes(NamedTuple):
    """Largest event and range of stated prices; (0, inf, 0) of nothing."""

    largest: float
    low: float
    high: float


NOTHING: Final = Extremes(0.0, inf, 0.0)
NO_SUMS: Final = Totals(0.0, 0.0, 0, 0)


def exact(usd: float) -> float:
    """USD rounded to 1/1024: 3,858.184 -> 3,858.18359375."""
    return (usd + EXACT_USD) - EXACT_USD


def drop(columns: Sequence[Column], rows: int) -> None:
    """Drop the oldest rows."""
    for column in columns:
        del column[:rows]


def cut(columns: Sequence[Column], oldest: int) -> int:
    """Drop rows before `oldest` but one, which stays as base; how many rows there may be before the next cut.

    columns[0] holds the units. Called when that many rows are there, so that a row is rarely moved.
    """
    drop(columns, max(0, bisect_left(columns[0], oldest) - 1))
    return len(columns[0]) + SPARE_ROWS


def plus(one: Totals, other: Totals) -> Totals:
    return Totals(one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def minus(now: Totals, before: Totals) -> Totals:
    return Totals(now[0] - before[0], now[1] - before[1], now[2] - before[2], now[3] - before[3])


def add_from(column: array[float], start: int, amount: float) -> None:
    """Add to every row from `start` on: what a late event does to sums."""
    for row in range(start, len(column)):
        column[row] += amount


def count_from(column: array[int], start: int, events: int = 1) -> None:
    for row in range(start, len(column)):
        column[row] += events


class LiquidationRows:
    """One row per unit (second or minute) that is over and had an event. Units come in rising order.

    units[0] is the base of every window that begins after it: nothing at all (unit 0), or the newest row that
    was dropped.
    """

    __slots__ = (
        "appends",
        "columns",
        "high",
        "largest",
        "long_usd",
        "longs",
        "low",
        "short_usd",
        "shorts",
        "units",
    )

    def __init__(self) -> None:
        self.units = array("I", (0,))
        self.long_usd = array("d", (0.0,))
        self.short_usd = array("d", (0.0,))
        self.longs = array("I", (0,))
        self.shorts = array("I", (0,))
        self.largest = array("d", (0.0,))
        self.low = array("d", (inf,))
        self.high = array("d", (0.0,))
        sums: tuple[Column, ...] = (self.long_usd, self.short_usd, self.longs, self.shorts)
        self.columns = (self.units, *sums, self.largest, self.low, self.high)

    def row_from(self, unit: int) -> int:
        """Index of the first row at or after `unit`; the row before it is the base of a window from there."""
        return bisect_left(self.units, unit)

    def totals_at(self, row: int) -> Totals:
        """Sums at the end of a row."""
        return Totals(self.long_usd[row], self.short_usd[row], self.longs[row], self.shorts[row])

    def before(self, unit: int) -> Totals:
        """Sums before `unit` began."""
        return self.totals_at(bisect_left(self.units, unit) - 1)

    def usd_before(self, unit: int) -> tuple[float, float]:
        """USD of longs and of shorts before `unit` began: `before` without the counts, in half the time."""
        row = bisect_left(self.units, unit) - 1
        return self.long_usd[row], self.short_usd[row]

    def extremes(self, start: int, end: int) -> Extremes:
        """Largest event and price range of the rows from `start` to before `end`."""
        if start >= end:
            return NOTHING
        rows = slice(start, end)
        return Extremes(max(self.largest[rows]), min(self.low[rows]), max(self.high[rows]))

    def ends(self, from_unit: int, to_unit: int, width: int) -> tuple[float, dict[int, float]]:
        """USD of both sides before `from_unit`, and at the end of each `width` units up to `to_unit` that had
        an event."""
        start, stop = max(1, bisect_left(self.units, from_unit)), bisect_left(self.units, to_unit)
        rows = zip(self.units[start:stop], self.long_usd[start:stop], self.short_usd[start:stop], strict=True)
        before = self.long_usd[start - 1] + self.short_usd[start - 1]
        return before, {unit // width: long + short for unit, long, short in rows}

    def take_over(self, rows: LiquidationRows, spans: Sequence[tuple[int, int]], width: int) -> None:
        """Append one row for each span of finer rows, which are `width` to a unit."""
        last = [stop - 1 for _, stop in spans]
        self.units.extend([rows.units[row] // width for row in last])
        self.long_usd.extend([rows.long_usd[row] for row in last])
        self.short_usd.extend([rows.short_usd[row] for row in last])
        self.longs.extend([rows.longs[row] for row in last])
        self.shorts.extend([rows.shorts[row] for row in last])
        self.largest.extend([max(rows.largest[start:stop]) for start, stop in spans])
        self.low.extend([min(rows.low[start:stop]) for start, stop in spans])
        self.high.extend([max(rows.high[start:stop]) for start, stop in spans])

    def patch(self, unit: int, late: Totals, extremes: Extremes) -> None:
        """Late events of a unit that is over: into its row, made if there is none, and all sums after it."""
        row = bisect_left(self.units, unit)
        if row == len(self.units) or self.units[row] != unit:
            self._insert(row, unit)
        self.largest[row] = max(self.largest[row], extremes.largest)
        self.low[row] = min(self.low[row], extremes.low)
        self.high[row] = max(self.high[row], extremes.high)
        self.shift(row, late)

    def shift(self, row: int, late: Totals) -> None:
        """More in all sums from `row` on."""
        if late.longs:
            add_from(self.long_usd, row, late.long_usd)
            count_from(self.longs, row, late.longs)
        if late.shorts:
            add_from(self.short_usd, row, late.short_usd)
            count_from(self.shorts, row, late.shorts)

    def _insert(self, row: int, unit: int) -> None:
        self.units.insert(row, unit)
        for column in (self.long_usd, self.short_usd):
            column.insert(row, column[row - 1])
        for counts in (self.longs, self.shorts):
            counts.insert(row, counts[row - 1])
        self.largest.insert(row, 0.0)
        self.low.insert(row, inf)
        self.high.insert(row, 0.0)
