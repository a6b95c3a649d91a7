"""The bus's own connections to Redis: short ones for commands, patient ones for reads that wait for news.

The transport's link gives up within a quarter of a second and answers from memory; on the bus there is no
memory to answer from, so every fault becomes `BusUnavailable` and the caller decides what to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.errors import BusUnavailable
from app.services.transport.redis_link import heeding

T = TypeVar("T")

# The driver's timeout holds per read; this one, in multiples of it, covers the wait for a connection too.
_WHOLE_FACTOR = 3


def bus_prefix(prefix: str) -> str:
    """Of every key of the bus. Its scripts hold a lease and write to streams and cursors in one step, so the
    braces put all of them on one node of a cluster (adr/0052)."""
    return f"{prefix}{{bus}}:"


class BusLink:
    """Runs commands with a deadline. timeout_s: per answer; max_wait_s: longest that a read may wait for
    news, on top of it."""

    def __init__(self, url: str, *, timeout_s: float = 2.0, max_wait_s: float = 1.0) -> None:
        self.max_wait_s = max_wait_s
        self._timeout_s = timeout_s
        self._commands = _client(url, timeout_s, timeout_s, connections=8)
        # One for each partition that this process reads.
        self._reads = _client(url, timeout_s + max_wait_s, timeout_s, connections=256)

    async def ask(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """The result of `command`. Raises: BusUnavailable."""
        return await self._run(self._commands, command, self._timeout_s)

    async def wait(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """The same for a command that may wait `max_wait_s` for news. Raises: BusUnavailable."""
        return await self._run(self._reads, command, self._timeout_s + self.max_wait_s)

    async def aclose(self) -> None:
        await self._commands.aclose()
        await self._reads.aclose()

    async def _run(self, client: Redis, command: Callable[[Redis], Awaitable[T]], timeout_s: float) -> T:
        try:
            async with asyncio.timeout(timeout_s * _WHOLE_FACTOR):
                return await heeding(command(client))
        except TimeoutError as fault:
            raise BusUnavailable("Redis did not answer in time") from fault
        except (RedisError, OSError) as fault:
            # The driver's own text names the host, and perhaps more.
            raise BusUnavailable(f"Redis: {type(fault).__name__}") from fault


def _client(url: str, timeout_s: float, connect_s: float, *, connections: int) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=None,
        socket_timeout=timeout_s,
        socket_connect_timeout=connect_s,
        # A write that is repeated by the driver unseen is a write made twice.
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
