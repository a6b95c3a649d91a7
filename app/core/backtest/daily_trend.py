"""The trend of a coin as its daily structure tells it: up or down since the last break of a swing.

One half of the regime that records are split by; the other is volatility (`core.record.regimes`). Pure.
"""

from __future__ import annotations

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.errors import InvariantViolation
from app.core.record.columns import UNKNOWN, Codes, Ints
from app.core.smc.bars import Bars, bars_of_columns
from app.core.smc.run import run_smc

# Swings need bars on both sides before any can break: with fewer days "no break" says nothing.
MIN_DAYS = 30


def daily_bars(bars: Bars) -> Bars:
    """Whole UTC days of hourly bars; a day with a missing hour is left out.

    Raises:
        InvariantViolation: the bars are not hourly.
    """
    if bars.interval_ms != HOUR_MS:
        raise InvariantViolation("days are made of hourly bars")
    day = (bars.close_ms - 1) // DAY_MS
    first = np.flatnonzero(np.append(True, day[1:] != day[:-1])) if day.size else np.empty(0, np.int64)
    last = np.append(first[1:], day.size) - 1 if day.size else first
    kept = last - first == DAY_MS // HOUR_MS - 1
    if not kept.any():
        none = np.empty(0)
        return bars_of_columns(DAY_MS, np.empty(0, np.int64), none, none, none, none, none)
    return bars_of_columns(
        DAY_MS,
        (day[first[kept]] + 1) * DAY_MS,
        bars.open[first[kept]],
        np.maximum.reduceat(bars.high, first)[kept],
        np.minimum.reduceat(bars.low, first)[kept],
        bars.close[last[kept]],
        np.add.reduceat(bars.volume, first)[kept],
    )


def trend_codes(bars: Bars, at_ms: Ints) -> Codes:
    """1 up, -1 down, 0 without a break, UNKNOWN with fewer than 30 whole days, at each moment, from days
    closed by then."""
    days = daily_bars(bars)
    breaks = run_smc(days).breaks
    known = np.searchsorted(days.close_ms, at_ms, side="right")
    row = np.searchsorted(days.close_ms[breaks.confirmed_at], at_ms, side="right")
    trend = np.append(0, breaks.dir)[row]
    return np.where(known >= MIN_DAYS, trend, UNKNOWN).astype(np.int8)
