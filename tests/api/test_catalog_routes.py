"""The catalogue routes: filters, the checks before a call, how an answer is told."""

from __future__ import annotations

from typing import Any

import pytest

CALL = "/coinglass/endpoints/futures_supported_coins"


async def test_filters_narrow_the_list_and_the_total_counts_it(kept_rig: Any) -> None:
    whole = (await kept_rig.get("/coinglass/endpoints")).json()
    spot = (await kept_rig.get("/coinglass/endpoints?group=spot")).json()
    both = (await kept_rig.get("/coinglass/endpoints?group=spot&plan=hobbyist")).json()
    assert whole["total"] == len(whole["items"]) == 163
    assert spot["total"] == len(spot["items"]) < 163
    assert {item["group"].split("/")[0] for item in spot["items"]} == {"spot"}
    assert 0 < len(both["items"]) < len(spot["items"])
    assert all(item["plans"]["hobbyist"] != "no" for item in both["items"])


async def test_filters_are_read_in_any_case(kept_rig: Any) -> None:
    small = (await kept_rig.get("/coinglass/endpoints?group=spot&plan=hobbyist")).json()
    large = (await kept_rig.get("/coinglass/endpoints?group=Spot&plan=HOBBYIST")).json()
    assert [item["id"] for item in small["items"]] == [item["id"] for item in large["items"]]


@pytest.mark.parametrize(
    ("query", "named"), [("group=nonsense", "futures/liquidation"), ("plan=gold", "professional")]
)
async def test_a_filter_that_fits_nothing_is_refused_with_what_there_is(
    kept_rig: Any, query: str, named: str
) -> None:
    answer = await kept_rig.get(f"/coinglass/endpoints?{query}")
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


async def test_a_parameter_says_what_to_send(kept_rig: Any) -> None:
    items = {item["id"]: item for item in (await kept_rig.get("/coinglass/endpoints")).json()["items"]}
    options = {p["name"]: p for p in items["option_exchange_oi_history"]["parameters"]}
    assert options["unit"]["example"] == "unit=USD, or the coin of symbol: unit=BTC"
    price = {p["name"]: p for p in items["futures_price_history"]["parameters"]}
    assert price["symbol"]["example"] == "symbol=BTCUSDT"
    assert (price["limit"]["required"], price["limit"]["default"]) == (False, "1000")


async def test_an_endpoint_says_what_it_takes_where_it_is_and_in_which_units(kept_rig: Any) -> None:
    items = {item["id"]: item for item in (await kept_rig.get("/coinglass/endpoints")).json()["items"]}
    item = items["futures_liquidation_aggregated_history"]
    assert item["plans"]["hobbyist"] == "from 4h"
    assert item["cheapestPlan"] == "hobbyist"
    assert item["units"] == ["usd"]
    assert [p["name"] for p in item["parameters"] if p["required"]] == ["exchange_list", "symbol", "interval"]
    assert items["futures_liquidation_exchange_list"]["updateS"] == 10
    assert items["hyperliquid_whale_alert"]["updateS"] == 0
    assert items["futures_coins_markets"]["updateS"] is None


async def test_an_answer_carries_age_plan_and_cache_state(kept_rig: Any) -> None:
    answer = (await kept_rig.get(CALL)).json()
    assert (answer["ageS"], answer["plan"], answer["cache"], answer["raw"]) == (2.0, "standard", "hit", False)
    assert answer["data"] == [{"priceUsd": 1.5}, {"priceUsd": None}]
    assert (await kept_rig.get(f"{CALL}?raw=true")).json()["raw"] is True


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?nonsense=1", "takes none"),
        ("?a=1&a=2", "sent once"),
    ],
)
async def test_what_the_endpoint_does_not_take_is_refused(kept_rig: Any, query: str, text: str) -> None:
    answer = await kept_rig.get(f"{CALL}{query}")
    assert answer.status_code == 400
    assert text in answer.json()["detail"]


async def test_an_unknown_endpoint_is_a_404_with_look_alikes(kept_rig: Any) -> None:
    answer = await kept_rig.get("/coinglass/endpoints/futures_suported_coins")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_endpoint")
    assert "futures_supported_coins" in answer.json()["detail"]


async def test_neither_route_is_offered_to_assistants(kept_rig: Any) -> None:
    paths = (await kept_rig.get("/gpt/action-schema")).json()["paths"]
    assert not [path for path in paths if path.startswith("/coinglass/endpoints")]
