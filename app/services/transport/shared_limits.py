"""The call budget counted in Redis, so that all processes that use one key stay inside it together.

Owns the sorted sets (one per window: a member per busy slot, scored by the Redis time it frees) and the
shared pause. Without Redis each process falls back to its own count, which went on in the background.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from app.services.transport.limits import (
    ALL,
    MARGIN_S,
    MAX_CALLS,
    EndpointLimit,
    Quota,
    Slot,
    usable_calls,
)

if TYPE_CHECKING:
    # The library is loaded by the link, and that only where there is a Redis.
    from redis.asyncio import Redis

    from app.services.transport.redis_link import RedisLink

# KEYS: pause, then one set per window. ARGV: token, then per window its calls (-1 = none) and busy time (ms)
# of a slot whose answer never comes. Answers the ms until a slot can be free, or below -1 = taken: -2 less
# the calls that are left in the first window. Redis' own clock is used: the processes' need not agree.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local wait = math.max(0, redis.call('PTTL', KEYS[1]))
for i = 2, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  local calls = tonumber(ARGV[2 * i - 2])
  if calls >= 0 then
    local over = redis.call('ZCARD', KEYS[i]) - calls
    if over >= 0 then
      local row = redis.call('ZRANGE', KEYS[i], over, over, 'WITHSCORES')
      wait = math.max(wait, row[2] and row[2] - now or 1000, 1)
    end
  end
end
if wait > 0 then return wait end
for i = 2, #KEYS do
  local busy = tonumber(ARGV[2 * i - 1])
  redis.call('ZADD', KEYS[i], now + busy, ARGV[1])
  redis.call('PEXPIRE', KEYS[i], busy + 60000)
end
local calls = tonumber(ARGV[2])
if calls < 0 then return -2 end
return -2 - math.max(0, calls - redis.call('ZCARD', KEYS[2]))
"""
# ARGV: token, then per window the busy time from now; 0 = never sent.
_GIVE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS do
  local busy = tonumber(ARGV[i + 1])
  if busy == 0 then redis.call('ZREM', KEYS[i], ARGV[1])
  else redis.call('ZADD', KEYS[i], 'XX', now + busy, ARGV[1]) end
end
return 0
"""
# ARGV: calls the provider says were used (at most the limit), busy time, token prefix for those we missed.
_FILL = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for n = 1, math.min(ARGV[1], MAX_CALLS) - redis.call('ZCARD', KEYS[1]) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3] .. n)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2] + 60000)
return 0
""".replace("MAX_CALLS", str(MAX_CALLS))
# Only ever lengthens the pause.
_PAUSE = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
return 0
"""
_NO_ANSWER = -1
# While Redis does not answer a process takes this part of what was left, or of the plan when that window is
# over: four processes stay inside the plan together.
_PART = 4
# A Redis that misses a deadline of one process may serve the others all the while, and they spend what is
# left: for so long after its last answer nothing is taken without it.
_DOUBT_S = 5.0
# ARGV: calls made while Redis did not answer, busy time, token prefix.
_CATCH_UP = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for n = 1, tonumber(ARGV[1]) do redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3] .. n) end
redis.call('PEXPIRE', KEYS[1], ARGV[2] + 60000)
return 0
"""
# A process that dies with a request under way keeps its slot this much longer than the window.
_IN_FLIGHT_MS = 10_000


