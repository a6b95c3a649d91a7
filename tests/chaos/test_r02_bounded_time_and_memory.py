"""R02: hanging, dripping, endless and exploding answers cost neither more time than promised nor memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from app.core.clock import SystemClock
from app.simulator_child import SimulatorChild
from tests.chaos.conftest import note
from tests.chaos.memory import MAX_GROWTH_BYTES, Memory
from tests.live_rig import KEYS, closed_port, factors, fault, inputs, live_app

# A busy machine stalls for tenths of a second, and reading a huge body for longer; a share of the deadline
# must not end inside that. What never ends costs a test the deadline, what is too large ends by its size.
DEADLINE_S = {"hang": 2.0, "drip": 2.0, "stall": 2.0, "endless": 6.0, "gzip_bomb": 6.0}
KINDS = {"hang": None, "drip": 1.0, "stall": None, "endless": None, "gzip_bomb": 512}
TIMED_OUT = {"timeout", "circuit_open"}


@pytest.fixture(scope="module")
def sim_url() -> Iterator[str]:
    """The simulator as a process of its own, so that only the service's memory and sockets are counted."""
    with SimulatorChild(["--plan", "professional", "--lunarcrush-per-minute", "1000"]) as child:
        # The list of all coins makes every coin, so that no test pays for that with its deadline.
        markets = "/coinglass/api/futures/coins-markets?per_page=100"
        assert (
            httpx2.get(f"{child.base_url}{markets}", headers={"CG-API-KEY": "k"}, timeout=60).status_code
            == 200
        )
        yield child.base_url


def open_sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


async def ask_broken(sim_url: str, provider: str, kind: str) -> tuple[httpx2.Response, float, int]:
    """The answer while `provider` misbehaves, the seconds it took, and the growth of memory in bytes."""
    sockets_before = open_sockets()
    sim = type("Sim", (), {"url": sim_url})()
    async with httpx2.AsyncClient(base_url=f"{sim_url}/__sim__", timeout=30) as control:
        await control.post("/reset")
        async with live_app(sim, SystemClock(), {"REQUEST_DEADLINE_SECONDS": str(DEADLINE_S[kind])}) as app:
            put = await control.put("/faults", json=[fault(provider, kind, KINDS[kind])])
            assert put.status_code == 200, put.text
            memory = Memory()
            async with memory.watched():
                started_s = time.monotonic()
                answer = await app.get("/signals/BTC", debug="true")
                took_s = time.monotonic() - started_s
        await control.post("/reset")
    assert open_sockets() == sockets_before  # every connection was closed, hanging ones too
    grown_mb = memory.growth_bytes / 2**20
    note(f"R02 {provider} {kind}: {took_s:.2f} s of {DEADLINE_S[kind]:g} s, {grown_mb:.1f} MB more")
    return answer, took_s, memory.growth_bytes


@pytest.mark.parametrize(
    ("provider", "kind"),
    [("okx", kind) for kind in KINDS] + [("coinglass", "hang"), ("coinglass", "endless")],
)
async def test_a_provider_without_end_costs_its_share_of_the_deadline(
    sim_url: str, provider: str, kind: str
) -> None:
    answer, took_s, growth_bytes = await ask_broken(sim_url, provider, kind)
    assert answer.status_code == 200, answer.text
    assert took_s < 2 * DEADLINE_S[kind]
    assert growth_bytes < MAX_GROWTH_BYTES
    body = answer.json()
    outcomes = {
        attempt["outcome"]
        for item in inputs(body).values()
        for attempt in item["attempts"]
        if attempt["provider"] == provider
    }
    too_large = {"bad_payload", "timeout", "circuit_open"}
    assert outcomes <= (too_large if kind in {"endless", "gzip_bomb"} else TIMED_OUT)
    assert factors(body)["social"]["status"] == "ok"  # the others are not touched
    assert factors(body)["momentum"]["status"] == "ok"


@pytest.mark.parametrize("kind", ["hang", "endless", "gzip_bomb"])
async def test_everybody_without_end_is_a_503_in_time(sim_url: str, kind: str) -> None:
    answer, took_s, growth_bytes = await ask_broken(sim_url, "*", kind)
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_price"
    assert took_s < 2 * DEADLINE_S[kind]
    assert growth_bytes < MAX_GROWTH_BYTES


async def test_an_oversized_answer_is_hung_up_on_and_not_read_to_its_end(sim_url: str) -> None:
    sim: Any = type("Sim", (), {"url": sim_url})()
    only_index = dict.fromkeys(KEYS, "") | {"OKX_BASE_URL": f"http://127.0.0.1:{closed_port()}"}
    async with httpx2.AsyncClient(base_url=f"{sim_url}/__sim__", timeout=30) as control:
        await control.post("/reset")
        await control.put("/faults", json=[fault("alternative.me", "endless")])
        async with live_app(sim, SystemClock(), only_index) as app:
            market = (await app.get("/market/BTC")).json()
            # The simulator logs a status when it has stopped sending: the body has no end of its own.
            calls: list[dict[str, Any]] = []
            async with asyncio.timeout(30):
                while not calls or not all(call["status"] for call in calls):
                    calls = (await control.get("/calls")).json()["calls"]
        await control.post("/reset")
    index = next(item for item in market["inputs"] if item["input"] == "fear_greed")
    assert index["missing"] == "bad_payload"
    assert [call["status"] for call in calls] == [200]


async def test_the_wait_for_the_bytes_of_one_answer_is_a_setting(sim_url: str) -> None:
    sim: Any = type("Sim", (), {"url": sim_url})()
    async with httpx2.AsyncClient(base_url=f"{sim_url}/__sim__", timeout=30) as control:
        await control.post("/reset")
        async with live_app(sim, SystemClock(), {"READ_TIMEOUT_SECONDS": "0.1"}) as app:
            await control.put("/faults", json=[fault("okx", "hang")])
            answer = await app.get("/signals/BTC", debug="true")
        await control.post("/reset")
    told = {
        attempt["detail"]
        for item in inputs(answer.json()).values()
        for attempt in item["attempts"]
        if attempt["provider"] == "okx"
    }
    assert "no data in time" in told
    assert "no complete answer before the deadline" not in told
