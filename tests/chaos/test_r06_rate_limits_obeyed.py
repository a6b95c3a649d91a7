"""R06: a provider that says "later" is not asked before; what is known is served meanwhile with its age."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from app.simulator_child import provider_settings
from tests.live_rig import Rig, factors, fault, inputs, live_rig

# From 10:20:30 to 11:00:30: the hourly histories are due again.
TO_NEXT_HOUR_S = 2400
# Bar closed at 10:00, asked at 11:00:30.
STALE_AGE_S = 3630
DEFAULT_PAUSE_S = 10
HOBBYIST_CALLS = 30


def too_many(retry_after: str | None) -> dict[str, Any]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return fault("coinglass", "status", {"status": 429, "headers": headers})


def in_two_minutes() -> str:
    return formatdate(time.time() + 120, usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [
        (lambda: "20", 20),
        (in_two_minutes, 120),
        (lambda: None, DEFAULT_PAUSE_S),
        (lambda: "soon", DEFAULT_PAUSE_S),
    ],
    ids=["seconds", "date", "absent", "garbage"],
)
async def test_no_call_before_its_time_and_the_old_value_with_its_age(
    retry_after: Any, pause_s: float
) -> None:
    async with live_rig() as rig:
        await rig.signal()
        rig.advance(TO_NEXT_HOUR_S)
        rig.sim.forget_calls()
        written_s = rig.clock.monotonic_s()
        rig.sim.break_with(too_many(retry_after()))

        refused = await rig.signal()
        asked_at_s = [call["atS"] for call in rig.sim.calls("coinglass")]
        assert asked_at_s
        assert_stale_but_served(refused)

        rig.advance(pause_s / 2)  # longer than a call waits in line
        assert_stale_but_served(await rig.signal())
        assert len(rig.sim.calls("coinglass")) == len(asked_at_s)  # not one more

        rig.sim.break_with()
        rig.advance(pause_s / 2 + 1)
        await rig.signal()  # a machine that stalls gives the old value once more, the new one behind it
        rig.advance(6)
        healed = await rig.signal()
        again_at_s = [call["atS"] for call in rig.sim.calls("coinglass")][len(asked_at_s) :]
    assert again_at_s
    whole_s = 1 if retry_after is in_two_minutes else 0  # HTTP dates have whole seconds
    assert min(again_at_s) - written_s >= pause_s - whole_s
    assert inputs(healed)["funding"]["cache"] == "hit"
    assert factors(healed)["funding"]["ageS"] == pytest.approx(30 + pause_s + 7, abs=1)  # the bar of 11:00


def assert_stale_but_served(body: dict[str, Any]) -> None:
    funding = inputs(body)["funding"]
    assert (funding["provider"], funding["cache"]) == ("coinglass", "stale")
    assert funding["ageS"] == pytest.approx(STALE_AGE_S, abs=60)
    assert factors(body)["funding"]["status"] == "ok"  # within what funding may be old
    assert body["coverage"] == 1


async def test_without_an_old_value_a_refused_factor_is_missing_as_rate_limited() -> None:
    async with live_rig(faults=(too_many("20"), fault("alternative.me", "status", 429))) as rig:
        body = await rig.signal()
    fear_greed = inputs(body)["fear_greed"]
    assert fear_greed["missing"] == "rate_limited"
    assert body["coverage"] == pytest.approx(0.95)


async def spend(rig: Rig, calls: int) -> None:
    """Another program uses the same key."""
    headers = {"CG-API-KEY": provider_settings(rig.sim.url)["COINGLASS_API_KEY"]}
    async with httpx2.AsyncClient(base_url=rig.sim.url, headers=headers) as other:
        for _ in range(calls):
            answer = await other.get("/coinglass/api/futures/supported-coins")
            assert answer.headers["api-key-max-limit"] == str(HOBBYIST_CALLS)


async def test_a_usage_header_at_its_limit_stops_calls_until_the_window_is_over() -> None:
    async with live_rig(plan="hobbyist") as rig:
        await rig.signal()
        rig.advance(TO_NEXT_HOUR_S)
        rig.sim.forget_calls()
        await rig.signal("ETH")
        needed = len(rig.sim.calls("coinglass"))
        assert 0 < needed < HOBBYIST_CALLS

        rig.advance(3600)
        rig.advance(61 - rig.clock.monotonic_s() % 60)  # the simulator counts by the minute: not over its end
        rig.sim.forget_calls()
        await spend(rig, HOBBYIST_CALLS - needed)
        await rig.signal("ETH")  # its last answer says 30 of 30
        used_up = rig.sim.calls("coinglass")
        assert len(used_up) == HOBBYIST_CALLS

        rig.advance(50)
        body = await rig.signal("BTC")
        assert rig.sim.calls("coinglass") == used_up
        told = [a for a in inputs(body)["liquidations"]["attempts"] if a["provider"] == "coinglass"]
        assert told[0]["outcome"] in {"rate_limited", "ok"}

        rig.advance(15)
        await rig.signal("BTC")
        after = rig.sim.calls("coinglass")
    assert len(after) > len(used_up)
    assert {call["status"] for call in after} == {200}  # the provider never had to refuse
