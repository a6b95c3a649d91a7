"""Bars beyond the store's outlier rule are counted and named, whichever way they moved."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.backtest.odd_bars import OddBar, find_odd_bars
from app.core.domain.market import HOUR_MS
from app.core.domain.outliers import OutlierJudge
from app.core.domain.stored import CandleRow

BARS = 200


def walk(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ends, highs, lows and closes of an ordinary market."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.004, BARS)))
    spread = np.exp(np.abs(rng.normal(0, 0.001, BARS)))
    return np.arange(1, BARS + 1, dtype=np.int64) * HOUR_MS, close * spread, close / spread, close


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_a_candle_that_moves_by_a_factor_is_named_with_it(factor: float) -> None:
    end_ms, high, low, close = walk()
    for prices in (high, low, close):
        prices[120] *= factor
    found = find_odd_bars("hourly candles", HOUR_MS, end_ms, high, low, close)
    assert (found.what, found.bars) == ("hourly candles", BARS)
    assert found.furthest[0].end_ms == end_ms[120]
    assert found.furthest[0].factor == pytest.approx(factor, rel=0.05)


def test_a_spike_of_one_price_alone_is_named_by_that_price() -> None:
    """A close of 100 throughout, one high of 10,000: factor 100. Turned upside down: one low of 1."""
    end_ms, close = np.arange(1, BARS + 1, dtype=np.int64) * HOUR_MS, np.full(BARS, 100.0)
    high, low = close.copy(), close.copy()
    high[150] = 10_000.0
    found = find_odd_bars("path", HOUR_MS, end_ms, high, close, close)
    assert (found.odd, found.furthest) == (1, (OddBar(151 * HOUR_MS, 100.0),))
    low[150] = 1.0
    assert find_odd_bars("path", HOUR_MS, end_ms, close, low, close).furthest == (
        OddBar(151 * HOUR_MS, 0.01),
    )


def test_what_is_flagged_is_what_the_store_flags() -> None:
    end_ms, high, low, close = walk(9)
    high[60] *= 1.2
    low[90] *= 0.7
    close[150] *= 3.0
    rows = [
        CandleRow(
            "OKX", "BTC", "1h", at, close=c, open=c, high=h, low=lo, volume_base=1.0, source="x", ts_init_ms=0
        )
        for at, h, lo, c in zip(end_ms.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True)
    ]
    flagged = [row.close_ms for row in OutlierJudge().judge(rows) if row.is_outlier]
    found = find_odd_bars("hourly candles", HOUR_MS, end_ms, high, low, close)
    assert found.odd == len(flagged) >= 3
    assert {one.end_ms for one in found.furthest} <= set(flagged)


def test_bars_before_the_period_teach_and_are_not_named() -> None:
    end_ms, high, low, close = walk()
    close[120] *= 100.0
    found = find_odd_bars("path", HOUR_MS, end_ms, high, low, close, from_ms=int(end_ms[120]))
    assert found.bars == BARS - 121
    assert end_ms[120] not in {one.end_ms for one in found.furthest}


def test_no_bars_are_no_odd_bars() -> None:
    none = np.empty(0)
    found = find_odd_bars("path", HOUR_MS, none.astype(np.int64), none, none, none)
    assert (found.bars, found.odd, found.furthest) == (0, 0, ())
