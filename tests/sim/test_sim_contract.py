"""Every served endpoint against its documented sample: same keys, same JSON types; and the plan table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.sim import coinglass_plans
from app.sim.coinglass_table import ENDPOINTS
from app.sim.coinglass_wire import CoinglassEndpoint
from app.sim.okx import OkxServer
from app.sim.okx_wire import EventIndex
from app.sim.quotas import FixedWindows
from tests.sim.coinglass_asking import ask

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
OKX = OkxServer(FixedWindows(2.0), EventIndex()).endpoints
PARAMS = {
    "instId": "BTC-USDT-SWAP",
    "instFamily": "BTC-USDT",
    "ccy": "BTC",
}
# Differs from the sample on purpose: the observed live shape wins over the documented one.
OBSERVED = {
    "futures_liquidation_exchange_list": {"data[].longLiquidation_usd", "data[].shortLiquidation_usd"},
    "grayscale_premium_history": {"data[].time_list[]"},
    "index_fear_greed_history": {"data.data_list[]", "data.price_list[]", "data.time_list[]"},
    "futures_liquidation_aggregated_map": {"data.data[].instrument.exName", "data.last_price"},
}
OTHERS = [
    ("lunarcrush", "coins_coin", "/lunarcrush/api4/public/coins/2/v1"),
    ("lunarcrush", "coins_list", "/lunarcrush/api4/public/coins/list/v1"),
    ("lunarcrush", "coins_time_series", "/lunarcrush/api4/public/coins/1/time-series/v2"),
    ("lunarcrush", "topic", "/lunarcrush/api4/public/topic/bitcoin/v1"),
    ("coinapi", "exchangerate", "/coinapi/v1/exchangerate/BTC/USD"),
    ("coinapi", "exchangerate_all", "/coinapi/v1/exchangerate/BTC"),
    ("alternative-me", "fng", "/alternative-me/fng/?limit=2"),
    ("telegram", "getMe", "/telegram/bot1:x/getMe"),
]
KEYS = {"CG-API-KEY": "k", "Authorization": "Bearer k", "X-CoinAPI-Key": "k"}


def sample(provider: str, name: str) -> Any:
    path = CONTRACTS / provider / "samples" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no contract sample {provider}/{name}")
    return json.loads(path.read_text())


def kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return type(value).__name__.replace("NoneType", "None")
    return "number" if isinstance(value, int | float) else type(value).__name__


def shape(value: Any, at: str = "") -> dict[str, set[str]]:
    """Path of every leaf -> JSON types seen there."""
    found: dict[str, set[str]] = {}
    if isinstance(value, dict):
        children = [(f"{at}.{key}" if at else key, child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{at}[]", child) for child in value]
    else:
        return {at: {kind(value)}}
    for path, child in children:
        for leaf, kinds in shape(child, path).items():
            found.setdefault(leaf, set()).update(kinds)
    return found


def missing(documented: Any, answered: Any) -> list[str]:
    """Leaves of the sample that the answer lacks or types differently ("" and null fit anything)."""
    have = shape(answered)
    problems = []
    for path, kinds in shape(documented).items():
        real = kinds - {"None"}
        if path not in have:
            problems.append(f"{path} is missing")
        elif real and not (have[path] & real or have[path] == {"None"}):
            problems.append(f"{path}: {have[path]} instead of {real}")
    return problems


# Keyed by exchange or price: the keys in the sample are not this market's.
DYNAMIC_KEYS = {
    "futures_liquidation_map",
    "futures_open_interest_exchange_history_chart",
    "futures_delisted_exchange_pairs",
    "spot_supported_exchange_pairs",
    "exchange_balance_chart",
    "option_exchange_oi_history",
    "option_exchange_vol_history",
}


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.id not in DYNAMIC_KEYS], ids=lambda e: e.id)
async def test_coinglass_answers_have_the_documented_shape(sim: Any, endpoint: CoinglassEndpoint) -> None:
    documented = sample("coinglass", endpoint.id)
    answered = (await sim.coinglass(endpoint.path, **ask(endpoint))).json()
    assert answered["code"] == "0"
    assert answered["data"]
    observed = OBSERVED.get(endpoint.id)
    if observed is not None:
        assert observed <= set(shape(answered))
        return
    if "message" not in documented:
        documented.setdefault("msg", "success")
    if endpoint.id == "futures_supported_exchange_pairs":
        documented["data"] = {"Binance": documented["data"]["Binance"]}
    assert missing(documented, answered) == []


@pytest.mark.parametrize("endpoint", OKX, ids=lambda e: e.id)
async def test_okx_answers_have_the_documented_shape(sim: Any, endpoint: Any) -> None:
    # The contract has no sample of the candle history; its rows are those of the candles.
    documented = sample("okx", endpoint.id.replace("history_candles", "candles"))
    params = {name: PARAMS[name] for name in endpoint.required if name in PARAMS}
    if "instType" in endpoint.required:
        params |= {"instType": "SWAP", "instFamily": "BTC-USDT"}
    if endpoint.id == "rubik_taker_volume":
        params["instType"] = "CONTRACTS"
    if endpoint.id == "public_mark_price":
        params["instId"] = "BTC-USDT-SWAP"
    answered = (await sim.get(f"/okx{endpoint.path}", **params)).json()
    assert answered["data"]
    assert missing(documented, answered) == []


@pytest.mark.parametrize(("provider", "name", "path"), OTHERS, ids=lambda v: str(v).split("/")[0])
async def test_other_answers_have_the_documented_shape(sim: Any, provider: str, name: str, path: str) -> None:
    documented = sample(provider, name)
    answered = (await sim.client.get(path, headers=KEYS)).json()
    optional = {"data[].blockchains[].type", "data[].blockchains[].network"}
    optional |= {"data[].blockchains[].address", "data[].blockchains[].decimals", "data.max_supply"}
    problems = [text for text in missing(documented, answered) if text.split(" ")[0] not in optional]
    assert problems == []


def contract(provider: str) -> dict[str, Any]:
    path = CONTRACTS / provider / "endpoints.json"
    if not path.exists():
        pytest.skip(f"no contract for {provider}")
    return {row["id"]: row for row in json.loads(path.read_text())}


def test_history_depth_agrees_with_the_contract() -> None:
    contract("coinglass")
    errors = json.loads((CONTRACTS / "coinglass" / "errors.json").read_text())
    for plan, depths in errors["history_days_by_plan_and_interval"].items():
        for interval, days in depths.items():
            if isinstance(days, int) and interval in coinglass_plans.INTERVALS_MS:
                assert coinglass_plans.depth_ms(plan, interval) == days * 86_400_000
    for plan, calls in coinglass_plans.CALLS_PER_MINUTE.items():
        assert errors["rate_limits_per_minute"][plan] == calls


def test_okx_limits_and_paths_agree_with_the_contract() -> None:
    documented = contract("okx")
    assert {e.id for e in OKX} == set(documented)
    for endpoint in OKX:
        row = documented[endpoint.id]
        assert row["path"] == endpoint.path
        assert row["rate_limit"]["requests"] == endpoint.limit_per_2s
        assert ("instrument" in row["rate_limit"]["key"]) is bool(endpoint.limit_by)
