"""The upstream client against a real loopback server that drips, stalls, floods, cuts short or hangs up."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from app.core import errors
from app.services.transport.body import BodyCutShort, BodyDamaged, BodyTooLarge, BoundedBody
from app.services.transport.circuit import CircuitBreaker
from app.services.transport.connection import Waits, tls_context
from app.services.transport.http import Answer, ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.status import raise_for_http_status

Start = Callable[..., AbstractAsyncContextManager[Any]]
SEATS = 10
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@asynccontextmanager
async def client_of(base_url: str, **options: Any) -> AsyncIterator[UpstreamClient]:
    config = ClientConfig("p", base_url, **{"attempts": 1, "max_bytes": 2**20, **options})
    made = UpstreamClient(config, breaker=CircuitBreaker("p"), quota=Quota("p"), observe=lambda _record: None)
    try:
        yield made
    finally:
        await made.aclose()


async def get(client: UpstreamClient, endpoint: str = "x") -> Answer:
    return await client.get(
        f"/{endpoint}",
        {"symbol": "BTC"},
        endpoint=endpoint,
        check=lambda answer: raise_for_http_status("p", endpoint, answer),
    )


def sends(*chunks: bytes, then_hang: bool = False, reset: bool = False) -> Callable[..., Any]:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if reset:
            writer.transport.abort()
        if then_hang:
            await reader.read()

    return behave


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"content-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


async def test_a_plain_answer_arrives(start_server: Start) -> None:
    async with start_server(sends(OK + b"content-length: 2\r\n\r\n{}")) as server:
        async with client_of(server.base_url) as client:
            assert (await get(client)).body == b"{}"
        assert b"GET /x?symbol=BTC HTTP/1.1" in server.requests[0]


@pytest.mark.parametrize(
    "behave",
    [
        sends(then_hang=True),
        sends(OK, then_hang=True),
        sends(OK + b"content-length: 100\r\n\r\n{", then_hang=True),
        drip,
    ],
    ids=["hang", "half the headers", "stall in the body", "drip"],
)
async def test_slow_answers_end_at_the_total_deadline_and_the_connection_is_closed(
    start_server: Start, behave: Callable[..., Any]
) -> None:
    async with start_server(behave) as server, client_of(server.base_url, total_s=0.15) as client:
        with pytest.raises(errors.ProviderTimeout):
            await get(client)
        await asyncio.wait_for(server.closed.wait(), 30)


async def test_an_endless_body_ends_at_the_cap_and_the_connection_is_closed(start_server: Start) -> None:
    async with start_server(flood) as server, client_of(server.base_url) as client:
        with pytest.raises(errors.ProviderBadPayload, match="larger than 1048576 bytes"):
            await get(client)
        await asyncio.wait_for(server.closed.wait(), 30)


async def test_a_declared_size_over_the_cap_is_refused_unread(start_server: Start) -> None:
    behave = sends(OK + b"content-length: 99999999\r\n\r\n", then_hang=True)
    async with start_server(behave) as server, client_of(server.base_url) as client:
        with pytest.raises(errors.ProviderBadPayload):
            await get(client)
        await asyncio.wait_for(server.closed.wait(), 30)


async def test_a_gzip_bomb_stays_under_the_cap(start_server: Start) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=9)
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    async with start_server(sends(head, bomb)) as server, client_of(server.base_url) as client:
        tracemalloc.start()
        with pytest.raises(errors.ProviderBadPayload):
            await get(client)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize(
    "behave",
    [
        sends(OK + b"content-length: 100\r\n\r\n{"),
        sends(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nab"),
        sends(
            OK + b"content-encoding: gzip\r\ncontent-length: 8\r\n\r\n" + gzip.compress(b"{}", mtime=0)[:8]
        ),
        sends(OK + b"content-length: 100\r\n\r\n{", reset=True),
        sends(reset=True),
        sends(b""),
        sends(b"this is not http\r\n\r\n"),
    ],
    ids=["cut body", "cut chunk", "cut gzip", "reset in body", "reset", "no answer", "not http"],
)
async def test_broken_transfers_are_unavailable(start_server: Start, behave: Callable[..., Any]) -> None:
    async with start_server(behave) as server, client_of(server.base_url) as client:
        with pytest.raises(errors.ProviderUnavailable):
            await get(client)


async def test_an_encoding_nobody_asked_for_is_refused(start_server: Start) -> None:
    behave = sends(OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n{}")
    async with start_server(behave) as server, client_of(server.base_url) as client:
        with pytest.raises(errors.ProviderBadPayload, match="content encoding"):
            await get(client)


async def test_a_closed_port_is_unavailable(start_server: Start) -> None:
    async with start_server(sends()) as server:
        base_url = server.base_url
    async with client_of(base_url) as client:
        with pytest.raises(errors.ProviderUnavailable, match="connect"):
            await get(client)


async def test_an_unknown_host_is_unavailable() -> None:
    async with client_of("http://nowhere.invalid") as client:
        with pytest.raises(errors.ProviderUnavailable) as raised:
            await get(client)
    assert "nowhere" not in str(raised.value)


async def test_a_port_without_tls_is_a_tls_failure(start_server: Start) -> None:
    async with (
        start_server(sends(b"plain text"), reads_request=False) as server,
        client_of(server.base_url.replace("http:", "https:")) as client,
    ):
        with pytest.raises(errors.ProviderUnavailable, match="TLS failed"):
            await get(client)


async def test_cancelled_calls_leave_the_pool_usable(start_server: Start) -> None:
    arrived: asyncio.Queue[None] = asyncio.Queue()

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(None)
        await reader.read()

    async with start_server(hang) as server, client_of(server.base_url, max_connections=5) as client:
        for _ in range(4):
            tasks = [asyncio.create_task(get(client)) for _ in range(5)]
            for _ in tasks:
                await asyncio.wait_for(arrived.get(), 30)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(server.requests) == 20


async def test_prices_of_forty_coins_do_not_queue_behind_their_statistics(start_server: Start) -> None:
    """Statistics hold every connection; the first that gets its answer frees one, and prices get it."""
    under_way = asyncio.Event()
    waiting: list[asyncio.Event] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/statistics" in server.requests[-1]:
            gate = asyncio.Event()
            waiting.append(gate)
            if len(waiting) == SEATS:
                under_way.set()
            hung_up = asyncio.create_task(reader.read())
            hung_up.add_done_callback(lambda _task: gate.set())
            await gate.wait()
            hung_up.cancel()
        writer.write(OK + b"content-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()

    async with (
        start_server(behave) as server,
        client_of(server.base_url, max_connections=SEATS, total_s=20.0, waits=Waits(read_s=20.0)) as client,
    ):
        statistics = [asyncio.create_task(get(client, "statistics")) for _ in range(40 * 24)]
        await asyncio.wait_for(under_way.wait(), 30)
        prices = [asyncio.create_task(get(client, "price")) for _ in range(40)]
        await asyncio.sleep(0)
        waiting[0].set()
        answers = await asyncio.wait_for(asyncio.gather(*prices), 30)
        assert len(answers) == 40
        assert len(waiting) <= SEATS + 1  # hardly any statistics went between them
        for task in statistics:
            task.cancel()
        await asyncio.gather(*statistics, return_exceptions=True)
        assert client.breaker.state == "closed"


async def test_a_wait_for_a_connection_ends_before_the_time_is_up_and_is_no_outage(
    start_server: Start,
) -> None:
    async with (
        start_server(sends(then_hang=True)) as server,
        client_of(server.base_url, max_connections=1, total_s=0.3) as client,
    ):
        holder = asyncio.create_task(get(client))
        await asyncio.sleep(0)
        results = await asyncio.gather(*(get(client) for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {errors.ProviderTimeout}
        assert all("free connection" in str(result) for result in results)
        await asyncio.gather(holder, return_exceptions=True)
        assert client.breaker.state == "closed"


class TestBoundedBody:
    @pytest.mark.parametrize("step", [1, 7, 10_000])
    @pytest.mark.parametrize(
        ("encoding", "wire"),
        [
            ("", b"hello " * 50),
            ("identity", b"hello " * 50),
            ("GZIP", gzip.compress(b"hello " * 50, mtime=0)),
            ("gzip", gzip.compress(b"hello " * 25, mtime=0) + gzip.compress(b"hello " * 25, mtime=0)),
            ("deflate", zlib.compress(b"hello " * 50)),
        ],
        # Compressed bytes hold the time and would be another name at every collection.
        ids=["none", "identity", "gzip", "gzip twice", "deflate"],
    )
    def test_every_encoding_decodes_in_any_chunking(self, encoding: str, wire: bytes, step: int) -> None:
        body = BoundedBody(encoding, 300)
        for start in range(0, len(wire), step):
            body.feed(wire[start : start + step])
        assert body.finish() == b"hello " * 50

    def test_bare_deflate_is_understood(self) -> None:
        bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = BoundedBody("deflate", 1000)
        body.feed(bare.compress(b"hello") + bare.flush())
        assert body.finish() == b"hello"

    @pytest.mark.parametrize("encoding", ["", "gzip"])
    def test_one_byte_over_the_cap_is_too_much(self, encoding: str) -> None:
        wire = gzip.compress(b"x" * 101) if encoding else b"x" * 101
        body = BoundedBody(encoding, 100)
        with pytest.raises(BodyTooLarge):
            body.feed(wire)

    def test_empty_gzip_members_without_end_hit_the_raw_cap(self) -> None:
        body = BoundedBody("gzip", 1000)
        member = gzip.compress(b"")
        for _ in range(1000 // len(member)):
            body.feed(member)
        with pytest.raises(BodyTooLarge):
            body.feed(member)

    def test_garbage_and_missing_ends_are_told_apart(self) -> None:
        with pytest.raises(BodyDamaged):
            BoundedBody("gzip", 100).feed(b"not gzip at all")
        with pytest.raises(BodyDamaged):
            BoundedBody("br", 100)
        body = BoundedBody("gzip", 100)
        body.feed(gzip.compress(b"hello")[:-3])
        with pytest.raises(BodyCutShort):
            body.finish()

    def test_an_empty_body_is_empty(self) -> None:
        assert BoundedBody("gzip", 10).finish() == b""


def test_tls_checks_certificates() -> None:
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
