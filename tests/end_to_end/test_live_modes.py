"""What the service answers without keys and on each CoinGlass plan, its providers being the simulator."""

from __future__ import annotations

import pytest

from tests.live_rig import KEYS, factors, fault, inputs, live_rig

KEYLESS = dict.fromkeys(KEYS, "") | {"DATA_MODE": "live"}
PUBLIC = {
    "momentum": "okx",
    "funding": "okx",
    "oi_trend": "okx",
    "long_short": "okx",
    "smart_money": "okx",
    "fear_greed": "alternative.me",
}


async def test_without_any_key_six_factors_come_from_public_data() -> None:
    async with live_rig(KEYLESS) as rig:
        body = await rig.signal()
        ready = (await rig.app.get("/health/ready")).json()
        keyed = [call for call in rig.sim.calls() if call["provider"] not in {"okx", "alternative.me"}]
    assert keyed == []  # nobody is asked who would refuse for want of a key
    assert body["dataMode"] == "live"
    assert body["priceSource"] == "okx"
    for name, source in PUBLIC.items():
        assert (factors(body)[name]["status"], factors(body)[name]["source"]) == ("ok", source)
    social = inputs(body)["social"]
    assert (social["missing"], factors(body)["social"]["status"]) == ("not_configured", "missing")
    liquidations = factors(body)["liquidations"]
    told = {item["input"]: item["reason"] for item in body["missing"]}
    assert liquidations["source"] == "okx" or told["liquidations"]
    expected = 0.9 if liquidations["status"] == "ok" else 0.7
    assert body["coverage"] == pytest.approx(expected)
    states = {item["provider"]: item["state"] for item in ready["providers"]}
    assert states["okx"] == "ok"
    assert {states[name] for name in ("coinglass", "coinapi", "lunarcrush")} == {"not_configured"}
    assert ready["status"] == "ok"  # no key is a choice, not a fault


async def test_without_keys_and_without_okx_liquidations_the_reason_is_told() -> None:
    async with live_rig(KEYLESS, faults=(fault("okx", "status", 404, "public_liquidation_orders"),)) as rig:
        body = await rig.signal()
    assert factors(body)["liquidations"]["status"] == "missing"
    assert body["coverage"] == pytest.approx(0.7)
    told = {item["input"]: item["reason"] for item in body["missing"]}
    assert "okx" in told["liquidations"]
    assert set(told) == {"liquidations", "social"}


async def test_the_smallest_plan_works_on_four_hour_bars() -> None:
    async with live_rig(plan="hobbyist") as rig:
        body = await rig.signal()
        premium = (await rig.app.get("/debug/premium/BTC")).json()["results"]
        ready = (await rig.app.get("/health/ready")).json()
        hourly = [call for call in rig.sim.calls("coinglass") if call["params"].get("interval") == "1h"]
        bars = [call for call in rig.sim.calls("coinglass") if call["params"].get("interval") == "4h"]
    assert body["coverage"] == 1
    assert factors(body)["liquidations"]["source"] == "coinglass"
    assert factors(body)["funding"]["source"] == "coinglass"
    assert hourly == []  # the account said which plan it is: nothing is asked in vain
    assert bars
    states = {item["status"] for item in premium if item["provider"] == "coinglass"}
    assert {"ok", "not_in_plan"} <= states
    coinglass = next(item for item in ready["providers"] if item["provider"] == "coinglass")
    assert (coinglass["plan"], coinglass["quotaLimit"], coinglass["state"]) == ("hobbyist", 30, "ok")
    assert coinglass["notInPlan"]


async def test_the_largest_plan_has_every_premium_capability() -> None:
    async with live_rig(plan="professional") as rig:
        body = await rig.signal()
        premium = (await rig.app.get("/debug/premium/BTC")).json()["results"]
        ready = (await rig.app.get("/health/ready")).json()
    assert body["coverage"] == 1
    assert {item["status"] for item in premium} == {"ok"}
    assert all(item["readings"] for item in premium)
    coinglass = next(item for item in ready["providers"] if item["provider"] == "coinglass")
    assert (coinglass["plan"], coinglass["quotaLimit"]) == ("professional", 1200)
    assert coinglass["notInPlan"] == []


async def test_a_plan_that_is_upgraded_is_noticed() -> None:
    async with live_rig(plan="hobbyist") as rig:
        await rig.signal()
        rig.sim.state.plan = "standard"
        rig.advance(7 * 3600)
        await rig.signal()
        ready = (await rig.app.get("/health/ready")).json()
    assert next(item for item in ready["providers"] if item["provider"] == "coinglass")["plan"] == "standard"


async def test_readiness_has_a_word_for_the_worker_that_runs_beside() -> None:
    async with live_rig() as rig:
        ready = (await rig.app.get("/health/ready")).json()
    (worker,) = [item for item in ready["dependencies"] if item["name"] == "worker"]
    assert (worker["state"], ready["status"]) == ("starting", "ok")
    assert "python -m app.worker" in worker["detail"]
