"""The endpoint table agrees with the provider's own, and plan rules read as they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.services.coinglass.catalog import CALLS_PER_MINUTE, ENDPOINTS, INTERVALS, Plan, plan_allows

OI = "futures_open_interest_aggregated_history"


def test_hobbyist_has_four_hour_bars_but_not_hourly_ones() -> None:
    assert not plan_allows(Plan.HOBBYIST, OI, "1h")
    assert plan_allows(Plan.HOBBYIST, OI, "4h")
    assert plan_allows(Plan.HOBBYIST, OI, "1w")


def test_startup_has_half_hour_bars_but_not_quarter_hours() -> None:
    assert plan_allows(Plan.STARTUP, OI, "30m")
    assert not plan_allows(Plan.STARTUP, OI, "15m")


@pytest.mark.parametrize("plan", [Plan.HOBBYIST, Plan.STARTUP, Plan.STANDARD])
def test_heatmap_needs_professional(plan: Plan) -> None:
    assert not plan_allows(plan, "futures_liquidation_aggregated_heatmap_model1")
    assert plan_allows(Plan.PROFESSIONAL, "futures_liquidation_aggregated_heatmap_model1")


def test_an_unknown_plan_may_try_everything() -> None:
    assert all(plan_allows(None, endpoint, "1m") for endpoint in ENDPOINTS)


def test_a_rule_that_is_not_stated_counts_as_allowed() -> None:
    assert plan_allows(Plan.HOBBYIST, "user_account_subscription")


def test_enterprise_has_what_professional_has() -> None:
    for endpoint in ENDPOINTS:
        assert plan_allows(Plan.ENTERPRISE, endpoint) == plan_allows(Plan.PROFESSIONAL, endpoint)


def test_paths_and_plans_agree_with_the_contract(contracts: Path) -> None:
    listed = {entry["id"]: entry for entry in json.loads((contracts / "endpoints.json").read_text())}
    for endpoint in ENDPOINTS.values():
        assert endpoint.path == listed[endpoint.id]["path"], endpoint.id
        rules = {plan.value: rule for plan, rule in endpoint.plans.items() if plan is not Plan.ENTERPRISE}
        assert rules == listed[endpoint.id]["plans"], endpoint.id


def test_budgets_and_intervals_agree_with_the_contract(contracts: Path) -> None:
    errors = json.loads((contracts / "errors.json").read_text())
    limits = errors["rate_limits_per_minute"]
    assert {plan: CALLS_PER_MINUTE[plan] for plan in Plan if limits[plan] is not None} == {
        plan: calls for plan, calls in limits.items() if calls is not None
    }
    offered = set(errors["history_days_by_plan_and_interval"]["standard"]) - {"2h"}
    assert offered <= set(INTERVALS)
