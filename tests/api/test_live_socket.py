"""`/ws` without a network: refusals, the first message, and what a client is told when it is closed (S04)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.api.live_limits import LiveLimits
from app.api.options import ApiKey

ORIGIN = "https://signals.example.com"
KEY = "correct-horse-battery-staple"
HELLO = {"type": "hello", "token": None, "resume": None}
KEYS = (ApiKey.from_plain("me", KEY, ["read"]), ApiKey.from_plain("tools", "x" * 20, ["debug"]))


class Socket:
    """One ASGI WebSocket, spoken by hand."""

    def __init__(self, rig: Any, *, origin: str | None = ORIGIN, query: str = "", **headers: str) -> None:
        named = {"origin": origin, **headers}
        self.scope = {
            "type": "websocket",
            "path": "/ws",
            "raw_path": b"/ws",
            "query_string": query.encode(),
            "headers": [
                (name.encode(), value.encode()) for name, value in named.items() if value is not None
            ],
            "client": ("203.0.113.7", 4711),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(rig.app(self.scope, self.said.get, self.heard.put))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            return await self.heard.get()

    async def hear_json(self) -> dict[str, Any]:
        event = await self.hear()
        assert event["type"] == "websocket.send", event
        found: dict[str, Any] = json.loads(event["text"])
        return found

    def say(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.said.put_nowait({"type": "websocket.receive", "text": text})

    async def accepted(self) -> Socket:
        assert (await self.hear())["type"] == "websocket.accept"
        return self

    async def leave(self) -> None:
        self.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(30):
            await self.task

    async def closed(self, code: int, error: str) -> dict[str, Any]:
        """The error told, then the close."""
        told = await self.hear_json()
        assert (told["type"], told["code"]) == ("error", error)
        assert (await self.hear())["code"] == code
        async with asyncio.timeout(30):
            await self.task
        return told


@pytest.fixture
def opened(make_rig: Any) -> Any:
    """A rig whose site is the public address, with keys as asked for."""

    def make(**options: Any) -> Any:
        return make_rig(**{"origins": (ORIGIN,), **options})

    return make


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", None, "", "http://signals.example.com", f"{ORIGIN}.evil.example"],
)
async def test_a_page_of_another_origin_is_refused_before_the_handshake(
    opened: Any, origin: str | None
) -> None:
    socket = Socket(opened(), origin=origin)
    assert (await socket.hear())["type"] == "websocket.close"
    await socket.task


async def test_a_second_origin_is_no_origin_of_ours(opened: Any) -> None:
    rig = opened()
    socket = Socket(rig)
    socket.scope["headers"].append((b"origin", b"https://evil.example"))
    assert (await socket.hear())["type"] == "websocket.close"


@pytest.mark.parametrize("query", [f"token={KEY}", "access_token=x", "a", "resume=1"])
async def test_any_query_is_refused_so_that_no_token_is_ever_in_an_address(opened: Any, query: str) -> None:
    socket = Socket(opened(api_keys=KEYS), query=query)
    assert (await socket.hear())["type"] == "websocket.close"


@pytest.mark.parametrize(
    "token", [None, "wrong-horse-battery-staple", "", "x" * 20, "\u043a\u043b\u044e\u0447"]
)
async def test_without_a_token_that_may_read_nothing_is_shown(opened: Any, token: str | None) -> None:
    rig = opened(api_keys=KEYS)
    socket = await Socket(rig).accepted()
    socket.say({**HELLO, "token": token})
    told = await socket.closed(1008, "unauthorized")
    assert KEY not in json.dumps(told)
    assert rig.app.state.live.clients == 0


async def test_a_key_that_may_read_opens_the_feed(opened: Any) -> None:
    rig = opened(api_keys=KEYS)
    socket = await Socket(rig).accepted()
    socket.say({**HELLO, "token": KEY})
    assert (await socket.hear_json())["type"] == "snapshot"
    assert rig.app.state.live.clients == 1
    await socket.leave()
    assert rig.app.state.live.clients == 0


async def test_a_session_cookie_opens_the_feed_without_a_token(opened: Any) -> None:
    rig = opened(api_keys=KEYS)
    cookie = rig.cookie_of(KEY)
    socket = await Socket(rig, cookie=f"theme=dark; {cookie}").accepted()
    socket.say(HELLO)
    assert (await socket.hear_json())["type"] == "snapshot"
    await socket.leave()
    forged = await Socket(rig, cookie=cookie[:-2] + "xx").accepted()
    forged.say(HELLO)
    await forged.closed(1008, "unauthorized")


async def test_a_wrong_token_is_not_made_good_by_a_cookie(opened: Any) -> None:
    rig = opened(api_keys=KEYS)
    socket = await Socket(rig, cookie=rig.cookie_of(KEY)).accepted()
    socket.say({**HELLO, "token": "wrong-horse-battery-staple"})
    await socket.closed(1008, "unauthorized")


async def test_who_says_nothing_is_closed(opened: Any) -> None:
    socket = await Socket(opened(live=LiveLimits(hello_s=0.01))).accepted()
    await socket.closed(1008, "hello_late")


NO_HELLOS = [
    *("", "{", "[]", '"hello"', "x" * 5000),
    {"type": "bye"},
    {**HELLO, "token": 7},
    {**HELLO, "resume": {"hub": "a", "seq": -1}},
    {**HELLO, "resume": {"hub": "a", "seq": "1"}},
    {**HELLO, "resume": {"hub": "a" * 100, "seq": 1}},
]


@pytest.mark.parametrize("message", NO_HELLOS)
async def test_a_first_message_that_is_none_closes(opened: Any, message: object) -> None:
    socket = await Socket(opened()).accepted()
    socket.say(message)
    await socket.closed(1008, "bad_hello")


async def test_bytes_are_no_first_message(opened: Any) -> None:
    socket = await Socket(opened()).accepted()
    socket.said.put_nowait({"type": "websocket.receive", "bytes": b"{}"})
    await socket.closed(1008, "bad_hello")


async def test_one_address_has_its_number_of_clients_and_the_next_is_told_to_wait(opened: Any) -> None:
    rig = opened(live=LiveLimits(max_per_address=1))
    first = await Socket(rig).accepted()
    first.say(HELLO)
    await first.hear_json()
    second = await Socket(rig).accepted()
    await second.closed(1013, "too_many_clients")
    await first.leave()
    third = await Socket(rig).accepted()
    third.say(HELLO)
    assert (await third.hear_json())["type"] == "snapshot"


async def test_guessing_is_bounded_by_the_rate_of_its_address(opened: Any) -> None:
    rig = opened(rate_limit_per_minute=3, api_keys=KEYS)
    for _ in range(3):
        socket = await Socket(rig).accepted()
        socket.say({**HELLO, "token": "wrong-horse-battery-staple"})
        await socket.closed(1008, "unauthorized")
    refused = Socket(rig)
    assert (await refused.hear())["status"] == 429


async def test_a_client_that_keeps_talking_is_closed(opened: Any) -> None:
    socket = await Socket(opened()).accepted()
    for _ in range(40):
        socket.say(HELLO)
    assert (await socket.hear_json())["type"] == "snapshot"
    assert (await socket.hear())["code"] == 1008


async def test_a_stop_closes_with_the_code_that_means_come_again(opened: Any) -> None:
    rig = opened()
    socket = await Socket(rig).accepted()
    socket.say(HELLO)
    await socket.hear_json()
    rig.app.state.live.close()
    assert (await socket.hear())["code"] == 1012
    await socket.task


async def test_a_forwarded_address_counts_only_behind_a_proxy_of_ours(opened: Any) -> None:
    rig = opened(live=LiveLimits(max_per_address=1))
    first = await Socket(rig, **{"x-forwarded-for": "198.51.100.1"}).accepted()
    second = await Socket(rig, **{"x-forwarded-for": "198.51.100.2"}).accepted()
    await second.closed(1013, "too_many_clients")
    await first.leave()
    behind = opened(live=LiveLimits(max_per_address=1), trusted_proxy_hops=1)
    for address in ("198.51.100.1", "198.51.100.2"):
        socket = await Socket(behind, **{"x-forwarded-for": address}).accepted()
        socket.say(HELLO)
        assert (await socket.hear_json())["type"] == "snapshot"
