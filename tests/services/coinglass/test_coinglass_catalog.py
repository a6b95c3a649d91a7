"""The endpoint table agrees with the provider's own, and plan rules read as they should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.coinglass.catalog import (
    CALLS_PER_MINUTE,
    ENDPOINTS,
    INTERVALS,
    Plan,
    cheapest_plan,
    history_days,
    plan_allows,
)

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


def contract(folder: Path) -> dict[str, Any]:
    return {entry["id"]: entry for entry in json.loads((folder / "endpoints.json").read_text())}


def test_the_catalogue_has_every_endpoint_of_the_contract(contracts: Path) -> None:
    assert set(ENDPOINTS) == set(contract(contracts))
    assert len(ENDPOINTS) == len({endpoint.path for endpoint in ENDPOINTS.values()}) == 163


def test_parameters_agree_with_the_contract(contracts: Path) -> None:
    for id_, entry in contract(contracts).items():
        ours = {p.name: (p.type, p.required, p.form, list(p.enum), p.max) for p in ENDPOINTS[id_].params}
        theirs = {
            p["name"]: (
                p["type"],
                p["required"],
                p.get("form"),
                p["enum"] or [],
                int(p["max"]) if p.get("max") else None,
            )
            for p in entry["params"]
        }
        assert ours == theirs, id_


UPDATE_S = {
    "real time": 0,
    "second": 1,
    "seconds": 1,
    "minute": 60,
    "minutes": 60,
    "hour": 3600,
    "day": 86400,
}


def test_update_periods_agree_with_the_contract(contracts: Path) -> None:
    for id_, entry in contract(contracts).items():
        told = entry["update_frequency"]
        count, _, word = (told or "").partition(" ")
        expected = None if told is None else 0 if told == "real time" else int(count) * UPDATE_S[word]
        assert ENDPOINTS[id_].update_s == expected, id_


def leaves(shape: Any, at: str = "data") -> Iterator[tuple[str, str]]:
    """(path as the contract writes it, kind) of every leaf; rows by place are one leaf."""
    if isinstance(shape, str):
        yield at, shape
    elif isinstance(shape, list):
        yield from leaves(shape[0], f"{at}[]")
    elif "@row" in shape:
        yield at, "@row"
    else:
        for key, child in shape.items():
            head, brace, rest = key.partition("{")
            windows, _, tail = rest.partition("}")
            yield from leaves(child, f"{at}.{head}{{w}}{tail}" if brace and windows else f"{at}.{key}")


def test_fields_agree_with_the_contract(contracts: Path) -> None:
    """Every documented figure has a kind here; what is here beyond it was seen live and says so (`?`)."""
    for id_, entry in contract(contracts).items():
        ours = dict(leaves(ENDPOINTS[id_].answer))
        if "@row" in ours.values():
            continue  # rows by place: compared with samples through the normaliser
        theirs = {
            field["name"].replace("<price>", "<exchange>")
            for field in entry["response_fields"]
            if field["type"] not in ("array", "object") and field["name"].startswith("data")
        }
        documented = {path.replace("[]", "") for path, kind in ours.items() if not kind.endswith("?")}
        named = {name.replace("[]", "") for name in theirs}
        lists = {field["name"].replace("[]", "") for field in entry["response_fields"]}
        assert named <= documented, (id_, named - documented)
        assert documented <= named | lists, (id_, documented - named - lists)


def test_what_a_name_or_its_meaning_says_of_the_unit_is_the_unit(contracts: Path) -> None:
    """The traps of the contract: percent, fractions and USD are what the words say they are."""
    fractions = {"open_interest_market_cap_ratio", "open_interest_volume_ratio", "return_on_equity"}
    for id_, entry in contract(contracts).items():
        kinds = {
            path.split(".")[-1].replace("[]", ""): kind.rstrip("#?")
            for path, kind in leaves(ENDPOINTS[id_].answer)
        }
        for field in entry["response_fields"]:
            leaf, meaning = field["name"].split(".")[-1].replace("[]", ""), field["meaning"]
            kind = kinds.get(leaf)
            if kind in (None, "@row", "text", "by_unit") or field["type"] in ("array", "object"):
                continue
            if leaf in fractions and "fraction" in meaning:
                assert kind == "frac", (id_, leaf)
            elif "percent" in leaf or "%" in meaning or "percent" in meaning:
                assert kind == "pct", (id_, leaf)
            elif "_usd" in leaf or re.search(r"\bUSD\b", meaning):
                assert kind in ("usd", "price"), (id_, leaf)
            elif meaning.endswith((", ms", "SECONDS", "seconds", "nanoseconds")):
                assert kind == "time", (id_, leaf)


def test_paths_and_plans_agree_with_the_contract(contracts: Path) -> None:
    listed = contract(contracts)
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


@pytest.mark.parametrize(
    ("endpoint", "interval", "plan"),
    [
        (OI, None, Plan.HOBBYIST),
        (OI, "4h", Plan.HOBBYIST),
        (OI, "1h", Plan.STARTUP),
        (OI, "5m", Plan.STANDARD),
        ("hyperliquid_whale_alert", None, Plan.STARTUP),
        ("futures_liquidation_aggregated_heatmap_model1", None, Plan.PROFESSIONAL),
        ("user_account_subscription", None, None),
    ],
)
def test_the_cheapest_plan_that_has_something(endpoint: str, interval: str | None, plan: Plan | None) -> None:
    assert cheapest_plan(endpoint, interval) is plan


def test_a_default_lies_inside_its_list() -> None:
    for endpoint in ENDPOINTS.values():
        for parameter in endpoint.params:
            if parameter.default is not None and parameter.enum:
                assert parameter.default in parameter.enum, (endpoint.id, parameter.name)


class TestDepth:
    def test_standard_sees_a_year_of_hours_and_all_days(self) -> None:
        assert history_days(Plan.STANDARD, "1h") == 360
        assert history_days(Plan.STANDARD, "1d") is None
        assert history_days(Plan.ENTERPRISE, "1h") == history_days(Plan.PROFESSIONAL, "1h") == 720
        assert history_days(None, "1h") is None

    def test_depths_are_those_of_the_contract(self, contracts: Path) -> None:
        stated = json.loads((contracts / "errors.json").read_text("utf-8"))
        for plan, depths in stated["history_days_by_plan_and_interval"].items():
            for interval, days in depths.items():
                if interval in INTERVALS and days is not None:
                    assert history_days(Plan(plan), interval) == (None if days == "all" else days)
