"""Regimes of one coin out of its stored hourly candles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from app.core.backtest.daily_trend import daily_trend
from app.core.domain.stored import CandleRow
from app.core.record.regimes import CoinRegimes, volatility_codes


def regimes_of(rows: Sequence[CandleRow], *, until_ms: int) -> CoinRegimes:
    """Of the exchange with the most candles: closes of two exchanges in a row would move by their spread.

    rows: hourly ones of one coin, in any order. until_ms: what closes later is left out.
    """
    known = [row for row in rows if row.close_ms <= until_ms]
    counts = Counter(row.exchange for row in known)
    best = min(counts, key=lambda exchange: (-counts[exchange], exchange), default="")
    kept = sorted((row for row in known if row.exchange == best), key=lambda row: row.close_ms)
    close_ms = np.array([row.close_ms for row in kept], dtype=np.int64)
    prices = [(row.open, row.high, row.low, row.close) for row in kept]
    open_, high, low, close = np.array(prices, dtype=np.float64).reshape(-1, 4).T
    days, trend = daily_trend(close_ms, open_, high, low, close, until_ms=until_ms)
    return CoinRegimes(close_ms, volatility_codes(close_ms, close), days, trend)
