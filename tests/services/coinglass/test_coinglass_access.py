"""Plan and refusals decide what is asked and in which bar size."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.errors import ProviderPlanLimited
from app.services.coinglass.access import PLAN_RETRY_S, Access
from app.services.coinglass.catalog import Plan
from app.services.transport.refusals import PLAN_REFUSAL_S, Refusals

OI = "futures_open_interest_aggregated_history"
HEATMAP = "futures_liquidation_aggregated_heatmap_model1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def refusals(clock: ManualClock) -> Refusals:
    return Refusals("coinglass", has_key=True, monotonic=clock.monotonic_s)


@pytest.fixture
def access(refusals: Refusals, clock: ManualClock) -> Access:
    return Access(refusals, monotonic=clock.monotonic_s)


def refuse(refusals: Refusals, interval: str) -> None:
    refusals.remember(OI, interval, ProviderPlanLimited("coinglass", OI, "x"))


@pytest.mark.parametrize(("level", "interval"), [("hobbyist", "4h"), ("startup", "1h"), (None, "1h")])
def test_bars_are_hourly_where_the_plan_has_them(access: Access, level: str | None, interval: str) -> None:
    access.learn_plan(level)
    assert access.interval_for(OI) == interval


def test_a_refused_hour_falls_back_to_four_for_six_hours(
    access: Access, refusals: Refusals, clock: ManualClock
) -> None:
    refuse(refusals, "1h")
    assert access.interval_for(OI) == "4h"
    clock.tick(PLAN_REFUSAL_S - 1)
    assert access.interval_for(OI) == "4h"
    clock.tick(1)
    assert access.interval_for(OI) == "1h"


def test_what_the_plan_lacks_is_refused_without_a_call(access: Access) -> None:
    access.learn_plan("standard")
    with pytest.raises(ProviderPlanLimited, match="standard"):
        access.ensure_allowed(HEATMAP, None)
    assert HEATMAP in access.not_in_plan()
    assert OI not in access.not_in_plan()


def test_an_endpoint_is_not_in_plan_only_when_no_bar_size_is_left(access: Access, refusals: Refusals) -> None:
    refuse(refusals, "1h")
    assert access.not_in_plan() == ()
    refuse(refusals, "4h")
    assert access.not_in_plan() == (OI,)


def test_a_new_plan_forgets_old_refusals(access: Access, refusals: Refusals) -> None:
    access.learn_plan("hobbyist")
    refuse(refusals, "4h")
    access.learn_plan("standard")
    assert access.interval_for(OI) == "1h"
    assert OI not in access.not_in_plan()


def test_a_level_nobody_knows_counts_as_unknown(access: Access) -> None:
    assert not access.learn_plan("platinum")
    assert access.plan is None


def test_the_plan_is_asked_for_by_one_caller_at_a_time(access: Access, clock: ManualClock) -> None:
    assert access.take_plan_turn()
    assert not access.take_plan_turn()
    clock.tick(PLAN_RETRY_S)
    assert access.take_plan_turn()
    access.plan_unanswered(will_answer_later=False)
    clock.tick(PLAN_RETRY_S)
    assert not access.take_plan_turn()


def test_a_known_plan_is_checked_again_after_hours(access: Access, clock: ManualClock) -> None:
    access.learn_plan("standard")
    assert access.plan is Plan.STANDARD
    clock.tick(PLAN_RETRY_S)
    assert not access.take_plan_turn()
    clock.tick(PLAN_REFUSAL_S)
    assert access.take_plan_turn()
