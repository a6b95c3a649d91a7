"""S09: answers hold no traceback, version or host; debug and metrics need their scope in production."""

from __future__ import annotations

import platform
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.services.signal_service import SignalService
from tests.live_rig import Rig, fault, live_rig

ROLES = {
    "nobody": None,
    "reader": "Hk3vT8wQz1mNp5Lc",
    "debugger": "Jr7xB2yFd9sGq4Vn",
    "admin": "Zt6aE0uKo3iWm8Xb",
    "guesser": "Hk3vT8wQz1mNp5Ld",
}
PRODUCTION = {
    "ENV": "prod",
    "ALLOW_DEMO_IN_PROD": "true",
    "PUBLIC_URL": "https://signals.test",
    "API_KEYS": f"reader:{ROLES['reader']}:read,debugger:{ROLES['debugger']}:read+debug,"
    f"admin:{ROLES['admin']}:read+admin",
}
# Status by role, in the order above.
ACCESS = {
    "/signals/BTC": (401, 200, 200, 200, 401),
    "/signals?symbols=BTC,ETH": (401, 200, 200, 200, 401),
    "/market/BTC": (401, 200, 200, 200, 401),
    "/signals/BTC?debug=true": (401, 403, 200, 403, 401),
    "/signals/ETH?debug=1": (401, 403, 200, 403, 401),
    "/debug/premium/BTC": (401, 403, 200, 403, 401),
    "/metrics": (401, 403, 403, 200, 401),
    "/health/live": (200, 200, 200, 200, 200),
}
FAULTS = {
    "refused": (fault("*", "status", 503),),
    "dropped": (fault("*", "drop", 0.5),),
    "html": (fault("*", "html"),),
    "garbage": (fault("*", "garbage"),),
}
INSIDES = (
    "Traceback",
    'File "',
    ".py",
    "site-packages",
    "Exception",
    platform.python_version(),
    socket.gethostname(),
    "127.0.0.1",
    "localhost",
    "uvicorn",
    "httpx",
    "msgspec",
    "pydantic",
)


def headers_of(role: str) -> dict[str, str]:
    key = ROLES[role]
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@pytest_asyncio.fixture
async def production() -> AsyncIterator[Rig]:
    async with live_rig(PRODUCTION) as rig:
        yield rig


@pytest.mark.parametrize("route", ACCESS)
async def test_each_role_sees_what_its_scopes_allow(production: Rig, route: str) -> None:
    answers = [await production.app.client.get(route, headers=headers_of(role)) for role in ROLES]
    assert tuple(answer.status_code for answer in answers) == ACCESS[route], answers[2].text


async def test_debug_is_the_only_difference_between_a_reader_and_a_debugger(production: Rig) -> None:
    plain = await production.app.client.get("/signals/BTC", headers=headers_of("reader"))
    full = await production.app.client.get("/signals/BTC?debug=true", headers=headers_of("debugger"))
    assert plain.json()["debug"] is None
    assert full.json()["debug"]["inputs"]
    without = [{k: v for k, v in answer.json().items() if k != "debug"} for answer in (plain, full)]
    assert without[0] == without[1]
    # The answer kept for the debugger is not handed to the reader.
    again = await production.app.client.get("/signals/BTC", headers=headers_of("reader"))
    assert again.json()["debug"] is None


def assert_tells_nothing(answer: httpx2.Response) -> None:
    for word in INSIDES:
        assert word not in answer.text, f"{word!r} in {answer.url.path}: {answer.text[:500]}"
        assert word not in str(answer.headers)
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


async def test_nothing_of_the_inside_is_told_to_anybody(production: Rig) -> None:
    for route in (
        *ACCESS,
        "/",
        "/health",
        "/health/ready",
        "/signals/NOPE",
        "/signals/%00",
        "/no/such/route",
    ):
        for role in ROLES:
            answer = await production.app.client.get(route, headers=headers_of(role))
            if route != "/metrics":
                assert_tells_nothing(answer)


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_nothing_of_the_inside_is_told_when_providers_fail(production: Rig, faults: Any) -> None:
    production.sim.break_with(*faults)
    production.advance(7200)
    for route in ("/signals/BTC?debug=true", "/market/BTC", "/debug/premium/BTC", "/health/ready"):
        assert_tells_nothing(await production.app.client.get(route, headers=headers_of("debugger")))


async def test_a_bug_is_a_500_problem_without_its_traceback(
    production: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret-of-the-house at 10.0.0.7 in /srv/app.py")

    monkeypatch.setattr(SignalService, "signal", broken)
    answer = await production.app.client.get("/signals/BTC", headers=headers_of("reader"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
    assert_tells_nothing(answer)
    for word in ("secret-of-the-house", "10.0.0.7", "RuntimeError"):
        assert word not in answer.text
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    _ = capfd.readouterr()
