"""All 163 endpoints of the catalogue on each of the four plans, through the API against the simulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.services.coinglass.catalog import ENDPOINTS, Plan, plan_allows
from app.services.coinglass.unit_names import unit_name
from tests.coinglass_requests import good_params, read_rows
from tests.live_rig import Rig, live_rig

ROWS = {row["id"]: row for row in read_rows()}
PLANS = ("hobbyist", "startup", "standard", "professional")
UNIT = re.compile(r"(?:Usd|Base|Pct|Frac|Ratio|Score|H|Days|Ms|Contracts)$")
# The smallest plan makes 30 calls a minute; a few belong to the start.
BATCH = 20


async def ask(rig: Rig, endpoint: str, **params: str) -> Any:
    return await rig.app.client.get(f"/coinglass/endpoints/{endpoint}", params=params)


def few_rows(row: Any) -> dict[str, str]:
    """Where the number of rows may be asked for: thousands of them say no more than some."""
    return {"limit": "40"} if any(param["name"] == "limit" for param in row["params"]) else {}


def numbers_in(node: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "other":
                yield from numbers_in(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from numbers_in(value, name)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield name, float(node)


def unitless(endpoint: str) -> set[str]:
    """Names whose kind in the catalogue has no unit."""
    found: set[str] = set()

    def walk(shape: Any, key: str) -> None:
        if isinstance(shape, str):
            if shape.rstrip("#?") in ("index", "count", "correlation", "multiple", "id"):
                found.add(unit_name(key, shape, "usd"))
        elif isinstance(shape, list):
            walk(shape[0], key)
        elif "@row" in shape:
            for name, kind in shape["@row"]:
                walk(kind, name)
        else:
            for name, child in shape.items():
                head, _, rest = name.partition("{")
                windows, _, tail = rest.partition("}")
                for window in windows.split(",") if rest else [""]:
                    walk(child, f"{head}{window}{tail}")

    walk(ENDPOINTS[endpoint].answer, "")
    return found


@pytest.mark.parametrize("plan", PLANS)
async def test_every_endpoint_answers_or_says_which_plan_has_it_without_a_call(plan: str) -> None:
    answered: set[str] = set()
    refused: set[str] = set()
    async with live_rig(plan=plan) as rig:
        for place, (endpoint, row) in enumerate(ROWS.items()):
            if place % BATCH == 0:
                rig.advance(61)
            # On the plan that has everything by its required parameters alone.
            params = good_params(row) | ({} if plan == "professional" else few_rows(row))
            rig.sim.forget_calls()
            answer = await ask(rig, endpoint, **params)
            calls = rig.sim.calls("coinglass")
            body = answer.json()
            if row["plans"] == "unstated" and answer.status_code == 400:
                # Nothing says which plan has it, so CoinGlass itself has to refuse it.
                assert body["code"] == "plan_too_low", (endpoint, body)
                assert [call["endpoint"] for call in calls] == [endpoint]
                refused.add(endpoint)
            elif plan_allows(
                Plan(plan), endpoint, params.get("interval") if row["plans"] == "bars" else None
            ):
                assert answer.status_code == 200, (endpoint, body)
                assert [call["endpoint"] for call in calls] == [endpoint]
                assert body["data"], endpoint
                plain = unitless(endpoint)
                for name, number in numbers_in(body["data"]):
                    assert abs(number) < 1e16, (endpoint, name)
                    assert name in plain or UNIT.search(name), (endpoint, name)
                answered.add(endpoint)
            else:
                assert (answer.status_code, body["code"]) == (400, "plan_too_low"), (endpoint, body)
                assert ENDPOINTS[endpoint].id in body["detail"]
                assert calls == [], endpoint
        assert not [call for call in rig.sim.calls("coinglass") if call["status"] == 429]
    expected = {id_ for id_ in ROWS if plan_allows(Plan(plan), id_)}
    assert answered == expected - refused
    assert refused <= {"futures_hyperliquid_position_distribution_by_tag_history"}


async def test_a_bar_below_the_floor_is_refused_with_the_plan_that_has_it() -> None:
    async with live_rig(plan="hobbyist") as rig:
        rig.sim.forget_calls()
        answer = await ask(
            rig, "futures_open_interest_aggregated_history", symbol="BTC", interval="h1", unit="usd"
        )
        assert rig.sim.calls("coinglass") == []
    assert answer.status_code == 400
    assert answer.json()["code"] == "plan_too_low"
    assert "startup" in answer.json()["detail"]
    assert answer.json()["planNeeded"] == "startup"


async def test_raw_is_what_the_provider_sent_and_the_normal_form_is_ours() -> None:
    async with live_rig() as rig:
        params = {"symbol": "BTC", "interval": "4h", "limit": "3"}
        raw = (await ask(rig, "futures_funding_rate_oi_weight_history", **params, raw="true")).json()
        ours = (await ask(rig, "futures_funding_rate_oi_weight_history", **params)).json()
    first, mine = raw["data"][0], ours["data"][0]
    assert isinstance(first["close"], str)
    assert mine["closePct"] == float(first["close"])
    assert mine["timeMs"] == first["time"]
    assert mine["time"].endswith("Z")
    assert (ours["cache"], ours["plan"], ours["truncated"]) == ("hit", "professional", False)


async def test_a_long_answer_is_walked_by_cursor_from_its_newest_rows() -> None:
    async with live_rig() as rig:
        params = {"exchange": "Binance", "symbol": "BTCUSDT", "interval": "5m", "limit": "1000"}
        seen: list[int] = []
        cursor = ""
        for _ in range(80):
            answer = await ask(rig, "futures_volume_footprint_history", **params, cursor=cursor)
            page = answer.json()
            assert len(answer.content) < 100_000
            seen = [row["timeMs"] for row in page["data"]] + seen
            cursor = page["next"] or ""
            if not cursor:
                break
    assert len(seen) == page["rows"] == 1000
    assert seen == sorted(set(seen))
    assert page["newestAt"] is not None


async def test_wrong_case_and_unknown_names_are_mended_or_refused_before_a_call() -> None:
    async with live_rig() as rig:
        taker = "futures_aggregated_taker_buy_sell_volume_history"
        params = {"symbol": "btc", "interval": "4H", "limit": "3"}
        mended = await ask(rig, taker, **params, exchange_list="binance, okx")
        exact = await ask(rig, taker, symbol="BTC", interval="4h", limit="3", exchange_list="Binance,OKX")
        rig.sim.forget_calls()
        unknown = await ask(rig, taker, **params, exchange_list="Binance,Foo")
        pair = {"exchange": "Binance", "symbol": "PEPE", "interval": "4h"}
        coin = await ask(rig, "futures_price_history", **pair)
        assert rig.sim.calls("coinglass") == []
    assert mended.json()["data"] == exact.json()["data"] != []
    assert (unknown.status_code, coin.status_code) == (400, 400)
    assert "symbol=PEPEUSDT" in coin.json()["detail"]


async def test_options_in_coins_are_named_and_sized_in_coins() -> None:
    async with live_rig() as rig:
        params = {"symbol": "BTC", "range": "1h"}
        (usd,) = (await ask(rig, "option_exchange_oi_history", **params, unit="usd")).json()["data"]
        (coins,) = (await ask(rig, "option_exchange_oi_history", **params, unit="btc")).json()["data"]
    price = usd["priceListUsd"][-1]
    ratio = usd["dataMap"][0]["valuesUsd"][-1] / coins["dataMap"][0]["valuesBase"][-1]
    assert ratio == pytest.approx(price, rel=0.01)


async def test_the_list_shows_what_this_key_may_ask_for() -> None:
    async with live_rig(plan="startup") as rig:
        whole = (await rig.app.client.get("/coinglass/endpoints")).json()
        open_ = (await rig.app.client.get("/coinglass/endpoints?available=true")).json()
        liquidation = (await rig.app.client.get("/coinglass/endpoints?group=futures/liquidation")).json()
        professional = (await rig.app.client.get("/coinglass/endpoints?plan=hobbyist")).json()
    assert whole["total"] == len(whole["items"]) == 163
    assert liquidation["total"] == len(liquidation["items"])
    lacking = {item["id"] for item in whole["items"] if not item["available"]}
    assert {item["whyNot"] for item in whole["items"] if item["id"] in lacking} == {"not_in_plan"}
    assert {item["id"] for item in open_["items"]} == set(ROWS) - lacking
    assert lacking == {id_ for id_ in ROWS if not plan_allows(Plan.STARTUP, id_)}
    assert {item["group"] for item in liquidation["items"]} == {"futures/liquidation"}
    assert all(item["plans"]["hobbyist"] != "no" for item in professional["items"])


async def test_without_a_key_the_catalogue_is_shown_and_a_call_says_what_is_missing() -> None:
    async with live_rig({"COINGLASS_API_KEY": ""}) as rig:
        listed = (await rig.app.client.get("/coinglass/endpoints")).json()
        answer = await ask(rig, "futures_supported_coins")
        wrong = await ask(rig, "futures_supported_coin")
    assert {item["whyNot"] for item in listed["items"]} == {"not_configured"}
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
    assert "plan hobbyist" in answer.json()["detail"]
    assert (wrong.status_code, wrong.json()["code"]) == (404, "unknown_endpoint")
    assert "futures_supported_coins" in wrong.json()["detail"]
