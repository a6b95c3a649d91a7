"""Volatility within the coin's own month and the trend of its days, known only when their bars had closed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.backtest.daily_trend import LEAST_DAYS, daily_bars, daily_trend
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN, Codes, Floats, Ints
from app.core.record.regimes import LEAST, RETURNS, TRAILING, CoinRegimes, volatility_codes

T0_MS = 20_000 * DAY_MS


def hours(count: int) -> Ints:
    return T0_MS + HOUR_MS * np.arange(1, count + 1, dtype=np.int64)


def walk(count: int, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    return 100 * np.exp(np.cumsum(rng.normal(0, 0.005, count) * (1 + np.arange(count) % 50 / 10)))


def plain(close_ms: Ints, close: Floats) -> list[int]:
    """The definition, hour by hour."""
    by_hour = dict(zip((close_ms // HOUR_MS).tolist(), close.tolist(), strict=True))

    def volatility(hour: int) -> float | None:
        prices = [by_hour.get(hour - back) for back in range(RETURNS + 1)]
        if any(price is None for price in prices):
            return None
        return sum(np.log(a / b) ** 2 for a, b in pairwise(prices) if a and b) ** 0.5

    known = {hour: volatility(hour) for hour in by_hour}
    found = []
    for hour in by_hour:
        own = known[hour]
        past = [v for back in range(1, TRAILING + 1) if (v := known.get(hour - back)) is not None]
        if own is None or len(past) < LEAST:
            found.append(UNKNOWN)
            continue
        share = (sum(v < own for v in past) + 0.5 * sum(v == own for v in past)) / len(past)
        found.append(0 if share < 1 / 3 else 1 if share < 2 / 3 else 2)
    return found


def test_volatility_is_ranked_in_the_thirty_days_before() -> None:
    close_ms, close = hours(900), walk(900)
    kept = np.ones(900, dtype=bool)
    kept[[100, 700, 701]] = False
    codes = volatility_codes(close_ms[kept], close[kept])
    assert codes.tolist() == plain(close_ms[kept], close[kept])
    assert set(codes.tolist()) == {0, 1, 2, UNKNOWN}


def test_with_fewer_than_twenty_days_it_is_unknown() -> None:
    codes = volatility_codes(hours(600), walk(600))
    # The first volatility needs 24 returns, the first rank 480 volatilities before it.
    assert set(codes[: RETURNS + LEAST].tolist()) == {UNKNOWN}
    assert UNKNOWN not in codes[RETURNS + LEAST :].tolist()
    assert volatility_codes(hours(0), walk(0)).size == 0


def test_a_market_that_never_moves_is_in_the_middle() -> None:
    assert volatility_codes(hours(700), np.full(700, 5.0))[-1] == 1


@given(cut=st.integers(520, 899), seed=st.integers(0, 99))
def test_truncating_the_future_changes_no_regime(cut: int, seed: int) -> None:
    close_ms, close = hours(900), walk(900, seed)
    whole, cut_off = volatility_codes(close_ms, close), volatility_codes(close_ms[:cut], close[:cut])
    assert whole[:cut].tolist() == cut_off.tolist()


def bars_of(count: int, seed: int) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    close = walk(count, seed)
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    return hours(count), open_, high, low, close


def trend_of(count: int, seed: int, until_ms: int) -> tuple[Ints, Codes]:
    return daily_trend(*bars_of(count, seed), until_ms=until_ms)


def test_days_are_made_of_their_hours_and_close_at_midnight() -> None:
    close_ms, open_, high, low, close = bars_of(72, 3)
    kept = np.ones(72, dtype=bool)
    kept[30:33] = False  # three hours of the second day
    bars = daily_bars(close_ms[kept], open_[kept], high[kept], low[kept], close[kept])
    assert bars.close_ms.tolist() == [T0_MS + DAY_MS, T0_MS + 3 * DAY_MS]
    assert (bars.open[0], bars.close[0]) == (open_[0], close[23])
    assert (bars.high[1], bars.low[1]) == (high[48:].max(), low[48:].min())


@pytest.mark.parametrize("seed", range(12))
def test_no_trend_is_known_before_the_day_that_confirmed_it(seed: int) -> None:
    close_ms, codes = trend_of(120 * 24, seed, T0_MS + 120 * DAY_MS)
    assert set(codes[: LEAST_DAYS - 1].tolist()) == {UNKNOWN}
    for days in (25, 40, 77, 119):
        known_ms, known = trend_of(120 * 24, seed, T0_MS + days * DAY_MS + DAY_MS - 1)
        cut_ms, cut = trend_of(days * 24, seed, T0_MS + 120 * DAY_MS)
        assert known.tolist() == cut.tolist() == codes[:days].tolist()
        assert known_ms.tolist() == cut_ms.tolist() == close_ms[:days].tolist()


def test_a_rising_market_is_up_and_its_mirror_down() -> None:
    steps = np.tile(np.concatenate((np.full(120, 0.5), np.full(72, -0.4))), 15)
    close = 1_000 + np.cumsum(steps)
    count = close.size
    open_ = np.concatenate(([1_000.0], close[:-1]))
    high, low = np.maximum(open_, close) + 0.1, np.minimum(open_, close) - 0.1
    until_ms = T0_MS + count * HOUR_MS
    _, up = daily_trend(hours(count), open_, high, low, close, until_ms=until_ms)
    _, down = daily_trend(
        hours(count), 4_000 - open_, 4_000 - low, 4_000 - high, 4_000 - close, until_ms=until_ms
    )
    assert (up[-1], down[-1]) == (1, -1)
    assert down[LEAST_DAYS:].tolist() == (-up[LEAST_DAYS:]).tolist()


def test_a_regime_holds_from_its_close_until_it_is_too_old() -> None:
    codes = np.array([0, 2], dtype=np.int8)
    known_ms = np.array([T0_MS, T0_MS + HOUR_MS], dtype=np.int64)
    regimes = CoinRegimes(known_ms, codes, known_ms, codes)
    at_ms = T0_MS + np.array([-1, 0, HOUR_MS - 1, HOUR_MS, 3 * HOUR_MS, 3 * HOUR_MS + 1], dtype=np.int64)
    assert regimes.volatility_at(at_ms).tolist() == [UNKNOWN, 0, 0, 2, 2, UNKNOWN]
    assert regimes.trend_at(at_ms).tolist() == [UNKNOWN, 0, 0, 2, 2, 2]
    empty = CoinRegimes(known_ms[:0], codes[:0], known_ms[:0], codes[:0])
    assert set(empty.trend_at(at_ms).tolist()) == {UNKNOWN}
