"""Faults that happen on the socket itself: a real server on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

PATH = "/okx/api/v5/public/instruments?instType=SWAP"


async def test_drop_closes_the_connection_in_mid_body(served: Any) -> None:
    await served.faults({"provider": "okx", "kind": "drop"})
    with pytest.raises(httpx2.RemoteProtocolError):
        await served.client.get(PATH)


@pytest.mark.parametrize("kind", ["hang", "stall", "drip"])
async def test_slow_kinds_run_into_the_read_timeout(served: Any, kind: str) -> None:
    await served.faults({"provider": "okx", "kind": kind})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await served.client.get(PATH)
    await served.faults()
    assert (await served.client.get(PATH)).status_code == 200


async def test_drip_sends_byte_by_byte(served: Any) -> None:
    await served.faults({"provider": "okx", "endpoint": "public_time", "kind": "drip", "value": 0.0})
    answer = await served.client.get("/okx/api/v5/public/time")
    assert answer.json()["code"] == "0"


async def test_endless_body_goes_on_until_the_client_leaves(served: Any) -> None:
    await served.faults({"provider": "okx", "kind": "endless"})
    received = 0
    async with served.client.stream("GET", PATH) as answer:
        async for chunk in answer.aiter_raw():
            received += len(chunk)
            if received > 1_000_000:
                break
    await served.faults()
    assert (await served.client.get(PATH)).status_code == 200


async def test_gzip_bomb_is_small_on_the_wire(served: Any) -> None:
    await served.faults({"provider": "okx", "kind": "gzip_bomb", "value": 8})
    async with served.client.stream("GET", PATH) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 20_000


async def test_garbage_is_not_text(served: Any) -> None:
    await served.faults({"provider": "okx", "kind": "garbage", "value": 64})
    assert len((await served.client.get(PATH)).content) == 64


async def test_latency_holds_provider_calls_but_not_control_routes(served: Any) -> None:
    await served.client.put("/__sim__/latency", json={"ms": 60_000})
    slow = asyncio.create_task(served.client.get(PATH))
    state = (await served.client.get("/__sim__/state")).json()
    assert state["latencyMs"] == 60_000
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
