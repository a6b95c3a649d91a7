"""Probes of what runs already: a free port, ours, a stranger's, another version, an ill service."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app import __version__
from app.doctor_run import Finding, Status
from tests.doctor_rig import KEY, deployment, finding, rows
from tests.live_rig import closed_port, listening

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP
PROBES = ("port", "service_ready", "service_version")
WELL = {"status": "ok", "providers": [], "dependencies": []}
ILL = {
    "status": "degraded",
    "providers": [{"provider": "okx", "state": "down"}, {"provider": "coinapi", "state": "not_configured"}],
    "dependencies": [{"name": "store", "state": "down"}],
}


class Running:
    """Something that answers like the service. asked: with which keys."""

    def __init__(self, ready: Mapping[str, Any], *, version: str = __version__, status: int = 200) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "/health/live": (200, {"status": "ok"}),
            "/health/ready": (status, ready),
            "/": (200, {"version": version, "dataMode": "live"}),
        }
        self.mode_header = [(b"x-data-mode", b"live")]
        self.asked: list[tuple[str, bytes | None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append((scope["path"], dict(scope["headers"]).get(b"authorization")))
        status, said = self.answers.get(scope["path"], (404, {}))
        await send({"type": "http.response.start", "status": status, "headers": self.mode_header})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})


@asynccontextmanager
async def told(app: Running, settings: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Finding]]:
    async with listening(app, log_level="critical") as url:
        given = deployment({"PORT": url.rpartition(":")[2], **(settings or {})})
        yield {row.name: row.finding for row in await rows(given, *PROBES)}


def statuses(found: Mapping[str, Finding]) -> list[Status]:
    return [found[name].status for name in PROBES]


async def test_a_free_port_is_good_and_nothing_runs() -> None:
    found = {name: await finding(name, {"PORT": str(closed_port())}) for name in PROBES}
    assert statuses(found) == [OK, SKIP, SKIP]
    assert "free" in found["port"].detail


async def test_a_service_that_is_well_is_asked_with_a_key_that_may_read() -> None:
    app = Running(WELL)
    async with told(app, {"API_KEYS": f"admin:{KEY}9:admin,ops:{KEY}:read"}) as found:
        assert statuses(found) == [OK, OK, OK]
    keys = {key for path, key in app.asked if path != "/health/live"}
    assert keys == {f"Bearer {KEY}".encode()}
    assert {key for path, key in app.asked if path == "/health/live"} == {None}


async def test_a_service_that_is_ill_is_told_with_its_parts() -> None:
    async with told(Running(ILL)) as found:
        assert statuses(found) == [OK, WARN, OK]
        assert found["service_ready"].detail == "the service is degraded: okx down, store down"
    async with told(Running({}, status=503)) as found:
        assert statuses(found) == [OK, FAIL, OK]


async def test_another_version_or_mode_that_still_runs_is_told() -> None:
    async with told(Running(WELL, version="0.0.1")) as found:
        assert statuses(found) == [OK, OK, WARN]
        assert f"version 0.0.1 runs and {__version__} is installed" in found["service_version"].detail
    async with told(Running(WELL), {"DATA_MODE": "demo"}) as found:
        assert statuses(found) == [OK, OK, WARN]


async def test_without_a_key_a_closed_service_says_nothing() -> None:
    app = Running(WELL, status=401)
    app.answers["/"] = (401, {})
    async with told(app) as found:
        assert statuses(found) == [OK, SKIP, SKIP]


async def test_a_port_that_something_else_holds_fails_and_no_key_is_shown_to_it() -> None:
    app = Running(WELL)
    app.mode_header = []
    async with told(app, {"API_KEYS": f"ops:{KEY}:read"}) as found:
        assert statuses(found) == [FAIL, SKIP, SKIP]
        assert "taken by something else" in found["port"].detail
    assert {key for _, key in app.asked} == {None}


async def test_a_port_that_answers_nothing_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = deployment({"PORT": str(silent.getsockname()[1])})
        monkeypatch.setattr(given.questions, "_total_s", 0.05)
        (row,) = await rows(given, "port")
    assert row.finding.status is FAIL


async def test_an_address_of_another_machine_cannot_be_listened_at() -> None:
    found = await finding("port", {"HOST": "192.0.2.1"})
    assert (found.status, found.mend) == (FAIL, "correct HOST or PORT")
