"""All CoinGlass endpoints: where they live, what they take, which plan has them and what they answer.

The table is `app/coinglass_endpoints.json`, one row an endpoint, read once at import; a test compares it with
the contract. No memory of refusals (that is `access`). Read by everything in this package.
Source: CoinGlass API v4 pages and plan tables, checked January to mid 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS

# Bar sizes CoinGlass offers on history endpoints, in milliseconds.
INTERVALS: Mapping[str, int] = {
    **INTERVAL_MS,
    "3m": 180_000,
    "6h": 6 * HOUR_MS,
    "1w": 7 * DAY_MS,
}


class Plan(StrEnum):
    """Plan levels as the account endpoint names them, in lower case."""

    HOBBYIST = "hobbyist"
    STARTUP = "startup"
    STANDARD = "standard"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


# Enterprise budgets are individual; the usage headers correct this floor after the first call.
CALLS_PER_MINUTE: Mapping[Plan, int] = {
    Plan.HOBBYIST: 30,
    Plan.STARTUP: 80,
    Plan.STANDARD: 300,
    Plan.PROFESSIONAL: 1200,
    Plan.ENTERPRISE: 1200,
}

# True: in the plan; False: not; ">=4h": from that bar size up; None: not stated.
PlanRule = bool | str | None


_LEVELS = (Plan.HOBBYIST, Plan.STARTUP, Plan.STANDARD, Plan.PROFESSIONAL)
# How the table's rows word their plans: a rule for each of the four levels.
_RULES: Mapping[str, tuple[PlanRule, PlanRule, PlanRule, PlanRule]] = {
    "every": (True, True, True, True),
    "bars": (">=4h", ">=30m", True, True),
    "startup": (False, True, True, True),
    "standard": (False, False, True, True),
    "professional": (False, False, False, True),
    "unstated": (None, None, None, None),
}


class Parameter(msgspec.Struct, frozen=True):
    """One query parameter. form: `coin` or `pair` for symbols; max: largest number."""

    name: str
    type: str
    required: bool = False
    form: str | None = None
    enum: tuple[str, ...] = ()
    max: int | None = None
    default: str | None = None


class _Row(msgspec.Struct, frozen=True):
    id: str
    group: str
    path: str
    about: str
    plans: str
    update_s: float | None
    params: tuple[Parameter, ...]
    answer: Any
    success: bool = False
    message: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One REST endpoint.

    plans: a rule per plan. update_s: how often the provider renews it; 0 for "real time", None when it does
    not say. answer: the shape of `data`, kinds as leaves (see `normalise`).
    """

    id: str
    group: str
    path: str
    about: str
    plans: Mapping[Plan, PlanRule]
    update_s: float | None
    params: tuple[Parameter, ...]
    answer: Any


def _endpoint(row: _Row) -> Endpoint:
    rules = _RULES[row.plans]
    # Enterprise has what Professional has.
    plans: dict[Plan, PlanRule] = {**dict(zip(_LEVELS, rules, strict=True)), Plan.ENTERPRISE: rules[-1]}
    return Endpoint(row.id, row.group, row.path, row.about, plans, row.update_s, row.params, row.answer)


def _read() -> Mapping[str, Endpoint]:
    file = Path(__file__).resolve().parents[2] / "coinglass_endpoints.json"
    rows = msgspec.json.decode(file.read_bytes(), type=list[_Row])
    return {row.id: _endpoint(row) for row in rows}


ENDPOINTS: Mapping[str, Endpoint] = _read()


def plan_allows(plan: Plan | None, endpoint_id: str, interval: str | None = None) -> bool:
    """Whether `plan` includes the endpoint, and bars of `interval` when one is given.

    An unknown plan and a rule that is not stated count as allowed: the provider's answer decides.
    Worked example: Hobbyist has open interest history from 4h, so 1h is False and 4h is True.
    """
    if plan is None:
        return True
    rule = ENDPOINTS[endpoint_id].plans.get(plan)
    if isinstance(rule, str):
        return interval is None or INTERVALS[interval] >= INTERVALS[rule.removeprefix(">=")]
    return rule is not False


def cheapest_plan(endpoint_id: str, interval: str | None = None) -> Plan | None:
    """The smallest plan that is stated to have the endpoint, and bars of `interval` when one is given.

    None where the plans are not stated. Worked example: open interest history at 1h -> Startup.
    """
    for plan in Plan:
        rule = ENDPOINTS[endpoint_id].plans.get(plan)
        if rule is not None and plan_allows(plan, endpoint_id, interval):
            return plan
    return None


# Days of history by plan and bar size; a size not named has the depth of the next larger one that is.
_DEPTH_DAYS: Mapping[Plan, Mapping[str, int]] = {
    Plan.HOBBYIST: {"4h": 180, "12h": 360},
    Plan.STARTUP: {"30m": 90, "4h": 180, "12h": 360},
    Plan.STANDARD: {"1m": 6, "3m": 20, "5m": 30, "15m": 90, "30m": 180, "12h": 360},
    Plan.PROFESSIONAL: {"1m": 12, "3m": 40, "5m": 60, "15m": 180, "30m": 360, "12h": 720},
}


def history_days(plan: Plan | None, interval: str) -> int | None:
    """How far back bars of `interval` reach; None: since the listing, or not stated (plan not known).

    Worked example: Standard has 360 days of 1h bars, and daily bars since the listing.
    """
    depths = {} if plan is None else _DEPTH_DAYS.get(plan, _DEPTH_DAYS[Plan.PROFESSIONAL])
    return next((days for name, days in depths.items() if INTERVALS[name] >= INTERVALS[interval]), None)


# What "real time" and silence about the update frequency are taken for.
REAL_TIME_S = 5.0
UNKNOWN_UPDATE_S = 60.0


def min_period_s(endpoint_id: str) -> float:
    """Seconds below which asking again cannot bring anything new."""
    update_s = ENDPOINTS[endpoint_id].update_s
    return UNKNOWN_UPDATE_S if update_s is None else max(update_s, REAL_TIME_S)
