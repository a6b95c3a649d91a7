"""Intervals of a share, how many trades would tell, falls of a running total: the numbers of the books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvariantViolation
from app.core.outcomes.statistics import drawdown, needed_n, wilson


@pytest.mark.parametrize(
    "wins, n, low, high", [(6, 10, 31.3, 83.2), (55, 100, 45.2, 64.4), (550, 1000, 51.9, 58.1)]
)
def test_wilson_intervals_are_those_of_the_books(wins: int, n: int, low: float, high: float) -> None:
    found = wilson(wins, n)
    assert found is not None
    assert (round(100 * found[0], 1), round(100 * found[1], 1)) == (low, high)


def test_nothing_has_no_interval_and_no_interval_leaves_zero_to_one() -> None:
    assert wilson(0, 0) is None
    assert wilson(0, 5) == (0.0, pytest.approx(0.4345, abs=1e-4))
    assert wilson(5, 5) == (pytest.approx(0.5655, abs=1e-4), 1.0)


@given(n=st.floats(0.5, 1e6), share=st.floats(0.0, 1.0))
def test_an_interval_holds_its_share_and_mirrors(n: float, share: float) -> None:
    found, other = wilson(share * n, n), wilson((1.0 - share) * n, n)
    assert found is not None
    assert other is not None
    low, high = found
    assert 0.0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1.0
    assert (1.0 - other[1], 1.0 - other[0]) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


@given(n=st.floats(1.0, 1e5), share=st.floats(0.0, 1.0))
def test_fewer_independent_outcomes_are_less_sure(n: float, share: float) -> None:
    few, many = wilson(share * n, n), wilson(share * 4 * n, 4 * n)
    assert few is not None
    assert many is not None
    assert few[1] - few[0] >= many[1] - many[0]


def test_fifty_five_percent_is_told_from_even_by_783_trades() -> None:
    assert needed_n(0.55) == 783
    assert needed_n(0.45) == 783
    assert needed_n(0.60) < 200
    assert needed_n(0.65, 0.60) > needed_n(0.70, 0.60)


@pytest.mark.parametrize("share, against", [(0.5, 0.5), (0.6, 0.0), (1.1, 0.5), (float("nan"), 0.5)])
def test_what_no_number_of_trades_tells_is_refused(share: float, against: float) -> None:
    with pytest.raises(InvariantViolation):
        needed_n(share, against)


def test_the_deepest_fall_is_from_the_highest_point_before_it() -> None:
    assert drawdown(np.array([1.0, 3.0, 2.0, 0.5, 4.0])) == 2.5
    assert drawdown(np.array([-1.0, -2.0, 5.0])) == 2.0  # it began at 0
    assert drawdown(np.array([1.0, 2.0])) == 0.0
    assert drawdown(np.empty(0)) == 0.0
