"""Leases over Redis: a key that expires, with a token that no one else has ever had.

Time is Redis's own, so that clocks of hosts do not matter. Who holds what is decided in Redis alone;
`streams` compares the token again with every write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis.asyncio import Redis

from app.core.bus_ports import Lease
from app.services.bus.link import BusLink

_RENEW = """
local held = {}
for i, key in ipairs(KEYS) do
  local token = redis.call('GET', key)
  if token == ARGV[i + 1] or not token then
    redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
    held[#held + 1] = i
  end
end
return held
"""

_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"

# A worker is there until its time is over; those whose time is over are forgotten by whoever comes next.
_ATTEND = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return redis.call('ZCARD', KEYS[1])
"""


def lease_key(prefix: str, name: str) -> str:
    return f"{prefix}lease:{name}"


class RedisLeases:
    """`core.bus_ports.PartitionLease` over Redis."""

    def __init__(self, link: BusLink, *, prefix: str, owner: str, lease_s: float = 8.0) -> None:
        """owner: of this process alone, drawn anew at every start, since a token tells two lives apart."""
        self.lease_s = lease_s
        self._link = link
        self._prefix = prefix
        self._owner = owner
        self._lease_ms = int(1000 * lease_s)
        self._taken = 0

    async def attend(self) -> int:
        return int(await self._run(_ATTEND, [f"{self._prefix}workers"], [self._owner, self._lease_ms]))

    async def leave(self) -> None:
        await self._link.ask(
            lambda redis: cast(Awaitable[Any], redis.zrem(f"{self._prefix}workers", self._owner))
        )

    async def take(self, name: str) -> Lease | None:
        self._taken += 1
        lease = Lease(name, f"{self._owner}/{self._taken}")
        was_free = await self._link.ask(
            lambda redis: redis.set(self._key(lease), lease.token, nx=True, px=self._lease_ms)
        )
        return lease if was_free else None

    async def renew(self, leases: Sequence[Lease]) -> frozenset[str]:
        if not leases:
            return frozenset()
        tokens: list[str | int] = [self._lease_ms, *(lease.token for lease in leases)]
        held = await self._run(_RENEW, [self._key(lease) for lease in leases], tokens)
        return frozenset(leases[index - 1].name for index in held)

    async def give_back(self, lease: Lease) -> None:
        await self._run(_GIVE_BACK, [self._key(lease)], [lease.token])

    async def _run(self, script: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        async def command(redis: Redis) -> Any:
            return await redis.register_script(script)(keys=keys, args=args)

        return await self._link.ask(command)

    def _key(self, lease: Lease) -> str:
        return lease_key(self._prefix, lease.name)
