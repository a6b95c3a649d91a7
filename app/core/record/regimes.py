"""What kind of market it was at a moment, out of hourly bars and of nothing that came later. Pure.

Live records and backtests use the same functions. Volatility is judged within the coin's own last month,
because a calm day of one coin is a storm of another. The trend comes from whoever may run the structure
engine (`core.backtest.daily_trend`) as a column of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN, Codes, Floats, Ints

RETURNS = 24  # hours that a volatility is made of
TRAILING = 30 * 24  # hours that it is ranked in
LEAST = 20 * 24  # of which so many must be known
# A regime is known when its bar closes and holds until the next one; a hole makes it unknown soon.
MAX_HOUR_AGE_MS = 2 * HOUR_MS
MAX_DAY_AGE_MS = 2 * DAY_MS
_CHUNK = 2_048


@dataclass(frozen=True, slots=True)
class CoinRegimes:
    """Regimes of one coin by the close of the bar that told them, oldest first.

    volatility: codes of `columns.VOLATILITIES` at hour_ms; trend: codes of `columns.TRENDS` at day_ms.
    """

    hour_ms: Ints
    volatility: Codes
    day_ms: Ints
    trend: Codes

    def volatility_at(self, at_ms: Ints) -> Codes:
        """Known at these moments."""
        return _known_at(self.hour_ms, self.volatility, at_ms, MAX_HOUR_AGE_MS)

    def trend_at(self, at_ms: Ints) -> Codes:
        """Known at these moments."""
        return _known_at(self.day_ms, self.trend, at_ms, MAX_DAY_AGE_MS)


def volatility_codes(close_ms: Ints, close: Floats) -> Codes:
    """Tercile of each hour's volatility within the 30 days before it: 0 low, 1 middle, 2 high, or UNKNOWN.

    close_ms: strictly increasing full hours, holes allowed; close: > 0. Volatility of an hour: root of the
    sum of the last 24 squared log returns; UNKNOWN with a hole in them, or with fewer than 480 volatilities
    in the 720 hours before. What is below a third of those is low, below two thirds middle; equals count
    half. Worked number: 100 of 600 below, none equal -> 0.167 -> low; a market that never moves -> 0.5 ->
    middle.
    """
    codes = np.full(close_ms.size, UNKNOWN, dtype=np.int8)
    if not close_ms.size:
        return codes
    place = (close_ms - close_ms[0]) // HOUR_MS
    logs = np.full(int(place[-1]) + 1, np.nan)
    logs[place] = np.log(close)
    volatility = _volatility(logs)
    for start in range(0, close_ms.size, _CHUNK):
        rows = place[start : start + _CHUNK]
        codes[start : start + _CHUNK] = _terciles(volatility, rows)
    return codes


def _volatility(logs: Floats) -> Floats:
    """By hour on a grid without holes; NaN where a return is not known."""
    found = np.full(logs.size, np.nan)
    squares = np.diff(logs) ** 2
    if squares.size >= RETURNS:
        found[RETURNS:] = np.sqrt(sliding_window_view(squares, RETURNS).sum(axis=1))
    return found


def _terciles(volatility: Floats, rows: Ints) -> Codes:
    """Codes of these hours; the hour itself is not part of what it is ranked in."""
    padded = np.concatenate((np.full(TRAILING, np.nan), volatility))
    before = sliding_window_view(padded, TRAILING)[rows]
    own = volatility[rows][:, None]
    known = np.isfinite(before).sum(axis=1)
    share = ((before < own).sum(axis=1) + 0.5 * (before == own).sum(axis=1)) / np.maximum(known, 1)
    codes = np.where(share < 1 / 3, 0, np.where(share < 2 / 3, 1, 2))
    is_known = np.isfinite(own[:, 0]) & (known >= LEAST)
    return np.where(is_known, codes, UNKNOWN).astype(np.int8)


def _known_at(known_ms: Ints, codes: Codes, at_ms: Ints, max_age_ms: int) -> Codes:
    """The newest code that was known at each moment and is not too old."""
    found = np.full(at_ms.size, UNKNOWN, dtype=np.int8)
    if known_ms.size:
        newest = np.searchsorted(known_ms, at_ms, side="right") - 1
        is_fresh = (newest >= 0) & (at_ms - known_ms[np.maximum(newest, 0)] <= max_age_ms)
        found[is_fresh] = codes[newest[is_fresh]]
    return found
