"""The transport's one connection to Redis, made so that a sick Redis costs little and breaks nothing.

Owns short timeouts and the pause after a fault. Used by the shared cache store and the
shared quota; what to do without Redis is theirs to say (the `default` of each call).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

T = TypeVar("T")

# The driver's own timeout holds per read; this one, in multiples of it, covers the wait for a connection.
_QUEUE_FACTOR = 4


async def heeding(command: Awaitable[T]) -> T:
    """The result of `command`, unless its task was told to stop meanwhile: then that.

    The driver sends through `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes
    as its wait ends; a worker that was to end would go on for ever.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        return await command
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


class RedisLink:
    """Runs commands with a deadline; after a fault Redis is left alone for `rest_s`.

    `observe(reason)` counts the commands that failed, timed out or were skipped during the rest; reasons are
    `error`, `timeout`, `resting`.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 0.25,
        rest_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
        observe: Callable[[str], None] | None = None,
    ) -> None:
        # Blocking: in a burst callers queue for a connection instead of taking Redis for dead.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=None,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A retry inside the driver would multiply the deadline; our fallback is memory.
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._timeout_s = timeout_s
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._observe = observe
        self._resting_until_s = float("-inf")
        # A Redis that stopped takes every connection of the pool with it; each would cost a fault of its own.
        self._doubts_idle = False
        self._clearing = asyncio.Lock()
        # From a fault until a command succeeds again: for what is told of Redis, which must not flicker.
        self.is_down = False

    @property
    def is_healthy(self) -> bool:
        """False from a fault until the rest is over: whether a command would be tried now."""
        return self._monotonic() >= self._resting_until_s

    async def run(self, command: Callable[[Redis], Awaitable[T]], default: T) -> T:
        """The result of `command`, or `default` when Redis cannot say."""
        if not self.is_healthy:
            self._count("resting")
            return default
        try:
            async with asyncio.timeout(self._timeout_s * _QUEUE_FACTOR):
                if self._doubts_idle:
                    await self._drop_idle()
                found = await heeding(command(self._redis))
            self.is_down = False
            return found
        except TimeoutError:
            self._rest("timeout")
        except (RedisError, OSError):
            self._rest("error")
        return default

    async def aclose(self) -> None:
        """Close the pool."""
        await self._redis.aclose()

    async def _drop_idle(self) -> None:
        """Hang up the connections that lay idle through a fault: the next commands connect afresh."""
        async with self._clearing:
            if self._doubts_idle:
                await self._redis.connection_pool.disconnect(inuse_connections=False)
                self._doubts_idle = False

    def _rest(self, reason: str) -> None:
        self._doubts_idle = self.is_down = True
        self._resting_until_s = self._monotonic() + self._rest_s
        self._count(reason)

    def _count(self, reason: str) -> None:
        if self._observe is not None:
            self._observe(reason)
