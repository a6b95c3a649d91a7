"""Technical indicators over plain price columns, as charting tools define them. No bars, no wire words.

Every function returns one value per price; where an indicator has too few prices before it, NaN.
Used by the CoinGlass indicator pages of the simulator only; the engine has its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.sim.market import Floats

_TD_LOOKBACK = 4
_TD_MOST = 9


def moving_average(values: Floats, window: int) -> Floats:
    """Mean of the last `window` values. Worked: [1, 2, 3], 2 -> [NaN, 1.5, 2.5]."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    result = np.full(values.size, np.nan)
    if values.size >= window:
        result[window - 1 :] = (sums[window:] - sums[:-window]) / window
    return result


def exponential(values: Floats, alpha: float) -> Floats:
    """Exponential mean that starts at the first known value. Worked: [1, 2], 0.5 -> [1, 1.5]."""
    result = np.full(values.size, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return result
    level = float(values[known[0]])
    for index in range(int(known[0]), values.size):
        level += alpha * (float(values[index]) - level)
        result[index] = level
    return result


def exponential_average(values: Floats, window: int) -> Floats:
    """EMA: alpha = 2 / (window + 1)."""
    return exponential(values, 2 / (window + 1))


def relative_strength(values: Floats, window: int) -> Floats:
    """Wilder's RSI, 0-100; 50 while the price has not moved at all."""
    change = np.diff(values, prepend=np.nan)
    gains = exponential(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), 1 / window)
    losses = exponential(np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), 1 / window)
    total = gains + losses
    result = np.where(total > 0, 100 * gains / np.where(total > 0, total, 1), 50.0)
    result[:window] = np.nan
    return result


def bollinger(values: Floats, window: int, mult: float) -> tuple[Floats, Floats, Floats]:
    """(middle, upper, lower): the mean and `mult` population standard deviations around it."""
    # Centred first: squares of prices lose the small differences a band is made of.
    centre = float(values.mean()) if values.size else 0.0
    middle = moving_average(values - centre, window)
    squares = moving_average((values - centre) ** 2, window)
    width = mult * np.sqrt(np.maximum(squares - middle**2, 0))
    return middle + centre, middle + centre + width, middle + centre - width


def macd(values: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats]:
    """(fast EMA - slow EMA, EMA of that)."""
    line = exponential_average(values, fast) - exponential_average(values, slow)
    return line, exponential_average(line, signal)


def true_range_average(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Wilder's ATR, in price units."""
    before = np.concatenate((close[:1], close[:-1]))
    ranges = np.maximum(high, before) - np.minimum(low, before)
    result = exponential(ranges, 1 / window)
    result[: window - 1] = np.nan
    return result


def setup_count(close: Floats) -> NDArray[np.int64]:
    """TD setup: closes below (+, a buy setup) or above (-, a sell setup) the one four bars before, in a row.

    Counts 1 to 9 and starts again; 0 while equal or unknown.
    """
    side = np.zeros(close.size, np.int64)
    side[_TD_LOOKBACK:] = -np.sign(close[_TD_LOOKBACK:] - close[:-_TD_LOOKBACK]).astype(np.int64)
    counts = np.zeros(close.size, np.int64)
    for index in range(1, close.size):
        last = int(counts[index - 1])
        goes_on = last * side[index] > 0 and abs(last) < _TD_MOST
        counts[index] = side[index] + (last if goes_on else 0)
    return counts
