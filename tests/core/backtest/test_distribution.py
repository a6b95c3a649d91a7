"""The arithmetic of the published shares, on hand-made answers."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.backtest.distribution import AnsweredStep, build_distribution, spearman


def step(i: int, score: float, direction: str, missing: tuple[str, ...] = ()) -> AnsweredStep:
    return AnsweredStep(i * 3_600_000, score, 0.65, 100.0 + i, {"balanced": direction}, missing)


def test_shares_count_directions_per_mode() -> None:
    steps = [step(0, 70, "LONG"), step(1, 50, "NEUTRAL"), step(2, 50, "NEUTRAL"), step(3, 30, "SHORT")]
    shares = build_distribution(steps).shares["balanced"]
    assert shares == {"LONG": 0.25, "NEUTRAL": 0.5, "SHORT": 0.25}


def test_missing_inputs_are_counted_by_name() -> None:
    steps = [step(0, 50, "NEUTRAL", ("social",)), step(1, 50, "NEUTRAL", ("social", "fear_greed"))]
    assert build_distribution(steps).missing_steps == {"social": 2, "fear_greed": 1}


def test_percentiles_and_spread_are_in_score_points() -> None:
    found = build_distribution([step(i, float(i), "NEUTRAL") for i in range(101)])
    assert found.score_percentiles[5] == pytest.approx(5.0)
    assert found.score_percentiles[50] == pytest.approx(50.0)
    assert found.score_sd == pytest.approx(29.15, abs=0.01)


def test_spearman_reproduces_the_worked_number() -> None:
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([10.0, 30, 20, 40])) == pytest.approx(0.8)


def test_spearman_averages_ties_and_refuses_a_constant_side() -> None:
    assert spearman(np.array([1.0, 1, 2, 2]), np.array([1.0, 1, 2, 2])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])) is None


def test_correlation_looks_at_the_return_after_the_score_and_never_before() -> None:
    rng = np.random.default_rng(7)
    returns = rng.normal(0, 0.01, 200)
    prices = 100 * np.exp(np.concatenate([[0], np.cumsum(returns)]))
    # The score at i is the return from i to i+1: a perfect forecast must correlate with horizon 1.
    steps = [
        AnsweredStep(i, 50 + 1000 * returns[i], 1.0, prices[i], {"balanced": "NEUTRAL"}, ())
        for i in range(200)
    ]
    assert build_distribution(steps).rank_correlation[1] == pytest.approx(1.0)


def test_an_empty_run_has_no_distribution() -> None:
    with pytest.raises(ValueError, match="nothing was answered"):
        build_distribution([])
