"""The supervised WebSocket against a peer that misbehaves: what ends a connection, and how it comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from app.services.transport.socket import Heard, Send, SocketConfig, SocketState, SupervisedSocket
from tests.live_rig import closed_port
from tests.stream_rig import StreamTime, running, until

CANARY = "canary-key-4711"


class Listener:
    """A feed that keeps what it hears; frames that begin with d are data."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.lost_for: list[str] = []
        self.opens = 0
        self.gate: asyncio.Event | None = None

    async def opened(self, send: Send) -> None:
        self.opens += 1
        await send("subscribe")

    async def heard(self, frame: bytes) -> Heard:
        self.frames.append(frame)
        if self.gate is not None:
            await self.gate.wait()
        if frame == b"refused":
            return Heard.REFUSED
        return Heard.DATA if frame.startswith(b"d") else Heard.OTHER

    async def tick(self, send: Send) -> None:
        return

    def lost(self, reason: str) -> None:
        self.lost_for.append(reason)


class Peer:
    """A server whose behaviour per connection a test gives; keeps what clients said."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[str] = []
        self.answers_pings = True
        self.requests = 0
        self.status: HTTPStatus | None = None
        self.retry_after = ""

    def refuse(self, connection: ServerConnection, _request: Request) -> Response | None:
        self.requests += 1
        if self.status is None:
            return None
        response = connection.respond(self.status, "no\n")
        if self.retry_after:
            response.headers["Retry-After"] = self.retry_after
        return response

    async def listen(self, connection: ServerConnection) -> None:
        try:
            while True:
                text = str(await connection.recv())
                self.heard.append(text)
                if text == "ping" and self.answers_pings:
                    await connection.send("pong")
        except ConnectionClosed:
            return


Behave = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def peer(*behaviours: Behave) -> AsyncIterator[Peer]:
    """The n-th connection, once subscribed, gets the n-th behaviour, later ones the last; then it listens."""
    made = Peer()
    served = 0

    async def handle(connection: ServerConnection) -> None:
        nonlocal served
        behave = behaviours[min(served, len(behaviours) - 1)] if behaviours else None
        served += 1
        made.heard.append(str(await connection.recv()))
        listening = asyncio.create_task(made.listen(connection))
        try:
            if behave is not None:
                await behave(connection)
            await listening
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()

    quiet = logging.Logger("peer", level=logging.CRITICAL + 1)
    async with serve(
        handle,
        "127.0.0.1",
        0,
        process_request=made.refuse,
        ping_interval=None,
        close_timeout=0.1,
        logger=quiet,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{port}/stream?key={CANARY}"
        yield made


def build(url: str, time: StreamTime, **changes: object) -> tuple[SupervisedSocket, Listener]:
    listener = Listener()
    config = replace(SocketConfig(url=url), **changes)  # type: ignore[arg-type]
    return SupervisedSocket(config, listener, time.timing), listener


async def say(connection: ServerConnection) -> None:
    await connection.send("data")


def closing_with(code: int) -> Behave:
    async def close(connection: ServerConnection) -> None:
        await connection.send("data")
        await connection.close(code)

    return close


async def cut(connection: ServerConnection) -> None:
    await connection.send("data")
    connection.transport.abort()


async def cut_within_a_frame(connection: ServerConnection) -> None:
    await connection.send("data")
    # A text frame that claims 100 bytes and brings three.
    connection.transport.write(b"\x81\x64abc")
    await asyncio.sleep(0.01)
    connection.transport.abort()


async def send_huge(connection: ServerConnection) -> None:
    await connection.send("data")
    await connection.send("x" * 2_000_000)


async def send_broken_frame(connection: ServerConnection) -> None:
    await connection.send("data")
    connection.transport.write(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (closing_with(1000), "drop"),
        (closing_with(1012), "drop"),
        (cut, "drop"),
        (cut_within_a_frame, "drop"),
        (send_broken_frame, "drop"),
        (send_huge, "too_large"),
    ],
)
async def test_a_lost_connection_is_made_again_and_subscribed_again(behave: Behave, reason: str) -> None:
    time = StreamTime()
    async with peer(behave, say) as server:
        socket, listener = build(server.url, time, max_bytes=1_000_000)
        async with running(socket.run()):
            await until(lambda: listener.lost_for)
            assert socket.state is SocketState.WAITING
            await time.pass_s(1.0)
            await until(lambda: listener.frames == [b"data", b"data"])
            assert socket.state is SocketState.OPEN
    assert listener.lost_for == [reason]
    assert server.heard == ["subscribe", "subscribe"]


async def test_waits_grow_to_the_cap_and_only_data_shortens_them() -> None:
    """Accept-then-drop a hundred times: never more than one attempt a second, and none is the last."""

    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    async def acknowledge_and_drop(connection: ServerConnection) -> None:
        await connection.send("ack")
        await connection.close()

    time = StreamTime()
    async with peer(*[drop] * 5, *[acknowledge_and_drop] * 95, cut, say) as server:
        socket, listener = build(server.url, time, tick_s=1e9)
        async with running(socket.run()):
            for attempt in range(1, 102):
                await until(lambda attempt=attempt: len(listener.lost_for) == attempt)
                await until(lambda: socket.state is SocketState.WAITING)
                await time.pass_s(60.0, step_s=60.0, turns=1)
            await until(lambda: socket.state is SocketState.OPEN and listener.frames[-1:] == [b"data"])
    pauses = [pause for pause in time.sleeps if pause < 1e9]
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert set(pauses[6:100]) == {60}
    assert pauses[100] == 1  # the last one had brought data


async def test_the_wait_is_drawn_below_its_ceiling_but_attempts_keep_a_distance() -> None:
    time = StreamTime(draw=0.25)
    socket, listener = build(f"ws://127.0.0.1:{closed_port()}/", time)
    async with running(socket.run()):
        for attempt in range(1, 7):
            await until(lambda attempt=attempt: len(time.sleeps) == attempt)
            await time.pass_s(60.0, step_s=60.0, turns=1)
    # A quarter of 1, 2, 4, 8, 16, 32 s; the first ones are held at the base of 1 s.
    assert time.sleeps[:6] == [1.0, 1.0, 1.0, 2.0, 4.0, 8.0]
    assert set(listener.lost_for) == {"unreachable"}


async def test_a_half_open_connection_is_given_up_when_pings_stay_unanswered() -> None:
    time = StreamTime()
    async with peer(say) as server:
        server.answers_pings = False
        socket, listener = build(server.url, time, ping_s=20, missed_pongs=2, stall_s=1000)
        async with running(socket.run()):
            await until(lambda: listener.frames)
            await time.pass_s(59.0)
            assert (listener.lost_for, server.heard.count("ping")) == ([], 2)
            await time.pass_s(2.0)
            await until(lambda: listener.lost_for)
    assert listener.lost_for == ["no_pong"]


async def test_pongs_that_cease_end_the_connection_even_while_data_flows() -> None:
    time = StreamTime()
    async with peer(say) as server:
        socket, listener = build(server.url, time, ping_s=20, missed_pongs=2, stall_s=1000)
        async with running(socket.run()):
            await until(lambda: listener.frames)
            await time.pass_s(21.0)
            server.answers_pings = False
            await time.pass_s(62.0)
            await until(lambda: listener.lost_for)
    assert listener.lost_for == ["no_pong"]


async def test_a_server_that_never_knew_pings_is_kept_while_data_flows() -> None:
    async def flow(connection: ServerConnection) -> None:
        while True:
            await connection.send("data")
            await asyncio.sleep(0.002)

    time = StreamTime()
    async with peer(flow) as server:
        server.answers_pings = False
        socket, listener = build(server.url, time, ping_s=20, missed_pongs=2, stall_s=60)
        async with running(socket.run()):
            await until(lambda: listener.frames)
            await time.pass_s(120.0, turns=6)
            assert listener.lost_for == []


async def test_a_connection_without_data_is_a_stall_whatever_else_it_says() -> None:
    time = StreamTime()

    async def acknowledge(connection: ServerConnection) -> None:
        await connection.send("ack")

    async with peer(acknowledge, say) as server:
        socket, listener = build(server.url, time, stall_s=60)
        async with running(socket.run()):
            await until(lambda: listener.frames)
            await time.pass_s(59.0)
            assert listener.lost_for == []
            await time.pass_s(1.0)
            await until(lambda: listener.lost_for)
            await time.pass_s(1.0)
            await until(lambda: listener.frames == [b"ack", b"data"])
    assert listener.lost_for == ["stall"]


async def test_a_slow_consumer_is_not_taken_for_a_silent_server() -> None:
    time = StreamTime()
    async with peer(say) as server:
        socket, listener = build(server.url, time, stall_s=60)
        listener.gate = asyncio.Event()
        async with running(socket.run()):
            await until(lambda: listener.frames)
            await time.pass_s(300.0, step_s=10)
            listener.gate.set()
            await time.pass_s(30.0)
            assert listener.lost_for == []


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
async def test_a_refused_key_is_a_state_and_not_hammered(status: HTTPStatus) -> None:
    time = StreamTime(draw=0.0)
    async with peer(say) as server:
        server.status = status
        socket, listener = build(server.url, time)
        async with running(socket.run()):
            for attempt in range(1, 6):
                await until(lambda attempt=attempt: len(listener.lost_for) == attempt)
                assert socket.state is SocketState.REFUSED
                await time.pass_s(900.0, step_s=900.0, turns=1)
            server.status = None  # the plan was changed: found without a restart
            await time.pass_s(900.0, step_s=900.0, turns=1)
            await until(lambda: listener.frames == [b"data"])
    assert time.sleeps[:5] == [60, 240, 900, 900, 900]


async def test_a_refusal_after_the_handshake_is_one_too() -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.send("refused")

    time = StreamTime()
    for behave in (refuse, closing_with(1008)):
        async with peer(behave) as server:
            socket, listener = build(server.url, time)
            async with running(socket.run()):
                await until(lambda listener=listener: listener.lost_for)
                assert socket.state is SocketState.REFUSED


async def test_the_server_may_say_how_long_to_wait() -> None:
    time = StreamTime()
    async with peer() as server:
        server.status, server.retry_after = HTTPStatus.TOO_MANY_REQUESTS, "120"
        socket, listener = build(server.url, time)
        async with running(socket.run()):
            await until(lambda: time.sleeps)
    assert (listener.lost_for, time.sleeps) == (["unreachable"], [120.0])


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    time = StreamTime()
    async with peer() as elsewhere, peer() as server:
        server.status = HTTPStatus.MOVED_PERMANENTLY
        server.retry_after = ""
        refuse = server.refuse

        def redirect(connection: ServerConnection, request: Request) -> Response | None:
            response = refuse(connection, request)
            assert response is not None
            response.headers["Location"] = elsewhere.url
            return response

        server.refuse = redirect  # type: ignore[method-assign]
        socket, listener = build(server.url, time)
        async with running(socket.run()):
            await until(lambda: listener.lost_for)
    assert listener.lost_for == ["unreachable"]
    assert elsewhere.requests == 0


async def test_the_key_is_in_no_log_repr_or_state(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    time = StreamTime()
    seen: list[str] = []
    async with peer(cut, closing_with(1011), send_huge) as server:
        config = SocketConfig(url=server.url)
        for url in (server.url, f"ws://127.0.0.1:{closed_port()}/?key={CANARY}", f"nonsense?key={CANARY}"):
            socket, listener = build(url, time, max_bytes=1000)
            async with running(socket.run()):
                for attempt in range(1, 4):
                    await until(lambda n=attempt, listener=listener: len(listener.lost_for) == n)
                    seen += [socket.detail, repr(socket), repr(config), *listener.lost_for]
                    await time.pass_s(900.0, step_s=900.0, turns=1)
    assert CANARY not in caplog.text
    assert CANARY not in "".join(seen)
    assert any("connection" in text for text in seen)
