"""Volatility terciles: against one's own month, never against the future."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.domain.market import HOUR_MS
from app.core.record.columns import UNKNOWN
from app.core.record.regimes import day_volatility, volatility_codes

START_MS = 1_700_006_400_000


def hours(count: int) -> np.ndarray:
    return START_MS + HOUR_MS * np.arange(count, dtype=np.int64)


def walk(sigmas: np.ndarray, seed: int = 3) -> np.ndarray:
    moves = np.random.default_rng(seed).normal(size=sigmas.size) * sigmas
    return 100.0 * np.exp(np.cumsum(moves))


def test_worked_number() -> None:
    close = np.exp(0.01 * (np.arange(30) % 2))
    found = day_volatility(hours(30), close)
    assert np.isnan(found[:24]).all()
    assert found[24:] == pytest.approx(0.01)


def test_a_missing_hour_leaves_the_day_around_it_out() -> None:
    close_ms = np.delete(hours(80), 40)
    found = day_volatility(close_ms, walk(np.full(79, 0.01)))
    assert np.isfinite(found[39])
    assert np.isnan(found[40:63]).all()
    assert np.isfinite(found[64])


def test_a_calm_day_is_low_and_a_wild_one_high() -> None:
    sigmas = np.full(900, 0.01)
    sigmas[800:830], sigmas[860:] = 0.001, 0.05
    codes = volatility_codes(hours(900), walk(sigmas), hours(900))
    assert codes[829] == 0
    assert codes[899] == 2


def test_under_twenty_days_nothing_is_said() -> None:
    codes = volatility_codes(hours(900), walk(np.full(900, 0.01)), hours(900))
    assert (codes[: 24 + 480] == UNKNOWN).all()
    assert (codes[24 + 480 :] != UNKNOWN).all()


def test_each_tercile_holds_about_a_third() -> None:
    codes = volatility_codes(hours(6_000), walk(np.full(6_000, 0.01)), hours(6_000))
    shares = [float((codes[600:] == code).mean()) for code in (0, 1, 2)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.08)


def test_upside_down_is_as_lively_and_the_future_changes_nothing() -> None:
    close_ms, close = hours(1_200), walk(np.full(1_200, 0.01))
    whole = volatility_codes(close_ms, close, close_ms)
    assert volatility_codes(close_ms, 1.0 / close, close_ms).tolist() == whole.tolist()
    for end in range(600, 1_200, 83):
        assert volatility_codes(close_ms[:end], close[:end], close_ms[end - 1 : end])[0] == whole[end - 1]


def test_between_closes_the_last_closed_hour_counts() -> None:
    close_ms, close = hours(900), walk(np.full(900, 0.01))
    at_ms = close_ms[-1:] + 59 * 60_000
    assert volatility_codes(close_ms, close, at_ms) == volatility_codes(close_ms, close, close_ms[-1:])
    assert volatility_codes(close_ms, close, close_ms[-1:] + 2 * HOUR_MS)[0] == UNKNOWN
