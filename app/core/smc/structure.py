"""Breaks of structure (BOS) and changes of character (CHoCH). Definition 2.

The level that can break is the newest structure pivot of a side, from the bar after its confirmation until
the next pivot of that side is in; each level breaks at most once, and there is no falling back to an older
one.
"""

from __future__ import annotations

import numpy as np

from app.core.smc.bars import NEVER, Bars, Bools, Floats, Ints, in_atr
from app.core.smc.crossing import Maxima, first_after
from app.core.smc.records import Breaks, Pivots


def find_breaks(bars: Bars, pivots: Pivots, up: Maxima, down: Maxima, *, is_wick: bool) -> Breaks:
    """All breaks; `up` and `down` are the closes, or the highs and lows in wick mode (mirrored for `down`).

    A bar whose wicks break both sides is a break the way it closed; the other level is swept, and spent.
    """
    sides = [_crossings(pivots, direction, maxima) for direction, maxima in ((1, up), (-1, down))]
    at = np.concatenate([side[0] for side in sides])
    direction = np.repeat([1, -1], [side[0].size for side in sides])
    level = np.concatenate([side[1] for side in sides])
    swing_i = np.concatenate([side[2] for side in sides])
    if is_wick:
        twice = np.isin(at, np.intersect1d(sides[0][0], sides[1][0]))
        keeps_up = bars.close[at] >= bars.open[at]
        kept = ~twice | ((direction > 0) == keeps_up)
        at, direction, level, swing_i = at[kept], direction[kept], level[kept], swing_i[kept]
    order = np.argsort(at, kind="stable")
    return _classify(bars, at[order], direction[order], level[order], swing_i[order])


def _crossings(pivots: Pivots, direction: int, maxima: Maxima) -> tuple[Ints, Floats, Ints]:
    """Bars at which the pivots of one side break, with level and position of each."""
    rows = np.flatnonzero(pivots.dir == direction)
    active = pivots.confirmed_at[rows]
    until = np.append(active[1:] + 1, NEVER)[: rows.size]
    hit = first_after(maxima, active, pivots.level[rows] * direction, until=until)
    broken = hit < NEVER
    return hit[broken], pivots.level[rows][broken], pivots.i[rows][broken]


def _classify(bars: Bars, at: Ints, direction: Ints, level: Floats, swing_i: Ints) -> Breaks:
    turned: Bools = np.zeros(at.size, dtype=np.bool_)
    turned[1:] = direction[1:] != direction[:-1]
    initial: Bools = np.zeros(at.size, dtype=np.bool_)
    initial[:1] = True
    margin = in_atr((bars.close[at] - level) * direction, bars.atr[at])
    return Breaks(direction, level, swing_i, at, turned, initial, margin)
