"""R23: a write sent twice, at once or later, has one effect and one answer; a key is for one write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.live_rig import Rig, live_rig

TOGGLE = "/api/coins/BTC/toggle"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    async with live_rig() as rig:
        yield rig


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def send(rig: Rig, method: str, path: str, key: str | None, json: Any = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await rig.app.client.request(method, path, headers=headers, json=json)


async def is_on(rig: Rig, coin: str) -> bool | None:
    items = (await rig.app.get("/api/coins")).json()["items"]
    return next((item["on"] for item in items if item["symbol"] == coin), None)


async def test_the_same_key_twice_is_one_effect_and_one_answer(rig: Rig) -> None:
    before = await is_on(rig, "BTC")
    first, second = [await send(rig, "PATCH", TOGGLE, "twice") for _ in range(2)]
    assert (first.status_code, first.content) == (200, second.content)
    assert await is_on(rig, "BTC") is (not before)
    await send(rig, "PATCH", TOGGLE, None)
    assert await is_on(rig, "BTC") is before


async def test_the_same_key_many_times_at_once_is_one_effect_and_one_answer(rig: Rig) -> None:
    before = await is_on(rig, "BTC")
    answers = await asyncio.gather(*(send(rig, "PATCH", TOGGLE, "at-once") for _ in range(51)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await is_on(rig, "BTC") is (not before)
    others = await asyncio.gather(*(send(rig, "PATCH", TOGGLE, f"own-{n}") for n in range(51)))
    assert {answer.json()["didChange"] for answer in others} == {True}
    assert await is_on(rig, "BTC") is before


async def test_the_same_key_for_another_body_or_route_is_refused_and_changes_nothing(rig: Rig) -> None:
    add, key = "/api/coins/add", "one-write"
    first = await send(rig, "POST", add, key, {"symbol": "DOGE"})
    assert first.status_code == 200
    for method, path, body in (
        ("POST", add, {"symbol": "PEPE"}),
        ("DELETE", "/api/coins/remove/DOGE", None),
        ("PATCH", "/api/coins/DOGE/toggle", None),
    ):
        answer = await send(rig, method, path, key, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")
    assert (await is_on(rig, "DOGE"), await is_on(rig, "PEPE")) == (True, None)
    again = await send(rig, "POST", add, key, {"symbol": "DOGE"})
    assert (again.status_code, again.content) == (200, first.content)


async def test_a_removal_told_twice_is_no_error_under_its_key(rig: Rig) -> None:
    await send(rig, "POST", "/api/coins/add", None, {"symbol": "SHIB"})
    answers = [await send(rig, "DELETE", "/api/coins/remove/SHIB", "gone") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await send(rig, "DELETE", "/api/coins/remove/SHIB", None)).status_code == 404


async def test_a_key_that_is_none_is_refused_before_anything_happens(rig: Rig) -> None:
    before = await is_on(rig, "BTC")
    answer = await send(rig, "PATCH", TOGGLE, "two words")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert await is_on(rig, "BTC") is before
