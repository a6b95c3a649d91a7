"""The daily trend: whole days only, the last break decides, and the future never does."""

from __future__ import annotations

import numpy as np

from app.core.backtest.daily_trend import MIN_DAYS, daily_bars, trend_codes
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN
from app.core.smc.bars import Bars, bars_of_columns

START_MS = 20_000 * DAY_MS


def hourly(close: np.ndarray, *, start_ms: int = START_MS) -> Bars:
    open_ = np.append(close[0], close[:-1])
    high, low = np.maximum(open_, close) + 0.1, np.minimum(open_, close) - 0.1
    close_ms = start_ms + HOUR_MS * np.arange(1, close.size + 1, dtype=np.int64)
    return bars_of_columns(HOUR_MS, close_ms, open_, high, low, close, np.ones(close.size))


def waves(days: int, drift: float) -> Bars:
    hours = np.arange(days * 24)
    return hourly(1_000.0 + drift * hours / 24 + 30.0 * np.sin(hours / 24 * 2 * np.pi / 12))


def test_a_day_is_its_24_hours_and_a_torn_day_is_none() -> None:
    bars = waves(3, 1.0)
    days = daily_bars(bars)
    assert days.close_ms.tolist() == [START_MS + day * DAY_MS for day in (1, 2, 3)]
    assert days.high[1] == bars.high[24:48].max()
    assert days.open[2] == bars.open[48]
    torn = bars.tail(len(bars) - 1)
    assert daily_bars(torn).close_ms.tolist() == [START_MS + day * DAY_MS for day in (2, 3)]


def test_rising_swings_are_an_uptrend_and_mirrored_ones_a_downtrend() -> None:
    bars = waves(150, 8.0)
    at_ms = bars.close_ms[-1:]
    assert trend_codes(bars, at_ms).tolist() == [1]
    assert trend_codes(waves(150, -8.0), at_ms).tolist() == [-1]


def test_with_few_days_the_trend_is_unknown() -> None:
    bars = waves(60, 8.0)
    at_ms = START_MS + DAY_MS * np.arange(1, 61, dtype=np.int64)
    codes = trend_codes(bars, at_ms)
    assert (codes[: MIN_DAYS - 1] == UNKNOWN).all()
    assert (codes[MIN_DAYS:] != UNKNOWN).all()


def test_cutting_the_future_changes_no_trend() -> None:
    rng = np.random.default_rng(4)
    bars = hourly(1_000.0 * np.exp(np.cumsum(rng.normal(0, 0.006, 200 * 24))))
    at_ms = bars.close_ms[::97]
    whole = trend_codes(bars, at_ms)
    for index in range(0, at_ms.size, 3):
        past = bars.first(int(np.searchsorted(bars.close_ms, at_ms[index], side="right")))
        assert trend_codes(past, at_ms[index : index + 1])[0] == whole[index]
    assert {-1, 1} <= set(whole.tolist())
