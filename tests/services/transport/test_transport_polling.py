"""The rule of the planner: the square root of demand, the caps, what is forgotten."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.transport.polling import HALF_LIFE_S, Demand, ideal_periods_s, mean_age_s, urgency

weights = st.lists(st.floats(0.01, 100), min_size=1, max_size=12)


def test_demand_halves_every_ten_minutes() -> None:
    demand = Demand()
    for _ in range(4):
        demand.add(1.0, 100.0)
    assert demand.read(100.0 + HALF_LIFE_S) == pytest.approx(2.0)
    assert demand.read(100.0 + 2 * HALF_LIFE_S) == pytest.approx(1.0)


def test_demand_does_not_grow_when_a_clock_steps_back() -> None:
    demand = Demand(4.0, 100.0)
    assert demand.read(50.0) == 4.0


def test_four_times_the_demand_is_as_urgent_after_half_the_time() -> None:
    assert urgency(4.0, 10.0) == urgency(1.0, 20.0) == 400.0


def test_periods_follow_the_square_root_of_demand() -> None:
    assert ideal_periods_s([4.0, 1.0], [0.0, 0.0], 0.3) == pytest.approx([5.0, 10.0])


@given(weights, st.floats(0.01, 10))
def test_the_whole_budget_is_spent_unless_nothing_can_be_gained(drawn: list[float], rate: float) -> None:
    periods = ideal_periods_s(drawn, [5.0] * len(drawn), rate)
    spent = sum(1 / period for period in periods)
    assert spent <= rate * (1 + 1e-9)
    if rate < len(drawn) / 5:
        assert spent == pytest.approx(rate)
    else:
        assert periods == pytest.approx([5.0] * len(drawn))


@given(weights, st.floats(0.01, 10))
def test_nothing_is_asked_faster_than_it_is_renewed_and_more_demand_is_never_slower(
    drawn: list[float], rate: float
) -> None:
    periods = ideal_periods_s(drawn, [5.0] * len(drawn), rate)
    assert all(period >= 5.0 - 1e-9 for period in periods)
    ranked = sorted(zip(drawn, periods, strict=True))
    assert all(a[1] >= b[1] - 1e-6 for a, b in itertools.pairwise(ranked))


def test_what_nobody_wants_is_never_asked() -> None:
    assert ideal_periods_s([1.0, 0.0], [1.0, 1.0], 0.1) == [pytest.approx(10.0), math.inf]
    assert ideal_periods_s([1.0], [1.0], 0.0) == [math.inf]


def test_a_mean_age_is_weighted_by_demand() -> None:
    assert mean_age_s([3.0, 1.0], [10.0, 50.0]) == 20.0
    assert mean_age_s([], []) is None
