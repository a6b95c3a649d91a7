"""Order blocks and breakers: the extreme candle between a pivot and the close that broke it. Definition 4."""

from __future__ import annotations

import numpy as np

from app.core.smc.bars import NEVER, Bars, Columns, Floats, Ints, in_atr
from app.core.smc.config import BlockBreak, SmcConfig
from app.core.smc.crossing import Maxima, first_after
from app.core.smc.gaps import Prices
from app.core.smc.records import Blocks, Breaks


def find_blocks(bars: Bars, turned: Bars, config: SmcConfig, prices: Prices, breaks: Breaks) -> Blocks:
    """One block per break (close mode), in order of the breaks. turned: the bars mirrored."""
    if config.block_break is BlockBreak.BODY:
        bodies = Maxima(-np.minimum(bars.open, bars.close)), Maxima(np.maximum(bars.open, bars.close))
    else:
        bodies = prices.down, prices.up
    up, down = np.flatnonzero(breaks.dir > 0), np.flatnonzero(breaks.dir < 0)
    bullish = _bullish(bars, config, prices, bodies[0], breaks.swing_i[up], breaks.confirmed_at[up])
    bearish = _bullish(
        turned, config, prices.mirrored(), bodies[1], breaks.swing_i[down], breaks.confirmed_at[down]
    )
    bearish[1:4] = [-bearish[1], -bearish[3], -bearish[2]]
    columns = [np.concatenate(pair) for pair in zip(bullish, bearish, strict=True)]
    order = np.argsort(columns[4], kind="stable")
    return Blocks(*(column[order] for column in columns))


def _bullish(
    bars: Bars, config: SmcConfig, prices: Prices, broken_by: Maxima, swing_i: Ints, at: Ints
) -> Columns:
    """Columns of `Blocks` for breaks of highs."""
    i = _lowest_between(prices.down, swing_i, at)
    top, bottom = bars.high[i], bars.low[i]
    expiry = at + config.max_age_bars + 1
    touched = first_after(prices.down, at, -top, or_equal=True, until=expiry)
    mitigated = first_after(prices.down, touched - 1, -((top + bottom) / 2), or_equal=True, until=expiry)
    broken = first_after(broken_by, mitigated - 1, -bottom, until=expiry)
    ended = first_after(prices.up, broken, top, until=expiry)
    ended = np.where(ended < NEVER, ended, np.where(expiry < len(bars), expiry, NEVER))
    volume, balance, relative = _volumes(bars, at)
    return [
        *(i, np.ones(i.size, dtype=np.int64), top, bottom, at, volume, balance),
        *(in_atr(bars.close[at] - bottom, bars.atr[at]), relative),
        *(touched, mitigated, broken, ended),
    ]


def _lowest_between(lows: Maxima, swing_i: Ints, at: Ints) -> Ints:
    """The bar of the lowest low in (s, t), of equal ones the last; t - 1 where there is none between."""
    found = at - 1
    rows = np.flatnonzero(at > swing_i + 1)
    if rows.size:
        lowest = lows.between(swing_i[rows] + 1, at[rows] - 1)
        found[rows] = lows.last_above(at[rows], lowest, or_equal=True)
    return found


def _volumes(bars: Bars, at: Ints) -> tuple[Floats, Floats, Floats]:
    """Volume of the break's three candles, its evenness in percent, and over three mean candles."""
    two, third = bars.volume[at] + bars.volume[at - 1], bars.volume[at - 2]
    volume, larger = two + third, np.maximum(two, third)
    balance, relative = np.full(at.size, np.nan), np.full(at.size, np.nan)
    np.divide(100.0 * np.minimum(two, third), larger, out=balance, where=larger > 0)
    mean = 3.0 * bars.volume_mean[at]
    np.divide(volume, mean, out=relative, where=mean > 0)
    return volume, balance, relative
