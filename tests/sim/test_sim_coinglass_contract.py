"""All 163 CoinGlass endpoints against the contract: ids, plans, parameters, and every field they answer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.sim.coinglass_plans import PLANS, is_in_plan
from app.sim.coinglass_table import ENDPOINTS
from app.sim.coinglass_wire import CoinglassEndpoint
from tests.sim.coinglass_asking import ask, takes_pair

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "coinglass" / "endpoints.json"
BY_ID = {endpoint.id: endpoint for endpoint in ENDPOINTS}
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.id)
# The page leaves the plans open; a user of the Standard plan was refused.
UNKNOWN_PLAN = "futures_hyperliquid_position_distribution_by_tag_history"
# Fields the documents have in another form than live answers, or not in every row.
REPLACED = {
    "futures_liquidation_exchange_list": {"long_liquidation_usd", "short_liquidation_usd"},
    "index_fear_greed_history": {"data", "data_list", "price_list", "time_list"},
    "futures_liquidation_aggregated_map": {"data.data", "data.data.<price>"},
    "futures_pairs_markets": {"oi_vol_ratio_change_percent_24h"},  # null: no volume history by pair
    "grayscale_premium_history": {"date_list"},
}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip("the CoinGlass contract is not beside this checkout")
    return {row["id"]: row for row in json.loads(CONTRACT.read_text())}


def test_every_endpoint_of_the_contract_is_served_at_its_path(contract: dict[str, Any]) -> None:
    assert {e.id: e.path for e in ENDPOINTS} == {id_: row["path"] for id_, row in contract.items()}
    assert len(BY_ID) == len(ENDPOINTS)


@each_endpoint
def test_plans_are_those_of_the_contract(contract: dict[str, Any], endpoint: CoinglassEndpoint) -> None:
    plans = contract[endpoint.id]["plans"]
    if endpoint.id != UNKNOWN_PLAN:
        for plan in PLANS:
            assert is_in_plan(endpoint.gate, plan) is (plans[plan] is not False), plan
    assert endpoint.is_floored is any(isinstance(value, str) for value in plans.values())


@each_endpoint
def test_parameters_are_those_of_the_contract(contract: dict[str, Any], endpoint: CoinglassEndpoint) -> None:
    params = contract[endpoint.id]["params"]
    assert set(endpoint.required) == {p["name"] for p in params if p["required"]}
    assert {k: set(v) for k, v in endpoint.choices.items()} == {
        p["name"]: set(p["enum"]) for p in params if p["enum"]
    }
    most = [p["max"] for p in params if p["name"] == "limit" and "max" in p]
    assert endpoint.max_limit == (most[0] if most else 1000)
    pair = any(p.get("form") == "pair" for p in params)
    assert takes_pair(endpoint) is pair


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def at_path(value: Any, path: str) -> list[Any]:
    """Every value at a documented path: `a[].b`, `<key>` for any key, `[2..10]` for a range of places."""
    if not path:
        return [value]
    if path.startswith("["):
        inside, _, rest = path[1:].partition("]")
        assert isinstance(value, list), path
        first, _, last = inside.partition("..")
        chosen = value if not inside else value[int(first) : int(last or first) + 1]
        return [found for item in chosen for found in at_path(item, rest)]
    head = path.lstrip(".")
    cut = min((i for i in (head.find("."), head.find("[")) if i >= 0), default=len(head))
    name, rest = head[:cut], head[cut:]
    assert isinstance(value, dict), path
    chosen = list(value.values()) if name.startswith("<") else [value[name]] if name in value else []
    return [found for item in chosen for found in at_path(item, rest)]


def is_of_type(value: Any, documented: str) -> bool:
    if documented == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if documented == "numeric string":
        return isinstance(value, str) and (value == "" or math.isfinite(float(value)))
    kinds = {"string": str, "boolean": bool, "array": list, "object": dict}
    return isinstance(value, kinds[documented])


@each_endpoint
async def test_every_documented_field_is_there_with_its_type(
    sim: Any, contract: dict[str, Any], endpoint: CoinglassEndpoint
) -> None:
    answer = (await sim.coinglass(endpoint.path, **ask(endpoint))).json()
    assert answer["code"] == "0"
    assert answer["data"]
    problems = []
    for field in contract[endpoint.id]["response_fields"]:
        if any(field["name"].endswith(name) for name in REPLACED.get(endpoint.id, ())):
            continue
        for window in field.get("windows", ("",)):
            name = field["name"].replace("{w}", window)
            found = [value for value in at_path(answer, name) if value is not None]
            if not found:
                problems.append(f"{name} is missing")
            problems += [f"{name}: {v!r}" for v in found if not is_of_type(v, field["type"])][:1]
    assert problems == []
    numbers = [v for v in leaves(answer) if isinstance(v, float)]
    assert all(math.isfinite(v) for v in numbers)


@each_endpoint
async def test_a_missing_required_parameter_is_named(sim: Any, endpoint: CoinglassEndpoint) -> None:
    for name in endpoint.required:
        params = {key: value for key, value in ask(endpoint).items() if key != name}
        answer = (await sim.coinglass(endpoint.path, **params)).json()
        assert answer == {"code": "400", "msg": f"Required String parameter '{name}' is not present"}


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.gate > 0], ids=lambda e: e.id)
async def test_a_plan_below_the_gate_is_told_to_upgrade(make_sim: Any, endpoint: CoinglassEndpoint) -> None:
    async with make_sim(plan=PLANS[endpoint.gate - 1]) as low:
        answer = await low.coinglass(endpoint.path, **ask(endpoint))
    assert (answer.status_code, answer.json()) == (200, {"code": "401", "msg": "Upgrade plan"})


@each_endpoint
async def test_a_value_outside_a_closed_set_is_refused(sim: Any, endpoint: CoinglassEndpoint) -> None:
    for name in endpoint.choices:
        answer = (await sim.coinglass(endpoint.path, **(ask(endpoint) | {name: "nonsense"}))).json()
        if name in ("exchange", "symbol"):
            assert (answer["code"], answer["data"]) == ("0", [])
        else:
            assert answer == {"code": "400", "msg": f"Invalid parameter '{name}'"}
