"""Bodies shared between processes: what one process fetched, the others reuse.

Owns the Redis layout (8 bytes of fetched_ms, then the body) and the load lock. Never raises for a Redis
fault: then every process answers from its own memory, and `RedisLink` reports it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

if TYPE_CHECKING:
    # The library is loaded by the link, and that only where there is a Redis.
    from redis.asyncio import Redis

    from app.services.transport.redis_link import RedisLink


# Deletes the lock only while it is still ours: it may have expired and be another process's by now.
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_STAMP_BYTES = 8


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A raw body and the market time (epoch ms) it arrived at whichever process fetched it."""

    body: bytes = field(repr=False)
    fetched_ms: int


class SharedStore(Protocol):
    """What the cache needs from a store; implementations never raise for an outage of the store."""

    async def get(self, key: str) -> StoredBody | None:
        """The stored body, None when absent or the store is out."""
        ...

    async def put(self, key: str, stored: StoredBody, keep_ms: int) -> None:
        """Keep a body for `keep_ms` of wall time."""
        ...

    async def lock(self, key: str, ttl_ms: int) -> str | None:
        """A token when this process may load; None while another one does. A token when the store is out."""
        ...

    async def unlock(self, key: str, token: str) -> None:
        """Give the lock back; a lock that is no longer ours stays."""
        ...


class RedisStore:
    """`SharedStore` on Redis. `prefix` keeps live, demo and replay data of one Redis apart."""

    def __init__(self, link: RedisLink, *, prefix: str = "signals:", max_bytes: int = 2 * 2**20) -> None:
        self._link = link
        self._prefix = prefix
        self._max_bytes = max_bytes

    async def get(self, key: str) -> StoredBody | None:
        async def read(redis: Redis) -> bytes | None:
            found = await redis.get(self._body(key))
            return found if isinstance(found, bytes) else None

        raw = await self._link.run(read, None)
        if raw is None or len(raw) < _STAMP_BYTES:
            return None
        return StoredBody(raw[_STAMP_BYTES:], int.from_bytes(raw[:_STAMP_BYTES], "big"))

    async def put(self, key: str, stored: StoredBody, keep_ms: int) -> None:
        if keep_ms <= 0 or len(stored.body) > self._max_bytes:
            return
        raw = stored.fetched_ms.to_bytes(_STAMP_BYTES, "big") + stored.body

        async def write(redis: Redis) -> None:
            await redis.set(self._body(key), raw, px=keep_ms)

        await self._link.run(write, None)

    async def lock(self, key: str, ttl_ms: int) -> str | None:
        token = uuid4().hex

        async def take(redis: Redis) -> str | None:
            return token if await redis.set(self._lock(key), token, px=ttl_ms, nx=True) else None

        return await self._link.run(take, token)

    async def unlock(self, key: str, token: str) -> None:
        async def give(redis: Redis) -> None:
            await redis.eval(_UNLOCK, 1, self._lock(key), token)

        await self._link.run(give, None)

    def _body(self, key: str) -> str:
        return f"{self._prefix}body:{key}"

    def _lock(self, key: str) -> str:
        return f"{self._prefix}lock:{key}"
