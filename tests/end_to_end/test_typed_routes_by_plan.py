"""The typed routes on the simulator: each plan, no key at all, figures that agree with their market."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.domain.views import View
from app.services.coinglass.parse import parse_fear_greed
from tests.live_rig import NOW_MS, WORLD, Rig, live_rig

PLANS = ("hobbyist", "startup", "standard", "professional")
NO_KEY = {"COINGLASS_API_KEY": ""}
ROUTES = (
    "/coinglass/markets",
    "/coinglass/markets/BTC",
    "/coinglass/perpetual-market/BTC",
    "/coinglass/liquidations/BTC?include_orders=true&include_map=true",
    "/coinglass/liquidations/BTC/heatmap",
    "/coinglass/long-short-ratio/BTC",
    "/coinglass/funding-rate/BTC",
    "/coinglass/open-interest/BTC",
    "/coinglass/supported-coins",
    "/coinglass/exchanges",
    "/coinglass/dashboard/BTC",
    "/advanced/whale/alerts",
    "/advanced/whale/positions",
    "/replay/oi/BTC",
)
# What nobody has on a plan, and the plan that has it. OKX answers the rest.
LACKING = {
    "hobbyist": {
        View.LIQUIDATION_MAP: "professional",
        View.LIQUIDATION_HEATMAP: "professional",
        View.WHALE_ALERTS: "startup",
        View.WHALE_POSITIONS: "startup",
    },
    "startup": {
        View.LIQUIDATION_MAP: "professional",
        View.LIQUIDATION_HEATMAP: "professional",
    },
    "standard": {View.LIQUIDATION_MAP: "professional", View.LIQUIDATION_HEATMAP: "professional"},
    "professional": {},
}


async def ask(rig: Rig, path: str) -> dict[str, Any]:
    answer = await rig.app.client.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def numbers_in(node: Any) -> Iterator[float]:
    if isinstance(node, dict):
        for value in node.values():
            yield from numbers_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from numbers_in(value)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield float(node)


@pytest.mark.parametrize("plan", PLANS)
async def test_each_plan_answers_what_it_has_and_names_the_plan_for_the_rest(plan: str) -> None:
    missing: dict[str, str | None] = {}
    async with live_rig(plan=plan) as rig:
        for path in ROUTES:
            body = await ask(rig, path)
            missing |= {part["part"]: part["planNeeded"] for part in body["missing"]}
            assert all(abs(number) < 1e15 for number in numbers_in(body))
        refused = [call for call in rig.sim.calls("coinglass") if call["status"] != 200]
        codes = {record.outcome for record in rig.app.records if record.provider == "coinglass"}
    assert missing == LACKING[plan]
    # What the plan lacks is known beforehand: no call was spent on it.
    assert refused == []
    assert codes <= {"ok"}


async def test_without_a_key_okx_answers_under_its_own_name() -> None:
    async with live_rig(NO_KEY) as rig:
        providers: set[str] = set()
        missing: dict[str, tuple[str, str | None]] = {}
        for path in ROUTES:
            body = await ask(rig, path)
            providers |= {source["provider"] for source in body["sources"]}
            missing |= {part["part"]: (part["reason"], part["planNeeded"]) for part in body["missing"]}
        assert rig.sim.calls("coinglass") == []
    assert providers == {"okx"}
    assert missing == {
        View.LIQUIDATION_MAP: ("not_configured", "professional"),
        View.LIQUIDATION_HEATMAP: ("not_configured", "professional"),
        View.WHALE_ALERTS: ("not_configured", "startup"),
        View.WHALE_POSITIONS: ("not_configured", "startup"),
    }


@pytest.mark.parametrize("settings", [{}, NO_KEY])
async def test_price_and_sides_agree_with_the_market_behind_them(settings: dict[str, str]) -> None:
    async with live_rig(settings) as rig:
        market = (await ask(rig, "/coinglass/markets/BTC"))["market"]
        windows = (await ask(rig, "/coinglass/liquidations/BTC"))["windows"]
    price = WORLD.last_price("BTC")
    assert price is not None
    assert market["priceUsd"] == pytest.approx(price[0], rel=0.002)
    exchanges = ("OKX",) if settings else ("All",)
    day_ms = 24 * 3_600_000
    truth = WORLD.liquidations("BTC", exchanges, 300_000, NOW_MS - day_ms, NOW_MS + 1)
    day = next(window for window in windows if window["window"] == "24h")
    # Edges of bars and of windows differ by minutes of a day.
    assert day["longUsd"] == pytest.approx(float(truth.long_usd.sum()), rel=0.06)
    assert day["shortUsd"] == pytest.approx(float(truth.short_usd.sum()), rel=0.06)


@pytest.mark.parametrize(("settings", "by"), [({}, "coinglass"), (NO_KEY, "okx")])
async def test_the_list_of_markets_is_the_watchlist_where_the_plan_has_no_list(
    settings: dict[str, str], by: str
) -> None:
    async with live_rig(settings, plan="hobbyist") as rig:
        body = await ask(rig, "/coinglass/markets")
        (one,) = [item for item in body["items"] if item["symbol"] == "BTC"]
        alone = (await ask(rig, "/coinglass/markets/BTC"))["market"]
    assert body["total"] == len(body["items"]) == 3
    assert one == alone
    assert all(item["reduced"] for item in body["items"])
    (fallback,) = body["fallbacks"]
    assert (fallback["answeredBy"], fallback["planNeeded"]) == (by, "standard")
    assert fallback["without"][0] == "coins outside the watchlist"
    assert body["missing"] == []


async def test_the_reduced_market_agrees_with_the_whole_one() -> None:
    found = {}
    for plan in ("hobbyist", "standard"):
        async with live_rig(plan=plan) as rig:
            found[plan] = (await ask(rig, "/coinglass/markets/BTC"))["market"]
    reduced, whole = found["hobbyist"], found["standard"]
    assert (reduced["reduced"], whole["reduced"]) == (True, False)
    assert reduced["priceUsd"] == pytest.approx(whole["priceUsd"], rel=0.002)
    assert reduced["openInterestUsd"] == pytest.approx(whole["openInterestUsd"], rel=0.01)
    assert reduced["marketCapUsd"] is None


async def test_a_bar_below_the_floor_of_the_plan_comes_from_okx() -> None:
    async with live_rig(plan="hobbyist") as rig:
        own = await ask(rig, "/coinglass/long-short-ratio/BTC")
        asked = await ask(rig, "/coinglass/long-short-ratio/BTC?interval=h1")
    assert (own["interval"], own["sources"][0]["provider"]) == ("4h", "coinglass")
    assert (asked["interval"], asked["sources"][0]["provider"]) == ("1h", "okx")


async def test_bars_of_another_source_say_whose_they_are_and_which_plan_has_the_whole() -> None:
    async with live_rig(plan="hobbyist") as rig:
        body = await ask(rig, "/coinglass/open-interest/BTC?interval=1h")
    assert body["scope"] == "all exchanges"
    assert body["barsScope"].startswith("OKX")
    assert body["bars"][-1]["closeUsd"] < body["openInterestUsd"] / 2
    (fallback,) = body["fallbacks"]
    assert (fallback["part"], fallback["answeredBy"]) == ("open_interest_history", "okx")
    assert (fallback["reason"], fallback["planNeeded"]) == ("not_in_plan", "startup")


async def test_without_a_key_open_interest_is_now_and_its_changes_agree_with_its_row() -> None:
    async with live_rig(NO_KEY) as rig:
        body = await ask(rig, "/coinglass/open-interest/PEPE?interval=d1")
    (row,) = body["exchanges"]
    assert (body["openInterestUsd"], body["openInterestBase"]) == (
        row["openInterestUsd"],
        row["openInterestBase"],
    )
    assert body["scope"] == "OKX alone"
    assert body["interval"] == "1d"
    changes = {change["window"]: change["changeFrac"] for change in body["changes"]}
    assert changes["24h"] == row["change24hFrac"]
    assert None not in changes.values()


async def test_every_fallback_of_a_plan_names_its_source_and_the_plan_with_the_whole() -> None:
    async with live_rig(plan="hobbyist") as rig:
        ratios = (await ask(rig, "/coinglass/long-short-ratio/BTC?interval=1h"))["fallbacks"]
        own = (await ask(rig, "/coinglass/long-short-ratio/BTC"))["fallbacks"]
        (market,) = (await ask(rig, "/coinglass/markets/BTC"))["fallbacks"]
    assert {(part["answeredBy"], part["planNeeded"]) for part in ratios} == {("okx", "startup")}
    assert own == []
    assert (market["answeredBy"], market["planNeeded"]) == ("coinglass", "standard")
    assert {"marketCapUsd", "liquidations 1h 4h 12h"} <= set(market["without"])


async def test_a_dashboard_without_a_key_names_every_fallback_within_its_size() -> None:
    async with live_rig(NO_KEY) as rig:
        answer = await rig.app.client.get("/coinglass/dashboard/BTC")
    body = answer.json()
    assert {part["part"] for part in body["fallbacks"]} == {source["part"] for source in body["sources"]}
    assert {part["reason"] for part in body["fallbacks"]} == {"not_configured"}
    assert all(part["planNeeded"] for part in body["fallbacks"])
    assert len(answer.content) <= 20_000


async def test_orders_name_their_exchange_like_every_other_part() -> None:
    async with live_rig(plan="standard") as rig:
        body = await ask(rig, "/coinglass/liquidations/BTC?include_orders=true")
    assert {order["exchange"] for order in body["orders"]} <= {"Binance", "OKX", "Bybit"}
    assert body["ordersMinUsd"] == 10_000
    assert min(order["sizeUsd"] for order in body["orders"]) >= 10_000


async def test_oi_trend_from_aggregated_history_rows_is_not_zero() -> None:
    """The earlier system read `openInterest` from rows that have time, open, high, low, close: 0 for ever."""
    async with live_rig() as rig:
        body = await ask(rig, "/coinglass/open-interest/BTC")
        signal = await rig.signal()
    bars = body["bars"]
    assert len({bar["closeUsd"] for bar in bars}) > 40
    assert all(bar["lowUsd"] <= bar["closeUsd"] <= bar["highUsd"] for bar in bars)
    trend = next(item for item in signal["debug"]["factors"] if item["name"] == "oi_trend")
    assert trend["evidence"] != 0


@pytest.mark.parametrize("shape", ["documented", "live"])
async def test_fear_and_greed_in_both_shapes_is_the_newest_value(shape: str) -> None:
    """The earlier system expected `[{value}]` and reported 50 for ever."""
    lists = {"data_list": [30, 41, 72], "time_list": [NOW_MS - d * 86_400_000 for d in (3, 2, 1)]}
    data: Any = [lists] if shape == "documented" else lists
    body = json.dumps({"code": "0", "data": data}).encode()
    series = parse_fear_greed(body, endpoint="index_fear_greed_history")
    assert series.values[-1] == 72
