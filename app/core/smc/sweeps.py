"""Sweeps, runs and stop hunts: what became of a level when it was first traded through. Definition 6."""

from __future__ import annotations

import numpy as np

from app.core.smc.bars import NEVER, Bars, Bools, Columns, Floats, Ints, in_atr
from app.core.smc.config import SmcConfig
from app.core.smc.gaps import Prices
from app.core.smc.records import LevelKind, Pools, SweepKind, Sweeps, Swings

# A stop hunt needs a bar that gave back half of its range on half as much volume again as usual.
HUNT_REJECTION = 0.5
HUNT_VOLUME = 1.5


def find_sweeps(
    bars: Bars, turned: Bars, config: SmcConfig, prices: Prices, swings: Swings, pools: Pools
) -> Sweeps:
    """First crossings of single swings, and of pools while no later pool holds them."""
    single = np.flatnonzero(swings.taken_at < NEVER)
    pooled = np.flatnonzero((pools.taken_at < NEVER) & (pools.superseded_at >= pools.taken_at))
    kind = np.repeat([int(LevelKind.SWING), int(LevelKind.POOL)], [single.size, pooled.size])
    ref = np.concatenate((single, pooled))
    direction = np.concatenate((swings.dir[single], pools.dir[pooled]))
    level = np.concatenate((swings.level[single], pools.edge[pooled]))
    at = np.concatenate((swings.taken_at[single], pools.taken_at[pooled]))
    parts = [
        _upward(bars, config, prices, kind, ref, level, at, direction > 0),
        _mirrored(turned, config, prices, kind, ref, level, at, direction < 0),
    ]
    columns = [np.concatenate(pair) for pair in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[2], columns[0], columns[6]))
    return Sweeps(*(column[order] for column in columns))


def _mirrored(
    turned: Bars,
    config: SmcConfig,
    prices: Prices,
    kind: Ints,
    ref: Ints,
    level: Floats,
    at: Ints,
    rows: Bools,
) -> Columns:
    found = _upward(turned, config, prices.mirrored(), kind, ref, -level, at, rows)
    found[2], found[3] = -found[2], -found[3]
    return found


def _upward(
    bars: Bars,
    config: SmcConfig,
    prices: Prices,
    kind: Ints,
    ref: Ints,
    level: Floats,
    at: Ints,
    rows: Bools,
) -> Columns:
    """Columns of `Sweeps` for levels above: sweeps, runs, and runs that came back in time."""
    kind, ref, level, at = kind[rows], ref[rows], level[rows], at[rows]
    is_run = bars.close[at] > level
    back = _closed_back(bars, config, level, at, is_run)
    late = np.flatnonzero(back < NEVER)
    fate = np.where(is_run, int(SweepKind.RUN), int(SweepKind.SWEEP))
    kind, ref = np.concatenate((kind, kind[late])), np.concatenate((ref, ref[late]))
    level = np.concatenate((level, level[late]))
    fate = np.concatenate((fate, np.full(late.size, int(SweepKind.SWEEP_LATE))))
    known = np.concatenate((at, back[late]))
    at = np.concatenate((at, at[late]))
    rejection = _rejection(bars, at)
    volume = _volume_ratio(bars, at)
    hunt = (fate == SweepKind.SWEEP) & (rejection >= HUNT_REJECTION) & (volume >= HUNT_VOLUME)
    ended = np.full(at.size, NEVER)
    swept = np.flatnonzero(fate != SweepKind.RUN)
    if swept.size:
        extreme = prices.up.between(at[swept], known[swept])
        ended[swept] = prices.close_up.first_above(known[swept] + 1, extreme)
    return [
        *(kind, ref, np.ones(at.size, dtype=np.int64), level, fate, at, known),
        *(in_atr(bars.high[at] - level, bars.atr[at]), rejection, volume, hunt, ended),
    ]


def _closed_back(bars: Bars, config: SmcConfig, level: Floats, at: Ints, is_run: Bools) -> Ints:
    """First close back inside within `late_bars` after a run, NEVER for the rest."""
    found = np.full(at.size, NEVER)
    for step in range(config.late_bars, 0, -1):
        later = np.minimum(at + step, len(bars) - 1)
        hit = is_run & (at + step < len(bars)) & (bars.close[later] < level)
        found[hit] = later[hit]
    return found


def _rejection(bars: Bars, at: Ints) -> Floats:
    """Share of the bar's range that was given back, 0 for a bar without range."""
    spread = bars.high[at] - bars.low[at]
    found = np.zeros(at.size)
    np.divide(bars.high[at] - bars.close[at], spread, out=found, where=spread > 0)
    return found


def _volume_ratio(bars: Bars, at: Ints) -> Floats:
    """Volume over the mean of the 20 bars before; NaN where there is none."""
    before = np.where(at > 0, bars.volume_mean[np.maximum(at - 1, 0)], np.nan)
    found = np.full(at.size, np.nan)
    np.divide(bars.volume[at], before, out=found, where=before > 0)
    return found
