"""Fractal swings and the alternating structure pivots folded out of them. Definitions 1 and 1b."""

from __future__ import annotations

import numpy as np

from app.core.smc.bars import NEVER, Bars, Floats, Ints
from app.core.smc.config import SmcConfig
from app.core.smc.gaps import Prices
from app.core.smc.records import Pivots, Swings


def find_swings(bars: Bars, turned: Bars, config: SmcConfig, prices: Prices) -> Swings:
    """All confirmed fractals, in the order in which structure takes them.

    Swing high: higher than the `left` bars before, not lower than the `right` after; lows mirrored. Of one
    bar that is both, the low comes first when the candle closed up. The first and last bars are never forced.
    """
    high_i = _fractals(bars.high, config)
    low_i = _fractals(turned.high, config)
    i = np.concatenate((high_i, low_i))
    direction = np.repeat([1, -1], (high_i.size, low_i.size))
    level = np.concatenate((bars.high[high_i], bars.low[low_i]))
    taken = np.concatenate(
        (
            prices.up.first_above(high_i + 1, bars.high[high_i]),
            prices.down.first_above(low_i + 1, turned.high[low_i]),
        )
    )
    closed_up = bars.close[i] >= bars.open[i]
    order = np.argsort(2 * i + ((direction > 0) == closed_up), kind="stable")
    return Swings(i[order], direction[order], level[order], i[order] + config.right, taken[order])


def _fractals(values: Floats, config: SmcConfig) -> Ints:
    """Positions that are above all of the `left` before and at or above all of the `right` after."""
    inner = values[config.left : values.size - config.right]
    if inner.size == 0 or values.size < config.left + config.right + 1:
        return np.empty(0, dtype=np.int64)
    before = _window_max(values, config.left)[: inner.size]
    after = _window_max(values, config.right)[config.left + 1 :][: inner.size]
    return np.flatnonzero((inner > before) & (inner >= after)) + config.left


def _window_max(values: Floats, width: int) -> Floats:
    """Maximum of values[k .. k+width-1] for every k that has so many."""
    found, done = values, 1
    while done < width:
        step = min(done, width - done)
        found = np.maximum(found[:-step], found[step:])
        done += step
    return found


def fold_pivots(swings: Swings) -> Pivots:
    """Alternating pivots: one that outdoes the last of its direction supersedes it, a lesser one is
    skipped."""
    rows: list[int] = []
    superseded: list[int] = []
    last_dir, last_height = 0, 0.0
    heights = (swings.level * swings.dir).tolist()
    for row, (direction, height) in enumerate(zip(swings.dir.tolist(), heights, strict=True)):
        if direction == last_dir:
            if height <= last_height:
                continue
            superseded[-1] = int(swings.confirmed_at[row])
        rows.append(row)
        superseded.append(NEVER)
        last_dir, last_height = direction, height
    kept = np.array(rows, dtype=np.int64)
    return Pivots(
        swings.i[kept],
        swings.dir[kept],
        swings.level[kept],
        swings.confirmed_at[kept],
        np.array(superseded, dtype=np.int64),
    )
