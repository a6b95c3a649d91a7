"""Pooled rates never turn round, keep their mean, and are the nearest there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.calibration.isotonic import fit_isotonic, pool_falling, pool_rising
from app.core.errors import InvariantViolation

RATES = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(1, 500)), min_size=1, max_size=30)


def test_neighbours_that_fall_share_their_mean() -> None:
    assert pool_rising([0.3, 0.5, 0.4], [1, 1, 3]) == [0.3, pytest.approx(0.425), pytest.approx(0.425)]
    assert pool_rising([0.1, 0.2, 0.3], [1, 1, 1]) == [0.1, 0.2, 0.3]
    assert pool_falling([0.4, 0.5, 0.3], [3, 1, 1]) == [pytest.approx(0.425), pytest.approx(0.425), 0.3]
    assert pool_rising([], []) == []


@given(rates=RATES)
def test_pooled_rates_rise_and_keep_their_mean(rates: list[tuple[float, int]]) -> None:
    values, weights = [rate for rate, _ in rates], [float(count) for _, count in rates]
    found = pool_rising(values, weights)
    assert found == sorted(found)
    assert min(values) - 1e-12 <= found[0] <= found[-1] <= max(values) + 1e-12
    assert np.average(found, weights=weights) == pytest.approx(np.average(values, weights=weights), abs=1e-12)


@given(rates=RATES)
def test_upside_down_is_the_same_backwards(rates: list[tuple[float, int]]) -> None:
    values, weights = [rate for rate, _ in rates], [float(count) for _, count in rates]
    mirrored = pool_rising([1.0 - value for value in reversed(values)], weights[::-1])
    assert mirrored[::-1] == pytest.approx([1.0 - value for value in pool_rising(values, weights)], abs=1e-9)


@given(rates=RATES, other=st.lists(st.floats(0.0, 1.0), min_size=30, max_size=30))
def test_no_other_rising_rates_are_nearer(rates: list[tuple[float, int]], other: list[float]) -> None:
    values = np.array([rate for rate, _ in rates])
    weights = np.array([float(count) for _, count in rates])
    found = np.array(pool_rising(values.tolist(), weights.tolist()))
    rival = np.array(sorted(other[: values.size]))
    assert (weights * (found - values) ** 2).sum() <= (weights * (rival - values) ** 2).sum() + 1e-9


def test_a_rising_chance_is_found() -> None:
    rng = np.random.default_rng(2)
    score = rng.uniform(0.0, 100.0, 40_000)
    hit = (rng.uniform(size=score.size) < 0.2 + 0.006 * score).astype(float)
    fitted = fit_isotonic(score, hit)
    asked = np.array([10.0, 50.0, 90.0])
    np.testing.assert_allclose(fitted.apply(asked), 0.2 + 0.006 * asked, atol=0.03)
    assert len(fitted.knots) == 20


@given(
    rows=st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=300),
    asked=st.lists(st.floats(-10.0, 110.0), min_size=2, max_size=20),
)
def test_a_higher_score_never_has_a_lower_chance(rows: list[tuple[int, bool]], asked: list[float]) -> None:
    score, hit = np.array([row[0] / 4 for row in rows]), np.array([float(row[1]) for row in rows])
    fitted = fit_isotonic(score, hit)
    found = fitted.apply(np.array(sorted(asked)))
    assert (np.diff(found) >= -1e-12).all()
    assert ((found >= 0.0) & (found <= 1.0)).all()


def test_the_order_of_outcomes_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    score, hit = rng.integers(0, 30, 900).astype(float), rng.integers(0, 2, 900).astype(float)
    shuffled = rng.permutation(900)
    assert fit_isotonic(score, hit) == fit_isotonic(score[shuffled], hit[shuffled])


def test_falling_chances_pool_to_the_base_rate() -> None:
    score = np.repeat([20.0, 80.0], 500)
    hit = np.concatenate([np.arange(500) < 300, np.arange(500) < 200]).astype(float)
    assert fit_isotonic(score, hit).chances == (0.5, 0.5)


def test_of_nothing_there_is_no_chance() -> None:
    with pytest.raises(InvariantViolation):
        fit_isotonic(np.empty(0), np.empty(0))
