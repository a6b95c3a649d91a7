"""R05: the plan is never exceeded and equal questions are one call, with a thousand askers at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx2

from tests.chaos.conftest import note
from tests.live_rig import LiveApp, LiveSim, RigClock, live_app, live_rig, live_simulator
from tests.services.transport.conftest import RedisServer

ASKERS = 1_000
PLAN, CALLS = "startup", 80


def coins_of(sim: LiveSim) -> list[str]:
    coins = [coin.base for coin in sim.state.market.coins()]
    # Fewer than fifty coins are listed; questions about the same one are the point as much as many coins.
    return [coins[n % len(coins)] for n in range(50)]


def busiest_minute(calls: list[dict[str, Any]]) -> int:
    """The most calls in any 60 s, by the simulator's own clock."""
    times = sorted(call["atS"] for call in calls)
    return max((sum(at <= other < at + 60 for other in times[n:]) for n, at in enumerate(times)), default=0)


def repeated(sim: LiveSim) -> dict[tuple[Any, ...], int]:
    counts = Counter((call["endpoint"], *sorted(call["params"].items())) for call in sim.calls("coinglass"))
    return {key: count for key, count in counts.items() if count > 1}


async def storm(apps: list[LiveApp], coins: list[str], path: str) -> Counter[int]:
    async def ask(number: int) -> int:
        app = apps[number % len(apps)]
        answer: httpx2.Response = await app.client.get(path.format(coins[number % len(coins)]))
        return answer.status_code

    return Counter(await asyncio.gather(*(ask(number) for number in range(ASKERS))))


async def test_a_thousand_cold_signals_stay_inside_the_plan_and_are_one_call_each() -> None:
    async with live_rig({"REQUEST_DEADLINE_SECONDS": "10"}, plan=PLAN) as rig:
        states = await storm([rig.app], coins_of(rig.sim), "/signals/{}")
        calls = rig.sim.calls("coinglass")
        note(
            f"R05 {ASKERS} askers: {busiest_minute(calls)} of {CALLS} calls a minute, answers {dict(states)}"
        )
        assert busiest_minute(calls) <= CALLS
        assert not [call for call in calls if call["status"] == 429]
        assert repeated(rig.sim) == {}
        # One address may have 128 questions open: the others are refused at once, these are answered.
        assert set(states) <= {200, 429, 503}
        assert states[429] == ASKERS - 128
        assert states[200] > 100


async def test_a_thousand_cold_dashboards_from_two_processes_on_one_redis_stay_inside_the_plan(
    own_redis: RedisServer,
) -> None:
    clock = RigClock()
    settings = {"REDIS_URL": own_redis.url, "REQUEST_DEADLINE_SECONDS": "3"}
    async with (
        live_simulator(clock, plan=PLAN) as sim,
        live_app(sim, clock, settings) as first,
        live_app(sim, clock, settings) as second,
    ):
        states = await storm([first, second], coins_of(sim), "/coinglass/dashboard/{}")
        calls = sim.calls("coinglass")
        assert busiest_minute(calls) <= CALLS
        assert not [call for call in calls if call["status"] == 429]
        # The plan of the key is asked for by each process for itself.
        again = {key[0] for key in repeated(sim)}
        assert again <= {"user_account_subscription"}
        assert set(states) <= {200, 429, 503}
        assert states[200] > 0


async def test_the_planner_keeps_the_watchlist_warm_so_that_a_signal_costs_no_call() -> None:
    settings = {"PLANNER": "on", "SYMBOLS": "BTC,ETH"}
    async with live_rig(settings, plan="professional") as rig:
        async with asyncio.timeout(20):
            while True:
                status = (await rig.app.get("/coinglass/status")).json()
                ages = [row["ageS"] for row in status["resources"]]
                if len(ages) >= 16 and None not in ages:
                    break
                await asyncio.sleep(0.05)
        assert busiest_minute(rig.sim.calls("coinglass")) <= 1_200
        rig.sim.forget_calls()
        signal = await rig.signal("ETH")
        asked = {call["endpoint"] for call in rig.sim.calls("coinglass")}
        ready = (await rig.app.get("/health/ready")).json()
    assert asked == set()
    assert signal["coverage"] == 1.0
    row = next(item for item in ready["providers"] if item["provider"] == "coinglass")
    assert row["planner"]["resources"] == len(ages)
    assert row["planner"]["callsPerMinute"] == 960.0


async def test_without_a_key_there_is_no_budget_and_the_status_says_so() -> None:
    async with live_rig({"COINGLASS_API_KEY": "", "PLANNER": "on"}) as rig:
        status = (await rig.app.get("/coinglass/status")).json()
    assert status["state"] == "not_configured"
    assert (status["callsLimit"], status["efficiency"], status["resources"]) == (None, None, [])