class SharedQuota(Quota):
    """`Quota` over several processes. Slots are also counted here, so a Redis outage forgets nothing of ours.

    `prefix` must be the same in all processes that share the key.
    """

    def __init__(
        self,
        provider: str,
        link: RedisLink,
        *,
        calls: int | None = None,
        window_s: float = 60.0,
        classes: Sequence[EndpointLimit] = (),
        prefix: str = "signals:",
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(
            provider, calls=calls, window_s=window_s, classes=classes, monotonic=monotonic, sleep=sleep
        )
        self._link = link
        # One script looks at all windows of a provider: the braces put their keys on one node of a cluster.
        self._prefix = f"{prefix}{{quota:{provider}}}:"
        self._background: set[asyncio.Task[None]] = set()
        # What Redis last said was left, when, and what was taken since without it.
        self._left = 0
        self._answered_s = float("-inf")
        self._untold = 0

    async def acquire(self, endpoint: str, max_wait_s: float, *, background: bool = False) -> Slot:
        """As `Quota.acquire`; first this process's own count, then the shared one."""
        deadline_s = self._monotonic() + (0.0 if background else max_wait_s)
        slot = await super().acquire(endpoint, max_wait_s, background=background)
        is_taken = False
        try:
            token = await self._take(endpoint, slot, deadline_s, background=background)
            is_taken = True
        finally:
            if not is_taken:
                super().release(slot, sent=False)
        return Slot(slot.windows, token)

    def release(self, slot: Slot, *, sent: bool) -> None:
        super().release(slot, sent=sent)
        if slot.token:
            busy = [self._busy_ms(key) if sent else 0 for key in slot.windows]
            self._later(self._run(_GIVE, slot.windows, slot.token, *busy))

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        self._later(self._run(_PAUSE, ("pause",), max(1, int(seconds * 1000))))

    def observe_usage(self, used: int | None, limit: int | None) -> None:
        super().observe_usage(used, limit)
        calls = self._all.calls
        if calls is not None and used is not None and 0 < used <= MAX_CALLS:
            counted = min(used, calls)
            self._later(self._run(_FILL, ("all",), counted, self._busy_ms("all"), uuid4().hex))

    async def settled(self) -> None:
        """Wait until everything told to Redis has arrived (shutdown, tests)."""
        await asyncio.gather(*self._background)

    async def _take(self, endpoint: str, slot: Slot, deadline_s: float, *, background: bool) -> str:
        """The token of the shared slot; empty when Redis is out and only our own count holds."""
        token = uuid4().hex
        args: list[int] = []
        for key in slot.windows:
            calls = self._windows[key].calls
            if background and calls is not None and key == ALL:
                calls = usable_calls(calls)
            args += [-1 if calls is None else calls, self._busy_ms(key) + _IN_FLIGHT_MS]
        await self._catch_up()
        while True:
            wait_ms = await self._eval(_TAKE, ("pause", *slot.windows), token, *args)
            if wait_ms == _NO_ANSWER:
                self._take_alone(endpoint)
                return ""
            self._answered_s = self._monotonic()
            if wait_ms < _NO_ANSWER:
                self._left = -2 - wait_ms
                return token
            self._left = 0
            if self._monotonic() + wait_ms / 1000 > deadline_s:
                raise self._refusal(endpoint, wait_ms / 1000)
            # A slot under way shows its latest end, it may free earlier: look again in a while.
            await self._sleep(min(wait_ms, 1000) / 1000)

    def _take_alone(self, endpoint: str) -> None:
        """Redis is out: a part of what it last said was left, or of the plan once that window is over.

        Raises: `ProviderRateLimited` when this process has had its part, or Redis answered a moment ago.
        """
        calls = self._all.calls
        if calls is not None:
            now_s = self._monotonic()
            silent_s = now_s - self._answered_s
            if silent_s < _DOUBT_S:
                raise self._refusal(endpoint, _DOUBT_S - silent_s)
            is_over = silent_s > self._all.window_s
            # This slot is among the own ones already.
            had = self._all.used(now_s) - 1 if is_over else self._untold
            if had >= (calls if is_over else self._left) // _PART:
                raise self._refusal(endpoint, 1.0)
        self._untold += 1

    async def _catch_up(self) -> None:
        """Tell Redis what was taken while it did not answer."""
        untold = self._untold
        if untold == 0 or not self._link.is_healthy:
            return
        if await self._eval(_CATCH_UP, ("all",), untold, self._busy_ms("all"), uuid4().hex) != _NO_ANSWER:
            self._untold -= untold

    def _busy_ms(self, key: str) -> int:
        return int((self._windows[key].window_s + MARGIN_S) * 1000)

    async def _eval(self, script: str, keys: Sequence[str], *args: str | int) -> int:
        names = [self._prefix + key for key in keys]

        async def run(redis: Redis) -> int:
            return int(await redis.eval(script, len(names), *names, *args))

        return await self._link.run(run, _NO_ANSWER)

    async def _run(self, script: str, keys: Sequence[str], *args: str | int) -> None:
        await self._eval(script, keys, *args)

    def _later(self, told: Coroutine[None, None, None]) -> None:
        # The caller has its answer already; the reference keeps the task alive.
        task = asyncio.get_running_loop().create_task(told)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
