"""Which CoinGlass endpoints are used, where they live and which plan has them.

A plain data table in the shape of the provider's own catalogue, so a fuller table can replace it without
touching callers. No I/O and no memory of refusals (that is `access`); read by `access`, `client` and tests.
Source: CoinGlass API v4 plan tables, checked January to March 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One REST endpoint: our id, its path, and a rule per plan (a plan without a rule is "not stated")."""

    id: str
    path: str
    plans: Mapping[Plan, PlanRule]


def _rules(
    hobbyist: PlanRule, startup: PlanRule, standard: PlanRule, professional: PlanRule
) -> Mapping[Plan, PlanRule]:
    return {
        Plan.HOBBYIST: hobbyist,
        Plan.STARTUP: startup,
        Plan.STANDARD: standard,
        Plan.PROFESSIONAL: professional,
        Plan.ENTERPRISE: professional,
    }


_EVERY_PLAN = _rules(True, True, True, True)
_HISTORY = _rules(">=4h", ">=30m", True, True)
_FROM_STARTUP = _rules(False, True, True, True)
_FROM_STANDARD = _rules(False, False, True, True)
_PROFESSIONAL = _rules(False, False, False, True)
_NOT_STATED = _rules(None, None, None, None)

_TABLE: tuple[tuple[str, str, Mapping[Plan, PlanRule]], ...] = (
    ("user_account_subscription", "/api/user/account/subscription", _NOT_STATED),
    ("futures_supported_coins", "/api/futures/supported-coins", _EVERY_PLAN),
    ("futures_supported_exchange_pairs", "/api/futures/supported-exchange-pairs", _EVERY_PLAN),
    ("futures_coins_markets", "/api/futures/coins-markets", _FROM_STANDARD),
    ("futures_pairs_markets", "/api/futures/pairs-markets", _EVERY_PLAN),
    ("futures_price_history", "/api/futures/price/history", _HISTORY),
    (
        "futures_liquidation_aggregated_history",
        "/api/futures/liquidation/aggregated-history",
        _HISTORY,
    ),
    ("futures_liquidation_exchange_list", "/api/futures/liquidation/exchange-list", _EVERY_PLAN),
    (
        "futures_open_interest_aggregated_history",
        "/api/futures/open-interest/aggregated-history",
        _HISTORY,
    ),
    ("futures_open_interest_exchange_list", "/api/futures/open-interest/exchange-list", _EVERY_PLAN),
    (
        "futures_funding_rate_oi_weight_history",
        "/api/futures/funding-rate/oi-weight-history",
        _HISTORY,
    ),
    ("futures_funding_rate_exchange_list", "/api/futures/funding-rate/exchange-list", _EVERY_PLAN),
    (
        "futures_global_long_short_account_ratio_history",
        "/api/futures/global-long-short-account-ratio/history",
        _HISTORY,
    ),
    (
        "futures_top_long_short_account_ratio_history",
        "/api/futures/top-long-short-account-ratio/history",
        _HISTORY,
    ),
    (
        "futures_top_long_short_position_ratio_history",
        "/api/futures/top-long-short-position-ratio/history",
        _HISTORY,
    ),
    (
        "futures_aggregated_taker_buy_sell_volume_history",
        "/api/futures/aggregated-taker-buy-sell-volume/history",
        _HISTORY,
    ),
    (
        "futures_liquidation_aggregated_heatmap_model1",
        "/api/futures/liquidation/aggregated-heatmap/model1",
        _PROFESSIONAL,
    ),
    (
        "futures_liquidation_aggregated_heatmap_model2",
        "/api/futures/liquidation/aggregated-heatmap/model2",
        _PROFESSIONAL,
    ),
    (
        "futures_liquidation_aggregated_heatmap_model3",
        "/api/futures/liquidation/aggregated-heatmap/model3",
        _PROFESSIONAL,
    ),
    ("futures_liquidation_order", "/api/futures/liquidation/order", _FROM_STANDARD),
    ("futures_liquidation_aggregated_map", "/api/futures/liquidation/aggregated-map", _PROFESSIONAL),
    ("futures_liquidation_max_pain", "/api/futures/liquidation/max-pain", _PROFESSIONAL),
    ("hyperliquid_whale_alert", "/api/hyperliquid/whale-alert", _FROM_STARTUP),
    ("hyperliquid_whale_position", "/api/hyperliquid/whale-position", _FROM_STARTUP),
    ("index_fear_greed_history", "/api/index/fear-greed-history", _EVERY_PLAN),
)

ENDPOINTS: Mapping[str, Endpoint] = {id_: Endpoint(id_, path, plans) for id_, path, plans in _TABLE}


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
