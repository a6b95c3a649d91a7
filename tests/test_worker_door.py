"""The door of a worker: three answers, keys as the web process asks for them, and a state that says why."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import httpx2
import pytest

from app.api.options import ApiKey
from app.api.request_observer import NobodyCounts
from app.core.domain.status import DependencyState, DependencyStatus
from app.http_connection import Limits
from app.telemetry_metrics import Metrics
from app.worker_door import MAX_CONNECTIONS, DoorParts, WorkerDoor

READ, ADMIN = "read-key-0123456789", "admin-key-0123456789"
KEYS = (ApiKey.from_plain("reader", READ, ["read"]), ApiKey.from_plain("operator", ADMIN, ["admin"]))
FINE = DependencyStatus("store", DependencyState.OK, "")


def parts(**given: Any) -> DoorParts:
    usual: dict[str, Any] = {"role": "detect", "metrics_text": lambda: b"signals_total 1\n"}
    usual |= {"health": lambda: (FINE,), "keys": KEYS, "is_open": False}
    usual |= {"observe": NobodyCounts()}
    return DoorParts(**(usual | given))


async def ask(path: str, *, key: str | None = None, method: str = "GET", **given: Any) -> httpx2.Response:
    door = WorkerDoor(None, parts(**given))  # type: ignore[arg-type]  # nothing listens here
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(door.answer)
    async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", ["/metrics", "/health/ready"])
@pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), (READ, 403), (ADMIN, 200)])
async def test_figures_and_state_need_a_key_of_scope_admin(path: str, key: str | None, status: int) -> None:
    answer = await ask(path, key=key)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_live_probe_is_open() -> None:
    assert (await ask("/health/live")).json() == {"status": "ok"}


async def test_without_keys_in_use_everything_is_open() -> None:
    answer = await ask("/metrics", keys=(), is_open=True)
    assert answer.text == "signals_total 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_keys_that_are_asked_for_and_not_there_open_nothing() -> None:
    assert (await ask("/metrics", key=ADMIN, keys=())).status_code == 401


@pytest.mark.parametrize("state", [DependencyState.DOWN, DependencyState.STARTING])
async def test_a_part_that_is_not_well_is_a_503_that_names_it(state: DependencyState) -> None:
    sick = DependencyStatus("stream", state, "okx: silent")
    answer = await ask("/health/ready", key=ADMIN, health=lambda: (FINE, sick))
    assert answer.status_code == 503
    body = answer.json()
    assert (body["status"], body["role"]) == ("unavailable", "detect")
    assert body["dependencies"][1] == {"name": "stream", "state": state.value, "detail": "okx: silent"}


async def test_a_worker_whose_parts_are_well_is_ready() -> None:
    answer = await ask("/health/ready", key=ADMIN)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_nothing_else_is_served() -> None:
    assert (await ask("/signals/BTC", key=ADMIN)).status_code == 404
    refused = await ask("/metrics", key=ADMIN, method="POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_answers_and_refusals_are_counted_like_those_of_the_web() -> None:
    metrics = Metrics()
    given: dict[str, Any] = {"metrics_text": metrics.metrics_text, "observe": metrics.http}
    for _ in range(6):
        await ask("/metrics", **given)
    await ask("/health/ready", key=READ, **given)
    await ask("/etc/passwd", key=ADMIN, **given)
    await ask("/health/live", method="BREW", **given)
    await ask("/metrics", key=ADMIN, **given)
    text = (await ask("/metrics", key=ADMIN, **given)).text
    assert 'http_refused_total{reason="unauthorized"} 6.0' in text
    assert 'http_refused_total{reason="scope"} 1.0' in text
    assert 'http_requests_total{method="GET",route="/metrics",status="200"} 1.0' in text
    assert 'http_requests_total{method="GET",route="unrouted",status="401"} 6.0' in text
    assert 'http_requests_total{method="GET",route="unrouted",status="404"} 1.0' in text
    assert 'http_requests_total{method="OTHER",route="/health/live",status="405"} 1.0' in text
    assert "passwd" not in text
    assert "http_requests_in_flight 0.0" in text


async def test_questions_that_are_never_finished_do_not_keep_the_others_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.worker_door.Limits", partial(Limits, head_s=0.2))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()
    running = asyncio.create_task(WorkerDoor(listener, parts()).run())
    halves = [await asyncio.open_connection(*address) for _ in range(MAX_CONNECTIONS)]
    for _, writer in halves:
        writer.write(b"GET /health/live HTTP/1.1\r\n")
    async with asyncio.timeout(20):
        told = [await reader.read() for reader, _ in halves]
    assert all(b" 408 " in one and b"application/problem+json" in one for one in told)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    for _, one in [*halves, (reader, writer)]:
        one.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
