"""The daily trend: whole days only, the last break decides, and the future never does."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.backtest.daily_trend import LEAST_DAYS, daily_bars, daily_trend
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN, Codes, Floats, Ints

START_MS = 20_000 * DAY_MS


def hourly(close: Floats) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    open_ = np.append(close[0], close[:-1])
    high, low = np.maximum(open_, close) + 0.1, np.minimum(open_, close) - 0.1
    return START_MS + HOUR_MS * np.arange(1, close.size + 1, dtype=np.int64), open_, high, low, close


def waves(days: int, drift: float) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    hours = np.arange(days * 24)
    return hourly(1_000.0 + drift * hours / 24 + 30.0 * np.sin(hours / 24 * 2 * np.pi / 12))


def trend_of(columns: tuple[Ints, Floats, Floats, Floats, Floats]) -> tuple[Ints, Codes]:
    return daily_trend(*columns, until_ms=int(columns[0][-1]))


def test_a_day_is_its_hours_and_a_torn_day_is_none() -> None:
    columns = waves(3, 1.0)
    days = daily_bars(*columns)
    assert days.close_ms.tolist() == [START_MS + day * DAY_MS for day in (1, 2, 3)]
    assert days.high[1] == columns[2][24:48].max()
    assert days.open[2] == columns[1][48]
    torn = daily_bars(*(column[3:] for column in columns))
    assert torn.close_ms.tolist() == [START_MS + day * DAY_MS for day in (2, 3)]


def test_a_day_that_is_not_over_does_not_count() -> None:
    columns = tuple(column[:-1] for column in waves(3, 1.0))
    days, _ = daily_trend(*columns, until_ms=int(columns[0][-1]))
    assert days.tolist() == [START_MS + DAY_MS, START_MS + 2 * DAY_MS]


@pytest.mark.parametrize("sign", [1, -1])
def test_rising_swings_are_an_uptrend_and_mirrored_ones_a_downtrend(sign: int) -> None:
    _, trend = trend_of(waves(150, sign * 8.0))
    assert trend[-1] == sign


def test_with_few_days_the_trend_is_unknown() -> None:
    _, trend = trend_of(waves(60, 8.0))
    assert (trend[: LEAST_DAYS - 1] == UNKNOWN).all()
    assert (trend[LEAST_DAYS - 1 :] != UNKNOWN).all()


def test_cutting_the_future_changes_no_trend() -> None:
    rng = np.random.default_rng(4)
    columns = hourly(1_000.0 * np.exp(np.cumsum(rng.normal(0, 0.006, 200 * 24))))
    days, whole = trend_of(columns)
    for index in range(30, 200, 13):
        past = tuple(column[: 24 * (index + 1)] for column in columns)
        cut_days, cut = trend_of(past)
        assert cut_days.tolist() == days[: index + 1].tolist()
        assert cut.tolist() == whole[: index + 1].tolist()
    assert {-1, 1} <= set(whole.tolist())
