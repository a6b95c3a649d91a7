"""The paper's example of a deflated Sharpe ratio, and what its parts do at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.errors import InvariantViolation
from app.core.outcomes.sharpe import ReturnShape, deflated_sharpe, describe_returns, expected_best_sharpe

PAPER = ReturnShape(sharpe=2.5 / math.sqrt(250), skewness=-3.0, kurtosis=10.0, n=1_250)


def test_the_example_of_the_paper() -> None:
    benchmark = expected_best_sharpe(0.5 / 250, 100)
    assert benchmark == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, benchmark) == pytest.approx(0.9004, abs=5e-5)


def test_more_tries_deflate_more() -> None:
    said = [deflated_sharpe(PAPER, expected_best_sharpe(0.5 / 250, tries)) for tries in (1, 10, 100, 1_000)]
    assert said == sorted(said, reverse=True)
    assert said[0] > 0.99


def test_a_single_try_was_not_chosen() -> None:
    assert expected_best_sharpe(0.5, 1) == 0.0
    assert expected_best_sharpe(0.0, 100) == 0.0
    with pytest.raises(InvariantViolation):
        expected_best_sharpe(0.5, 0)
    with pytest.raises(InvariantViolation):
        expected_best_sharpe(float("nan"), 2)


def test_shape_by_hand() -> None:
    found = describe_returns(np.array([0.01, -0.01, 0.01, 0.03]))
    assert found is not None
    assert found.sharpe == pytest.approx(0.01 / math.sqrt(0.0008 / 3))
    assert (found.skewness, found.kurtosis, found.n) == (pytest.approx(0.0, abs=1e-9), pytest.approx(2.0), 4)


def test_upside_down_returns_have_the_opposite_ratio_and_skewness() -> None:
    returns = np.random.default_rng(1).gamma(2.0, 0.01, 300) - 0.015
    found, other = describe_returns(returns), describe_returns(-returns)
    assert found is not None
    assert other == ReturnShape(-found.sharpe, pytest.approx(-found.skewness), found.kurtosis, 300)
    assert deflated_sharpe(found, 0.0) == pytest.approx(1.0 - deflated_sharpe(other, 0.0))


def test_returns_that_never_differ_have_no_ratio() -> None:
    assert describe_returns(np.full(40, 0.01)) is None
    assert describe_returns(np.zeros(40)) is None
    assert describe_returns(np.array([0.01])) is None


def test_the_most_lopsided_returns_still_have_a_probability() -> None:
    found = ReturnShape(sharpe=1.0, skewness=2.0, kurtosis=5.0, n=100)
    assert deflated_sharpe(found, 0.5) == pytest.approx(1.0)
