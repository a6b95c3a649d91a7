"""How lively the market was: the day's volatility against the coin's own last 30 days.

One half of the regime that records are split by; the trend is `core.backtest.daily_trend`. Pure.
"""

from __future__ import annotations

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN, Codes, Floats, Ints

SPAN_H = 24
WINDOW_H = 30 * 24
# Terciles of fewer days would call every second day the liveliest ever.
MIN_POINTS = 20 * 24


def day_volatility(close_ms: Ints, close: Floats) -> Floats:
    """Root mean square of the 24 hourly log returns that end at each bar; NaN where one is missing.

    Worked number: closes that rise and fall by 1 % (in logs) every hour -> 0.01.
    """
    found = np.full(close.size, np.nan)
    if close.size <= SPAN_H:
        return found
    total = np.append(0.0, np.cumsum(np.diff(np.log(close)) ** 2))
    mean = np.maximum(total[SPAN_H:] - total[:-SPAN_H], 0.0) / SPAN_H
    is_whole = close_ms[SPAN_H:] - close_ms[:-SPAN_H] == SPAN_H * HOUR_MS
    found[SPAN_H:] = np.where(is_whole, np.sqrt(mean), np.nan)
    return found


def volatility_codes(close_ms: Ints, close: Floats, at_ms: Ints) -> Codes:
    """0 low, 1 middle, 2 high: the tercile of the last closed hour's volatility among those of the 30 days
    before it; UNKNOWN with fewer than 20 days of them, or when the newest bar is older than an hour.

    close_ms, close: hourly bars, ascending. at_ms: ascending moments; each sees bars closed by then.
    """
    volatility = day_volatility(close_ms, close)
    row = np.searchsorted(close_ms, at_ms, side="right") - 1
    codes = np.full(at_ms.size, UNKNOWN, dtype=np.int8)
    is_new = (row >= 0) & (at_ms - close_ms[np.maximum(row, 0)] <= HOUR_MS)
    wanted, place = np.unique(row[is_new], return_inverse=True)
    by_row = np.array([_tercile(volatility, close_ms, index) for index in wanted.tolist()], dtype=np.int8)
    if wanted.size:
        codes[is_new] = by_row[place]
    return codes


def _tercile(volatility: Floats, close_ms: Ints, row: int) -> int:
    now = volatility[row]
    first = int(np.searchsorted(close_ms, close_ms[row] - WINDOW_H // 24 * DAY_MS))
    before = volatility[first:row]
    before = before[np.isfinite(before)]
    if not np.isfinite(now) or before.size < MIN_POINTS:
        return UNKNOWN
    share = (np.count_nonzero(before < now) + 0.5 * np.count_nonzero(before == now)) / before.size
    return min(int(share * 3.0), 2)
