"""The live feed over the real web server: what a client that does not read costs, and what it gets later."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from app.api.admission import Admission
from app.api.live_limits import LiveLimits
from app.api.refusals import Refusals
from app.web_server import WebServer, web_server
from app.web_sockets import WRITE_BUFFER, BoundedSocket
from tests.web_sockets_rig import WAIT_S, Deaf, frame_of, greeted, hear, opened

ENTRY_CHARS = 20_000


class Served:
    """An app of fakes behind the real server on a free port."""

    def __init__(self, rig: Any, server: WebServer, port: int) -> None:
        self.hub, self.server, self.url = rig.app.state.live, server, f"http://127.0.0.1:{port}"
        self.seen = 0

    def push(self) -> None:
        """One more large update, told apart by its number."""
        self.seen += 1
        self.hub.board.put_coin("quotes", "BTC", json.dumps({"n": self.seen, "pad": "x" * ENTRY_CHARS}))

    def sockets(self) -> list[BoundedSocket]:
        found = self.server.server_state.connections
        return [one for one in found if isinstance(one, BoundedSocket)]


@pytest.fixture
def served(make_rig: Any) -> Callable[..., Any]:
    @asynccontextmanager
    async def serving(**limits: Any) -> AsyncIterator[Served]:
        rig = make_rig(
            origins=("http://localhost",),
            live=LiveLimits(updates_per_second=50, **limits),
            rate_limit_per_minute=10_000,
        )
        # Waits are real here: the rig's hand-moved clock would never let a second update out.
        rig.app.state.live.monotonic = asyncio.get_running_loop().time
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = web_server(
            rig.app,
            close_listeners=rig.app.state.live.close,
            admission=Admission(),
            refusals=Refusals(rig.options),
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield Served(rig, server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await running

    return serving


async def until(is_so: Callable[[], bool], each: Callable[[], object] = lambda: None) -> None:
    """Do `each` until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not is_so():
            each()
            await asyncio.sleep(0.01)


def deaf_reader(url: str, path: str, headers: str = "") -> socket.socket:
    """A connection that asks once and takes nothing."""
    parts = urlsplit(url)
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect((parts.hostname, parts.port))
    found.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    return found


async def test_a_client_that_does_not_read_holds_one_buffer_and_then_gets_the_latest(
    served: Callable[..., Any],
) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)
        (connection,) = site.sockets()
        blocked_at, held = site.seen, connection.transport.get_write_buffer_size()
        for _ in range(300):
            site.push()
            await asyncio.sleep(0.002)
        assert connection.transport.get_write_buffer_size() <= held <= WRITE_BUFFER + 2 * ENTRY_CHARS
        draining = asyncio.create_task(asyncio.to_thread(deaf.drain))
        text = (await draining).decode("latin-1")
        told = [int(part.partition(",")[0]) for part in text.split('"BTC":{"n": ')[1:]]
        assert told[-1] == site.seen == blocked_at + 300
        # What it was told while it did not read had been on its way, but for one message.
        assert len([number for number in told if number > blocked_at]) <= 3
        deaf.close()


async def test_others_are_told_while_one_does_not_read(served: Callable[..., Any]) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)

        def listen() -> int:
            with opened(site.url) as client:
                first = greeted(client)
                assert first["type"] == "snapshot"
                numbers = [hear(client)["quotes"]["BTC"]["n"] for _ in range(10)]
                assert numbers == sorted(numbers)
                return numbers[-1] - first["quotes"]["BTC"]["n"]

        listening = asyncio.create_task(asyncio.to_thread(listen))
        await until(listening.done, site.push)
        assert await listening >= 10
        deaf.close()


async def test_pings_whose_answers_are_not_taken_do_not_pile_up(served: Callable[..., Any]) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)
        (connection,) = site.sockets()
        held = connection.transport.get_write_buffer_size()
        await asyncio.to_thread(deaf.ping, 50_000)
        await asyncio.sleep(0.1)
        # What had been read before the pause may still be answered.
        assert connection.transport.get_write_buffer_size() <= held + WRITE_BUFFER * 5
        deaf.close()


async def test_a_message_read_with_the_pings_does_not_open_the_ears_again(
    served: Callable[..., Any],
) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)
        (connection,) = site.sockets()
        held = connection.transport.get_write_buffer_size()
        # Behind the ping whose answer was one too many, in the same reading of the socket.
        connection.data_received(frame_of(0x1, b"hi"))
        await until(connection.queue.empty)
        await asyncio.sleep(0)
        assert not connection.transport.is_reading()
        await asyncio.to_thread(deaf.ping, 50_000)
        await asyncio.sleep(0.1)
        assert connection.transport.get_write_buffer_size() <= held + WRITE_BUFFER
        deaf.close()


async def test_a_message_of_endless_empty_parts_is_cut_off(served: Callable[..., Any]) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: site.hub.clients == 1)
        await asyncio.to_thread(deaf.begin_without_end, 20_000)
        await until(lambda: not site.sockets() and site.hub.clients == 0)
        deaf.close()


async def test_what_is_left_for_a_client_that_was_told_to_go_is_not_kept(
    served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web_sockets.FLUSH_S", 0.2)
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()))
        (connection,) = site.sockets()
        while not connection.transport.get_write_buffer_size():
            site.push()
            await asyncio.sleep(0.03)
        # Less than what stops the writing waits: the goodbye goes behind it, and nobody takes either.
        assert connection.writable.is_set()
        await asyncio.to_thread(deaf.say, 20)
        await until(lambda: site.hub.clients == 0)
        await until(lambda: not site.sockets())
        deaf.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such timeout")
async def test_an_event_stream_that_nobody_takes_leaves_no_connection_behind(
    served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web_server.UNTAKEN_S", 1.0)
    async with served(stall_s=0.3) as site:
        with deaf_reader(site.url, "/events"):
            await until(lambda: site.hub.clients == 1)
            await until(lambda: site.hub.clients == 0, site.push)
            await until(lambda: not site.server.server_state.connections)


async def test_a_listener_that_sends_a_body_without_end_is_ended_and_is_no_error_of_ours(
    served: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as site:
        with deaf_reader(site.url, "/events", "Transfer-Encoding: chunked\r\n") as talker:
            await until(lambda: site.hub.clients == 1)
            await asyncio.to_thread(talker.sendall, 20 * (b"1000\r\n" + 4096 * b"x" + b"\r\n"))
            await until(lambda: site.hub.clients == 0)
            await until(lambda: not site.server.server_state.connections)
    assert "unhandled error" not in caplog.text


async def test_a_client_that_takes_nothing_is_cut_off_and_its_buffer_freed(
    served: Callable[..., Any],
) -> None:
    async with served(stall_s=0.3) as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)
        await until(lambda: not site.sockets())
        assert site.hub.clients == 0
        assert await asyncio.to_thread(deaf.is_cut_off)
        deaf.close()


async def test_a_stop_does_not_wait_for_a_client_that_takes_nothing(served: Callable[..., Any]) -> None:
    async with served() as site:
        deaf = await asyncio.to_thread(Deaf, site.url)
        await until(lambda: bool(site.sockets()) and not site.sockets()[0].writable.is_set(), site.push)
        begun_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun_s < 8
    deaf.close()


async def test_a_message_over_the_limit_closes_the_socket(served: Callable[..., Any]) -> None:
    async with served() as site:

        def shout() -> int | None:
            with opened(site.url) as client:
                client.send("x" * 5000)
                with pytest.raises(ConnectionClosed):
                    client.recv(WAIT_S)
                return client.close_code

        assert await asyncio.to_thread(shout) == 1009
