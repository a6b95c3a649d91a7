"""Many askers, one set of upstream calls: inside one process, and between two that share a Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.live_rig import LiveApp, LiveSim, RigClock, live_app, live_rig, live_simulator
from tests.services.transport.conftest import RedisServer


def calls_per_resource(sim: LiveSim) -> Counter[tuple[Any, ...]]:
    return Counter((call["provider"], call["path"], *sorted(call["params"].items())) for call in sim.calls())


async def test_fifty_cold_requests_make_one_set_of_upstream_calls() -> None:
    async with live_rig() as rig:
        rig.sim.forget_calls()
        answers = await asyncio.gather(*(rig.app.get("/signals/BTC") for _ in range(50)))
        counts = calls_per_resource(rig.sim)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {answers[0].content}
    assert counts
    assert sum(counts.values()) / len(counts) == 1.0, counts.most_common(3)


async def test_mixed_cold_requests_still_make_one_call_per_resource() -> None:
    async with live_rig() as rig:
        rig.sim.forget_calls()
        paths = [f"/signals/BTC?mode={mode}" for mode in ("conservative", "balanced", "aggressive")]
        paths += ["/market/BTC", "/signals?symbols=BTC,btcusdt", "/signals/BTC-USDT-SWAP?debug=true"]
        answers = await asyncio.gather(*(rig.app.client.get(path) for path in paths * 5))
        counts = calls_per_resource(rig.sim)
    assert {answer.status_code for answer in answers} == {200}
    assert set(counts.values()) == {1}, counts.most_common(3)


async def test_a_warm_request_makes_no_call_but_for_the_price() -> None:
    async with live_rig() as rig:
        await rig.signal()
        rig.sim.forget_calls()
        rig.advance(5)
        await rig.signal()
        assert {call["endpoint"] for call in rig.sim.calls()} == {"market_ticker"}


async def states_of(app: LiveApp) -> tuple[int, str, int]:
    """(status of live, word of ready, status of ready)."""
    ready = await app.get("/health/ready")
    return (await app.get("/health/live")).status_code, ready.json()["status"], ready.status_code


async def test_two_applications_on_one_redis_make_one_call_per_resource(own_redis: RedisServer) -> None:
    clock = RigClock()
    shared = {"REDIS_URL": own_redis.url}
    async with (
        live_simulator(clock) as sim,
        live_app(sim, clock, shared) as one,
        live_app(sim, clock, shared) as two,
    ):
        sim.forget_calls()
        answers = await asyncio.gather(*(app.get("/signals/ETH") for app in (one, two) * 5))
        counts = calls_per_resource(sim)
        states = await states_of(one), await states_of(two)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["score"] for answer in answers} == {answers[0].json()["score"]}
    assert set(counts.values()) == {1}, counts.most_common(3)
    assert states == ((200, "ok", 200), (200, "ok", 200))


async def test_two_applications_on_one_redis_stay_inside_the_plan_of_the_social_data_together(
    own_redis: RedisServer,
) -> None:
    clock = RigClock()
    shared = {"REDIS_URL": own_redis.url, "LUNARCRUSH_PER_MINUTE": "10"}
    async with (
        live_simulator(clock) as sim,
        live_app(sim, clock, shared) as one,
        live_app(sim, clock, shared) as two,
    ):
        coins = [coin.base for coin in sim.state.market.coins()][:24]
        sim.forget_calls()
        asked = zip((one, two) * 12, coins, strict=True)
        answers = await asyncio.gather(*(app.get(f"/signals/{coin}") for app, coin in asked))
        calls = sim.calls("lunarcrush")
    assert {answer.status_code for answer in answers} == {200}
    assert len(calls) == 10


async def test_a_redis_that_stops_leaves_answers_from_memory_and_a_degraded_state(
    own_redis: RedisServer,
) -> None:
    clock = RigClock()
    async with (
        live_simulator(clock) as sim,
        live_app(sim, clock, {"REDIS_URL": own_redis.url}) as app,
    ):
        before = await app.signal("BTC")
        own_redis.stop()
        clock.advance(5000)  # until then the other processes may have one that answers
        after = await app.signal("BTC")
        cold = await app.signal("SOL")
        stopped = await states_of(app)
        ready = (await app.get("/health/ready")).json()

        own_redis.start()
        clock.advance(3000)
        again = await app.signal("ETH")
        healed = await states_of(app)
    assert before["coverage"] == after["coverage"] == cold["coverage"] == again["coverage"] == 1
    assert stopped == (200, "degraded", 200)
    (redis,) = (item for item in ready["dependencies"] if item["name"] == "redis")
    assert redis["state"] == "down"
    assert redis["detail"]
    assert healed == (200, "ok", 200)


@pytest.mark.parametrize("path", ["/signals/BTC", "/market/BTC"])
async def test_a_redis_that_was_never_there_is_no_reason_not_to_answer(
    path: str, own_redis: RedisServer
) -> None:
    own_redis.stop()
    async with live_rig({"REDIS_URL": own_redis.url}) as rig:
        assert (await rig.app.get(path)).status_code == 200
        assert await states_of(rig.app) == (200, "degraded", 200)
