"""Keys of writes: bounded in number and time, apart for each caller, and never kept for what may pass."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response

from app.api.auth import ALL_SCOPES, Caller
from app.api.errors import Overloaded
from app.api.idempotency import HEADER, IdempotentWrites
from app.api.problems import install_problem_handlers
from app.core.errors import NotWatched


class Counting:
    """An app with one write that counts; `error` is raised by it, `gate` holds it."""

    def __init__(self, **limits: Any) -> None:
        self.now_s = 0.0
        self.effects = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.keys = IdempotentWrites(monotonic=lambda: self.now_s, **limits)
        self.app = FastAPI()
        install_problem_handlers(self.app)

        @self.app.post("/write/{name}")
        async def write(request: Request, name: str) -> Response:
            request.scope["caller"] = Caller(request.headers.get("x-caller", "me"), ALL_SCOPES)
            return await self.keys.answer(request, self._write)

    async def _write(self) -> Response:
        if self.gate is not None:
            await self.gate.wait()
        self.effects += 1
        if self.error is not None:
            raise self.error
        return Response(f"effect {self.effects}", headers={"X-Effect": str(self.effects)})

    async def begun(self) -> None:
        """One request is at work."""
        async with asyncio.timeout(30):
            while not self.keys._entries:  # noqa: ASYNC110 - the class tells nobody
                await asyncio.sleep(0)

    async def send(
        self, *keys: str, path: str = "/write/a", body: str = "{}", caller: str = "me"
    ) -> httpx2.Response:
        headers = [(HEADER, key) for key in keys] + [("X-Caller", caller)]
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.post(path, content=body, headers=headers)


async def test_the_same_key_again_has_the_same_answer_and_no_effect() -> None:
    app = Counting()
    first, second = await app.send("k"), await app.send("k")
    assert (first.status_code, first.text, first.headers["x-effect"]) == (200, "effect 1", "1")
    assert (second.status_code, second.text, second.headers["x-effect"]) == (200, "effect 1", "1")
    assert app.effects == 1


async def test_without_a_key_every_request_counts() -> None:
    app = Counting()
    assert [(await app.send(*keys)).text for keys in ((), (), ("",))] == ["effect 1", "effect 2", "effect 3"]


async def test_at_once_all_wait_for_the_one_that_works() -> None:
    app = Counting()
    app.gate = asyncio.Event()
    sent = [asyncio.create_task(app.send("k")) for _ in range(50)]
    await app.begun()
    app.gate.set()
    assert {answer.text for answer in await asyncio.gather(*sent)} == {"effect 1"}
    assert app.effects == 1


async def test_whoever_goes_away_does_not_stop_the_write() -> None:
    app = Counting()
    app.gate = asyncio.Event()
    gone = asyncio.create_task(app.send("k"))
    await app.begun()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    app.gate.set()
    assert (await app.send("k")).text == "effect 1"
    assert app.effects == 1


@pytest.mark.parametrize("other", [{"path": "/write/b"}, {"body": '{"x":1}'}, {"path": "/write/a?x=1"}])
async def test_the_same_key_for_another_write_is_409(other: dict[str, str]) -> None:
    app = Counting()
    await app.send("k")
    answer = await app.send("k", **other)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")
    assert app.effects == 1
    assert (await app.send("k")).text == "effect 1"


async def test_keys_of_two_callers_never_meet() -> None:
    app = Counting()
    assert [(await app.send("k", caller=name)).text for name in ("a", "b", "a")] == [
        "effect 1",
        "effect 2",
        "effect 1",
    ]


@pytest.mark.parametrize("keys", [("a b",), ("x" * 129,), ("a", "a"), ("é",), ("\t",)])
async def test_a_key_that_is_none_is_400(keys: tuple[str, ...]) -> None:
    app = Counting()
    headers = [(HEADER.encode(), key.encode()) for key in keys]
    transport = httpx2.ASGITransport(app=app.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.post("/write/a", headers=headers)
    assert (answer.status_code, answer.json()["code"], app.effects) == (400, "invalid_parameter", 0)


async def test_a_refusal_is_kept_and_a_failure_that_may_pass_is_not() -> None:
    app = Counting()
    app.error = NotWatched("DOGE")
    first, second = await app.send("refused"), await app.send("refused")
    assert (first.status_code, first.content, app.effects) == (404, second.content, 1)
    app.error = Overloaded()
    assert (await app.send("failed")).status_code == 503
    app.error = None
    assert (await app.send("failed")).text == "effect 3"


async def test_keys_are_forgotten_after_their_time_and_over_their_number() -> None:
    app = Counting(keep_s=60.0, max_keys=3)
    for key in ("a", "b", "c", "d"):
        await app.send(key)
    assert len(app.keys._entries) == 3
    assert [(await app.send(key)).text for key in ("d", "c", "b")] == ["effect 4", "effect 3", "effect 2"]
    assert (await app.send("a")).text == "effect 5"  # the oldest had to go
    app.now_s = 61.0
    assert (await app.send("d")).text == "effect 6"
    assert len(app.keys._entries) == 1
