"""Indicators against worked numbers, and their mirror when prices are turned upside down."""

from __future__ import annotations

import numpy as np
import pytest

from app.sim.indicator_math import (
    bollinger,
    exponential_average,
    macd,
    moving_average,
    relative_strength,
    setup_count,
    true_range_average,
)
from app.sim.made_up import curve, noise

PRICES = 100 + np.cumsum(np.random.default_rng(3).normal(size=200))


def test_moving_average_of_one_two_three() -> None:
    assert moving_average(np.array([1.0, 2.0, 3.0]), 2)[1:].tolist() == [1.5, 2.5]
    assert np.isnan(moving_average(np.array([1.0, 2.0]), 3)).all()


def test_exponential_average_starts_at_the_first_value() -> None:
    assert exponential_average(np.array([1.0, 2.0, 2.0]), 3).tolist() == [1.0, 1.5, 1.75]
    assert exponential_average(np.empty(0), 3).size == 0


def test_rsi_of_equal_gains_and_losses_is_fifty_and_mirrors() -> None:
    assert relative_strength(np.full(30, 5.0), 14)[-1] == 50
    rising, falling = relative_strength(PRICES, 14), relative_strength(-PRICES, 14)
    assert (rising + falling)[14:] == pytest.approx(100)
    assert relative_strength(np.arange(30.0), 14)[-1] == 100
    assert np.isnan(rising[:14]).all()


def test_bands_are_population_deviations() -> None:
    middle, upper, lower = bollinger(np.array([1.0, 3.0]), 2, 2.0)
    assert (middle[-1], upper[-1], lower[-1]) == (2.0, 4.0, 0.0)


def test_macd_of_a_still_price_is_zero_and_mirrors() -> None:
    assert macd(np.full(50, 7.0), 12, 26, 9)[0].tolist() == [0.0] * 50
    assert macd(PRICES, 12, 26, 9)[1] == pytest.approx(-macd(-PRICES, 12, 26, 9)[1])


def test_true_range_counts_the_gap_from_the_close_before() -> None:
    high, low, close = np.array([10.0, 15.0]), np.array([9.0, 14.0]), np.array([9.5, 14.5])
    # Second bar: 15 - 9.5 = 5.5; the mean of length 2 starts at 1 and moves halfway.
    assert true_range_average(high, low, close, 2)[-1] == pytest.approx(1 + (5.5 - 1) / 2)


def test_setup_counts_to_nine_and_starts_again_with_the_sign_of_the_side() -> None:
    falling = setup_count(np.arange(20.0, 0.0, -1))
    assert falling.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7]
    assert setup_count(np.arange(20.0)).tolist() == (-falling).tolist()
    assert setup_count(np.full(8, 3.0)).tolist() == [0] * 8


def test_made_up_figures_repeat_and_stay_inside_their_bounds() -> None:
    steps = np.arange(-50, 5000)
    values = curve("key", steps, 10.0, 20.0)
    assert values.tolist() == curve("key", steps, 10.0, 20.0).tolist()
    assert curve("key", steps[70:71], 10.0, 20.0)[0] == values[70]
    assert values.min() > 10
    assert values.max() < 20
    assert 0.45 < noise("key", steps).mean() < 0.55
    assert noise("one", steps).tolist() != noise("other", steps).tolist()
