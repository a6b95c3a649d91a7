"""R12 on the bus: Redis down at the start, restarted, read-only, slow. Loss is told; nothing is doubled.

This Redis keeps nothing on disk: a restart loses what nobody had read yet. A cursor and a log that are gone
must neither be mistaken for a fresh start nor make anybody tell an alert again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from app.services.streaming.ingest import FrameIngest
from app.services.streaming.partitions import PartitionWorker
from tests.bus_rig import (
    PARTITIONING,
    Bus,
    Feed,
    Running,
    eventually,
    frame,
    frames,
    publish,
    truth,
)
from tests.services.transport.conftest import RedisServer, redis_process

__all__ = ["redis_process"]

TIMEOUT_S = 0.15
LEASE_S = 8.0  # a busy machine must not pass partitions on: whoever takes one anew counts from nothing


class Chain:
    """One ingest and two detect workers with their effects in common."""

    def __init__(self, server: RedisServer, running: Running, prefix: str) -> None:
        self.server = server
        self.prefix = prefix
        self.feed = Feed()
        self.buses = [
            Bus(server, name, prefix=prefix, timeout_s=TIMEOUT_S, lease_s=LEASE_S)
            for name in ("in", "one", "two")
        ]
        self.effects = self.buses[1].effects
        self.buses[2].effects = self.effects
        self._running = running

    def start_ingest(self, max_buffered_events: int = 10_000) -> FrameIngest:
        ingest = self.buses[0].ingest(self.feed, max_buffered_events=max_buffered_events)
        self._running.start(ingest)
        return ingest

    def start_workers(self) -> list[PartitionWorker]:
        workers = [bus.worker() for bus in self.buses[1:]]
        for worker in workers:
            self._running.start(worker)
        return workers

    async def told(self, count: int) -> None:
        """Every alert of frames 0 to `count`, once, and no other."""
        await eventually(lambda: self.effects.stored == truth(frames(0, count)))
        assert set(self.effects.sayings.values()) == {1}
        assert self.effects.changed == []

    async def close(self) -> None:
        for bus in self.buses:
            await bus.link.aclose()


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def chain(opened: AsyncExitStack) -> Callable[[RedisServer], Chain]:
    def make(server: RedisServer) -> Chain:
        made = Chain(server, Running(opened), f"{uuid.uuid4().hex}:")
        opened.push_async_callback(made.close)
        return made

    return make


MakeChain = Callable[[RedisServer], Chain]


async def test_redis_is_not_there_at_the_start(chain: MakeChain, own_redis: RedisServer) -> None:
    own_redis.stop()
    parts = chain(own_redis)
    ingest, workers = parts.start_ingest(), parts.start_workers()
    await eventually(lambda: ingest.status().bus_faults > 1)
    await eventually(lambda: all(worker.status().bus_faults > 1 for worker in workers))
    assert not ingest.status().is_bus_up
    assert not any(worker.status().is_bus_up for worker in workers)

    own_redis.start()
    parts.feed.play(frames(0, 20))
    await parts.told(20)
    assert ingest.status().is_bus_up
    assert ingest.status().lost_events == 0
    assert parts.effects.gaps == []


async def test_a_restart_loses_only_what_nobody_had_read_and_doubles_nothing(
    chain: MakeChain, own_redis: RedisServer
) -> None:
    parts = chain(own_redis)
    ingest, workers = parts.start_ingest(), parts.start_workers()
    parts.feed.play(frames(0, 40))
    await parts.told(40)
    opened = sum(worker.status().opened for worker in workers)

    own_redis.stop()
    parts.feed.play(frames(40, 80))
    await eventually(lambda: ingest.status().buffered_events > 0 and not ingest.status().is_bus_up)
    await eventually(lambda: not any(worker.status().is_bus_up for worker in workers))
    assert parts.feed.is_connected
    own_redis.start()

    await parts.told(80)
    assert (ingest.status().lost_events, ingest.status().terms) == (0, 1)
    # Windows were kept; the hole, which may have swallowed entries, is told for every partition.
    assert sum(worker.status().opened for worker in workers) == opened
    holes = {partition: gap for partition, gap in parts.effects.gaps}
    assert set(holes) == set(PARTITIONING.all)
    assert {gap.reason for gap in holes.values()} == {"bus_lost"}
    assert holes[PARTITIONING.market].from_ms == frame(39).ts_init_ms
    assert holes[PARTITIONING.market].to_ms == frame(40).ts_init_ms


async def test_entries_that_a_restart_lost_unread_are_counted_and_told(
    chain: MakeChain, own_redis: RedisServer
) -> None:
    parts = chain(own_redis)
    await publish(parts.buses[0], frames(0, 10))
    own_redis.stop()
    own_redis.start()
    ingest = parts.start_ingest()
    parts.feed.play(frames(10, 20))
    await eventually(lambda: ingest.status().published_frames == 10)
    # These start after the loss; the log they find is whole, but does not continue what is stored.
    first, second = parts.start_workers()
    await eventually(lambda: parts.effects.stored == truth(frames(10, 20)))
    assert {is_continued for _, is_continued in parts.effects.restored.values()} == {False}

    # And these had read some of what then went on without them.
    own_redis.stop()
    own_redis.start()
    parts.feed.play(frames(20, 30))
    await eventually(lambda: len(parts.effects.gaps) >= 5)
    assert {gap.reason for _, gap in parts.effects.gaps} == {"bus_lost"}
    assert first.status().lost_entries + second.status().lost_entries >= 5


async def test_an_outage_longer_than_the_buffer_is_counted_and_told(
    chain: MakeChain, own_redis: RedisServer
) -> None:
    parts = chain(own_redis)
    ingest = parts.start_ingest(max_buffered_events=80)
    parts.start_workers()
    parts.feed.play(frames(0, 10))
    await parts.told(10)
    own_redis.stop()
    parts.feed.play(frames(10, 11))
    await eventually(lambda: not ingest.status().is_bus_up)
    parts.feed.play(frames(11, 111))
    await eventually(lambda: ingest.status().lost_events == 90 * 8)  # all were read: what follows is kept
    own_redis.start()

    kept = [*frames(0, 11), *frames(101, 111)]
    await eventually(lambda: parts.effects.stored == truth(kept))
    assert ingest.status().lost_events == 90 * 8
    told = [part.gap for number, part in parts.effects.handled if number == PARTITIONING.market and part.gap]
    assert [(gap.from_ms, gap.to_ms, gap.reason) for gap in told] == [
        (frame(11).ts_init_ms, frame(101).ts_init_ms, "bus_overflow")
    ]


async def test_read_only_for_a_while(chain: MakeChain, own_redis: RedisServer) -> None:
    parts = chain(own_redis)
    ingest, workers = parts.start_ingest(), parts.start_workers()
    parts.feed.play(frames(0, 40))
    await parts.told(40)
    async with Redis.from_url(own_redis.url) as admin:
        await admin.replicaof("127.0.0.1", 1)
        parts.feed.play(frames(40, 60))
        await eventually(lambda: ingest.status().buffered_events > 0 and not ingest.status().is_bus_up)
        await eventually(lambda: not any(worker.status().is_bus_up for worker in workers))
        await admin.replicaof("NO", "ONE")
    await parts.told(60)
    assert ingest.status().lost_events == 0
    assert parts.effects.gaps == []


async def test_slow_for_a_while(chain: MakeChain, own_redis: RedisServer) -> None:
    parts = chain(own_redis)
    ingest = parts.start_ingest()
    parts.start_workers()
    async with Redis.from_url(own_redis.url) as admin:
        for round_ in range(4):
            parts.feed.play(frames(20 * round_, 20 * round_ + 10))
            await asyncio.sleep(0.02)
            # Each of these is longer than a command may take.
            await admin.client_pause(int(2_000 * TIMEOUT_S), all=True)
            parts.feed.play(frames(20 * round_ + 10, 20 * round_ + 20))
    await parts.told(80)
    assert ingest.status().bus_faults > 0
    assert ingest.status().lost_events == 0
    assert parts.effects.gaps == []
