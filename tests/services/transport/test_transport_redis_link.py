"""The link to Redis: one fault, one rest, and then well again."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from app.services.transport.redis_link import RedisLink, heeding
from tests.services.transport.conftest import RedisServer


class Seconds:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def _ping(redis: Redis) -> bool:
    return bool(await redis.ping())


async def _slow_ping(redis: Redis) -> bool:
    await redis.execute_command("CLIENT", "ID")
    return await _ping(redis)


async def test_connections_that_died_with_redis_cost_one_rest_and_not_one_each(
    own_redis: RedisServer,
) -> None:
    clock, faults = Seconds(), list[str]()
    link = RedisLink(own_redis.url, timeout_s=5.0, monotonic=clock, observe=faults.append)
    try:
        assert all(await asyncio.gather(*(link.run(_slow_ping, False) for _ in range(20))))
        own_redis.stop()
        assert await link.run(_ping, False) is False
        assert await link.run(_ping, False) is False
        assert faults == ["error", "resting"]
        own_redis.start()
        clock.now_s += 2
        assert all(await asyncio.gather(*(link.run(_slow_ping, False) for _ in range(20))))
        assert faults == ["error", "resting"]
        assert link.is_healthy
    finally:
        await link.aclose()


async def test_a_redis_that_stays_away_is_asked_once_per_rest(own_redis: RedisServer) -> None:
    clock, faults = Seconds(), list[str]()
    link = RedisLink(own_redis.url, timeout_s=5.0, monotonic=clock, observe=faults.append)
    try:
        own_redis.stop()
        for _ in range(3):
            assert [await link.run(_ping, False) for _ in range(3)] == [False] * 3
            assert not link.is_healthy
            clock.now_s += 2
            assert link.is_healthy
            assert link.is_down  # nobody has seen it well again
        assert faults == ["error", "resting", "resting"] * 3
        own_redis.start()
        assert await link.run(_ping, False)
        assert not link.is_down
    finally:
        await link.aclose()


async def test_what_stops_a_task_inside_of_a_command_stops_it_and_a_clean_up_after_that_may_ask() -> None:
    """A driver swallows the cancellation; then the same task, cancelled already, gives something back."""
    begun, asked = asyncio.Event(), list[str]()

    async def swallowing() -> str:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            asked.append("swallowed")
        return "as if nothing had been"

    async def giving_back() -> str:
        return "given back"

    async def work() -> None:
        try:
            await heeding(swallowing())
        finally:
            asked.append(await heeding(giving_back()))

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()
    assert asked == ["swallowed", "given back"]
