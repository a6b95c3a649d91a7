"""The warm cache of all processes on a real Redis: written here, read there, never a fault of an answer."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest
from redis.asyncio import Redis

from app.core.domain.market import DAY_MS
from app.services.bus.warm import SWEEP_EVERY_S, RedisWarmCache
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.transport.redis_link import RedisLink
from tests.flow_facts import CASCADE, NOW_MS, snapshot
from tests.live_rig import closed_port
from tests.services.transport.conftest import RedisServer, redis_process

__all__ = ["redis_process"]


class Process:
    """One process with clocks of its own. faults: what its link counted."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix = url, prefix
        self.now_ms, self.now_s = NOW_MS, 0.0
        self.faults: list[str] = []
        self.link = RedisLink(url, timeout_s=5.0, monotonic=lambda: self.now_s, observe=self.faults.append)
        self.memory = MemoryWarmCache(now_ms=lambda: self.now_ms, monotonic=lambda: self.now_s)
        self.cache = RedisWarmCache(
            self.link,
            prefix=prefix,
            memory=self.memory,
            now_ms=lambda: self.now_ms,
            monotonic=lambda: self.now_s,
        )


@pytest.fixture
async def start(redis_process: RedisServer) -> AsyncIterator[Callable[..., Process]]:
    prefix = f"{uuid.uuid4().hex}:"
    async with AsyncExitStack() as stack:

        def make(url: str | None = None) -> Process:
            made = Process(url or redis_process.url, prefix)
            stack.push_async_callback(made.link.aclose)
            return made

        yield make


async def test_another_process_reads_what_was_published(start: Callable[..., Process]) -> None:
    worker, web = start(), start()
    coins = [snapshot("BTC", cascade=CASCADE), snapshot("ETH", price=None, price_ms=None), snapshot("SOL")]
    await worker.cache.publish(coins)
    assert await web.cache.read("BTC") == coins[0]
    assert await web.cache.read_all() == coins
    assert await web.cache.read("DOGE") is None


async def test_more_coins_than_one_round_trip_carries_all_arrive(start: Callable[..., Process]) -> None:
    worker, web = start(), start()
    await worker.cache.publish([snapshot(f"C{n:04d}") for n in range(1_203)])
    assert len(await web.cache.read_all()) == 1_203


async def test_texts_are_read_by_all_and_expire(start: Callable[..., Process]) -> None:
    worker, web = start(), start()
    await worker.cache.put_text("status:w", '{"é": 1}', keep_s=30)
    assert await web.cache.get_text("status:w") == '{"é": 1}'
    assert await web.cache.get_text("other") is None
    async with Redis.from_url(worker.url) as redis:
        (key,) = [name async for name in redis.scan_iter(f"{worker.prefix}warm:text:*")]
        assert 0 < await redis.pttl(key) <= 30_000


async def test_without_redis_a_process_knows_its_own_and_nothing_raises(
    start: Callable[..., Process],
) -> None:
    alone = start(f"redis://127.0.0.1:{closed_port()}/0")
    await alone.cache.publish([snapshot("BTC")])
    await alone.cache.put_text("status", "{}", keep_s=30)
    assert await alone.cache.read("BTC") == snapshot("BTC")
    assert await alone.cache.read_all() == [snapshot("BTC")]
    assert await alone.cache.get_text("status") == "{}"
    assert await alone.cache.read("ETH") is None
    assert set(alone.faults) <= {"error", "resting"}
    assert alone.faults


async def test_the_newer_word_holds_whoever_said_it(start: Callable[..., Process]) -> None:
    one, other = start(), start()
    old, new = snapshot(as_of_ms=NOW_MS - 9_000), snapshot(as_of_ms=NOW_MS - 1_000)
    await one.cache.publish([old])
    await other.cache.publish([new])
    assert await one.cache.read("BTC") == new
    assert await one.cache.read_all() == [new]


async def test_what_another_version_wrote_is_not_told(start: Callable[..., Process]) -> None:
    web = start()
    async with Redis.from_url(web.url) as redis:
        # No msgpack, msgpack of something else, and a text that is not UTF-8.
        junk = {"BTC": b"\xc1", "SOL": b"\x81\xa1\x80\xc0", "ETH": msgspec.msgpack.encode({"symbol": "ETH"})}
        await redis.hset(f"{web.prefix}warm:coins", mapping=junk)  # type: ignore[misc]
    assert await web.cache.read("BTC") is None
    assert await web.cache.read_all() == []
    assert web.cache.unreadable == 4


async def test_coins_that_nobody_publishes_are_swept_out(start: Callable[..., Process]) -> None:
    worker = start()
    await worker.cache.publish([snapshot("OLD", as_of_ms=NOW_MS)])
    worker.now_ms += DAY_MS + 1
    worker.now_s += SWEEP_EVERY_S
    await worker.cache.publish([snapshot("NEW", as_of_ms=worker.now_ms)])
    async with Redis.from_url(worker.url) as redis:
        assert await redis.hkeys(f"{worker.prefix}warm:coins") == [b"NEW"]  # type: ignore[misc]
