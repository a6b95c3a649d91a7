"""Fair value gaps, their lives, and the joined view of neighbours. Definition 3.

Only the bullish half is written; the bearish one is the same on the mirrored market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.core.smc.bars import NEVER, Bars, Columns, in_atr
from app.core.smc.config import SmcConfig
from app.core.smc.crossing import Maxima, first_after
from app.core.smc.records import Gaps


@dataclass(frozen=True, slots=True)
class Prices:
    """Maxima of one market the right way up: highs, negated lows, closes, negated closes."""

    up: Maxima
    down: Maxima
    close_up: Maxima
    close_down: Maxima

    def mirrored(self) -> Prices:
        return Prices(self.down, self.up, self.close_down, self.close_up)


def find_gaps(bars: Bars, turned: Bars, config: SmcConfig, prices: Prices) -> Gaps:
    """All gaps of both directions, in order of their middle candle. turned: the bars mirrored."""
    bullish = _bullish(bars, config, prices)
    bearish = _bullish(turned, config, prices.mirrored())
    bearish[1:4] = [-bearish[1], -bearish[3], -bearish[2]]
    columns = [np.concatenate(pair) for pair in zip(bullish, bearish, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Gaps(*(column[order] for column in columns))


def _bullish(bars: Bars, config: SmcConfig, prices: Prices) -> Columns:
    """Columns of `Gaps` for candle up, high before below low after."""
    before, after = bars.high[:-2], bars.low[2:]
    i = np.flatnonzero((bars.close[1:-1] > bars.open[1:-1]) & (before < after)) + 1
    bottom, top = bars.high[i - 1], bars.low[i + 1]
    known = i + 1
    expiry = known + config.max_age_bars + 1
    middle = (top + bottom) / 2
    touched = first_after(prices.down, known, -top, or_equal=True, until=expiry)
    mid = first_after(prices.down, touched - 1, -middle, or_equal=True, until=expiry)
    filled = first_after(prices.down, mid - 1, -bottom, or_equal=True, until=expiry)
    inverted = first_after(prices.close_down, filled - 1, -bottom, until=expiry)
    ended = first_after(prices.close_up, inverted, top, until=expiry)
    ended = np.where(ended < NEVER, ended, np.where(expiry < len(bars), expiry, NEVER))
    size = in_atr(top - bottom, bars.atr[known])
    return [
        i,
        np.ones(i.size, dtype=np.int64),
        top,
        bottom,
        known,
        size,
        touched,
        mid,
        filled,
        inverted,
        ended,
    ]


@dataclass(frozen=True, slots=True)
class JoinedGap:
    """Gaps of one direction on neighbouring candles, for drawing: the band may hold prices that did trade."""

    first_i: int
    last_i: int
    dir: int
    top: float
    bottom: float
    confirmed_at: int


def join_gaps(gaps: Gaps) -> tuple[JoinedGap, ...]:
    """Neighbouring gaps of one direction as one band; the parts keep their records and are what is scored."""
    found: list[JoinedGap] = []
    rows = zip(gaps.i.tolist(), gaps.dir.tolist(), gaps.top.tolist(), gaps.bottom.tolist(), strict=True)
    for i, direction, top, bottom in rows:
        last = found[-1] if found else None
        if last is not None and last.last_i == i - 1 and last.dir == direction:
            found[-1] = JoinedGap(
                last.first_i, i, direction, max(last.top, top), min(last.bottom, bottom), i + 1
            )
        else:
            found.append(JoinedGap(i, i, direction, top, bottom, i + 1))
    return tuple(found)
