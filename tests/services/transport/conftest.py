"""Shared parts of the transport tests: a loopback server that misbehaves on purpose, and a real Redis.

The loopback server is raw asyncio, because a well-behaved HTTP library cannot be made to drip or cut short.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.services.transport.redis_link import RedisLink

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackServer:
    """Reads one request per connection and lets `behave` answer it; remembers how connections ended."""

    def __init__(self, behave: Behave, *, reads_request: bool) -> None:
        self._behave = behave
        self._reads_request = reads_request
        self._writers: dict[asyncio.StreamWriter, asyncio.Event] = {}
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.base_url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = self._writers[writer] = asyncio.Event()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if self._reads_request:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await self._behave(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        del self._writers[writer]
        self.closed.set()
        ended.set()

    async def hang_up(self) -> None:
        """Cut every connection and wait for its handler."""
        open_now = dict(self._writers)
        for writer in open_now:
            writer.transport.abort()
        for ended in open_now.values():
            await ended.wait()


@asynccontextmanager
async def loopback(behave: Behave, *, reads_request: bool = True) -> AsyncIterator[LoopbackServer]:
    """A server on a free loopback port whose handlers are gone when the block ends."""
    server = LoopbackServer(behave, reads_request=reads_request)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.hang_up()


@pytest.fixture
def start_server() -> Callable[..., AbstractAsyncContextManager[LoopbackServer]]:
    return loopback


class RedisServer:
    """A redis-server child process on a free loopback port, without persistence."""

    def __init__(self, binary: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._command = [
            *(binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            *("--dir", str(folder), "--logfile", str(folder / "redis.log"), "--daemonize", "no"),
        ]
        self._child: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        give_up_s = time.monotonic() + 10
        while time.monotonic() < give_up_s:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
        self.stop()
        pytest.fail("redis-server did not start within 10 s")

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


def _redis_binary() -> str:
    binary = shutil.which("redis-server")
    if binary is not None:
        return binary
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail("REQUIRE_SERVICES=1, but there is no redis-server on this machine")
    pytest.skip("no redis-server")


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(_redis_binary(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone, which the test may stop or make read-only."""
    server = RedisServer(_redis_binary(), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def connect(stack: AsyncExitStack) -> Callable[..., RedisLink]:
    def link(server: RedisServer, **options: Any) -> RedisLink:
        # Patient: on a busy machine a healthy Redis must not pass for a sick one.
        made = RedisLink(server.url, **{"timeout_s": 5.0, **options})
        stack.push_async_callback(made.aclose)
        return made

    return link
