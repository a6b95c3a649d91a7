"""Where price stands: dealing range (premium, discount, equilibrium, OTE) and retracement, bar by bar.
Definitions 7 and 10."""

from __future__ import annotations

import math

import numpy as np

from app.core.domain.structure import RangePart
from app.core.smc.bars import Bars, Floats, Ints
from app.core.smc.crossing import Maxima
from app.core.smc.gaps import Prices
from app.core.smc.records import Pivots, Ranges

EQUILIBRIUM = (0.475, 0.525)
DEEP = (0.05, 0.95)
# Optimal trade entry: 62 to 79 % of the way back.
OTE = (0.62, 0.79)


def zone_of(pos: float) -> RangePart | None:
    """discount < 0.475 <= equilibrium <= 0.525 < premium; None without a range."""
    if math.isnan(pos):
        return None
    if pos < EQUILIBRIUM[0]:
        return RangePart.DISCOUNT
    return RangePart.PREMIUM if pos > EQUILIBRIUM[1] else RangePart.EQUILIBRIUM


def is_deep(pos: float) -> bool:
    """In the outermost twentieth of the range."""
    return pos < DEEP[0] or pos > DEEP[1]


def optimal_entry_of(pos: float) -> int:
    """+1 where 62..79 % are retraced from the high (long), -1 from the low (short), else 0."""
    if OTE[0] <= 1.0 - pos <= OTE[1]:
        return 1
    return -1 if OTE[0] <= pos <= OTE[1] else 0


def measure_ranges(bars: Bars, pivots: Pivots, prices: Prices) -> Ranges:
    """Columns over all bars. Uses pivots known at the close; each bound is widened by what traded since."""
    size = len(bars)
    # Bars for which each pivot is the newest one; those before the first have none.
    counts = np.diff(np.append(pivots.confirmed_at, size))
    none = size - int(counts.sum())
    ids = np.concatenate((np.zeros(none, dtype=np.int64), np.repeat(np.arange(1, counts.size + 1), counts)))
    high = _widened(size, pivots, counts, prices.up, 1)
    low = _widened(size, pivots, counts, prices.down, -1)
    pos = np.full(size, np.nan)
    width = high - low
    np.divide(bars.close - low, width, out=pos, where=width > 0)
    return Ranges(high, low, pos, ids, *_legs(bars, pivots, counts, prices))


def _newest_row(pivots: Pivots, direction: int) -> Ints:
    """At each pivot the row of the newest one of a side, -1 before there is one."""
    rows: Ints = np.maximum.accumulate(
        np.where(pivots.dir == direction, np.arange(pivots.i.size), -1), dtype=np.int64
    )
    return rows


def _widened(size: int, pivots: Pivots, counts: Ints, maxima: Maxima, direction: int) -> Floats:
    """Extreme from the newest pivot's bar to this one; NaN before there is a pivot."""
    found = np.full(size, np.nan)
    row = _newest_row(pivots, direction)
    first = int(np.searchsorted(row, 0))
    if first < row.size:
        since = np.repeat(pivots.i[row[first:]], counts[first:])
        begin = size - since.size
        found[begin:] = maxima.between(since, np.arange(begin, size)) * direction
    return found


def _legs(bars: Bars, pivots: Pivots, counts: Ints, prices: Prices) -> tuple[Ints, Floats, Floats]:
    """Direction of the last leg, and how much of it was taken back now and at most; a broken leg is none."""
    size = len(bars)
    leg = np.zeros(size, dtype=np.int64)
    current, deepest = np.full(size, np.nan), np.full(size, np.nan)
    rows = {1: _newest_row(pivots, 1), -1: _newest_row(pivots, -1)}
    first = max((int(np.searchsorted(row, 0)) for row in rows.values()), default=0)
    if first >= pivots.i.size:
        return leg, current, deepest
    # The newest pivot ends the leg, the newest of the other side began it.
    ends = np.arange(first, pivots.i.size)
    sides = pivots.dir[first:]
    begins = np.where(sides > 0, rows[-1][first:], rows[1][first:])
    end = pivots.level[ends] * sides
    length = end - pivots.level[begins] * sides
    per_bar = counts[first:]
    side, end_i = np.repeat(sides, per_bar), np.repeat(pivots.i[ends], per_bar)
    end, length = np.repeat(end, per_bar), np.repeat(length, per_bar)
    bar = np.arange(size - side.size, size)
    for direction, maxima, against in ((1, prices.down, -bars.low), (-1, prices.up, bars.high)):
        mine = np.flatnonzero((side == direction) & (length > 0))
        at = bar[mine]
        worst = maxima.between(end_i[mine] + 1, at)
        deep = 100.0 * (end[mine] + worst) / length[mine]
        kept = np.flatnonzero(deep <= 100.0)
        mine, at = mine[kept], at[kept]
        leg[at] = direction
        current[at] = 100.0 * (end[mine] + against[at]) / length[mine]
        deepest[at] = deep[kept]
    return leg, current, deepest
