"""Detect workers on a real Redis: who reads what, what is acknowledged when, what a fault leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from app.core.bus_ports import Ack
from app.core.domain.flow import StreamFrame
from app.core.errors import StorageUnavailable
from app.services.streaming.partitions import PartitionWorker
from tests.bus_rig import (
    PARTITIONING,
    Bus,
    Running,
    Tally,
    eventually,
    frame,
    frames,
    is_drained,
    publish,
    truth,
)
from tests.services.transport.conftest import RedisServer

MakeBus = Callable[..., Bus]


def held(worker: PartitionWorker) -> set[int]:
    return {status.partition for status in worker.status().partitions}


async def test_every_frame_has_its_effect_once_and_its_partition_in_order(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one = bus("one")
    await publish(one, frames(0, 60))
    running.start(one.worker())
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert one.effects.stored == truth(frames(0, 60))
    assert set(one.effects.sayings.values()) == {1}
    assert one.effects.gaps == []
    # Nothing was handled before: between stored rows and the first frame there may be a gap.
    assert {is_continued for _, is_continued in one.effects.restored.values()} == {False}
    await eventually(lambda: one.effects.ticks > 0)


async def test_two_workers_share_fairly_and_the_one_that_stays_takes_over_what_the_other_knew(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one, two = bus("one"), bus("two")
    first, second = one.worker(), two.worker()
    running.start(first)
    await eventually(lambda: held(first) == set(PARTITIONING.all))
    await publish(one, frames(0, 30))
    await eventually(lambda: is_drained(one, redis_process, prefix))

    ends = running.start(second)
    await eventually(lambda: {len(held(first)), len(held(second))} == {2, 3})
    assert held(first) | held(second) == set(PARTITIONING.all)
    assert held(first).isdisjoint(held(second))
    await publish(one, frames(30, 60))
    await eventually(lambda: is_drained(one, redis_process, prefix))

    second.stop()
    await ends
    # Given back and not waited for: the lease would have ended later.
    await eventually(lambda: held(first) == set(PARTITIONING.all))
    assert first.status().workers == 1
    await publish(one, frames(60, 90))
    await eventually(lambda: is_drained(one, redis_process, prefix))
    told = one.effects.stored | two.effects.stored
    assert told == truth(frames(0, 90))
    assert one.effects.stored.keys().isdisjoint(two.effects.stored)
    assert one.effects.changed == two.effects.changed == []


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_at_an_end_the_entry_under_way_is_finished_acknowledged_and_the_lease_given_back(
    bus: MakeBus, how: str
) -> None:
    one = bus("one")
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Tally):
        async def handle(self, frame: StreamFrame) -> None:
            begun.set()
            await go_on.wait()
            await super().handle(frame)

    await publish(one, frames(0, 20))
    worker = one.worker(lambda partition: Slow(partition, one.effects))
    ends = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop() if how == "stop" else ends.cancel()
    await asyncio.sleep(0.05)
    assert not ends.done()
    go_on.set()
    await asyncio.wait([ends])
    handled = {number: part for number, part in one.effects.handled}
    for partition, part in handled.items():
        cursor = await one.log.cursor(partition)
        assert cursor is not None
        assert cursor.ts_init_ms == part.ts_init_ms < frame(19).ts_init_ms
    assert handled
    assert [await one.leases.take(f"partition-{number}") is None for number in PARTITIONING.all] == [
        False
    ] * 5
    assert await one.leases.attend() == 1


async def test_a_new_owner_fills_its_windows_without_saying_again_what_was_said(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one, two = bus("one"), bus("two")
    await publish(one, frames(0, 20))
    worker = one.worker()
    ends = running.start(worker)
    await eventually(lambda: is_drained(one, redis_process, prefix))
    worker.stop()
    await ends

    await publish(one, frames(20, 23))
    running.start(two.worker())
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert two.effects.stored == dict(truth(frames(0, 23)).items() - truth(frames(0, 20)).items())
    # What was stored before the oldest frame that is still on the bus comes from the store.
    assert two.effects.restored == {
        partition: (
            min(part.ts_init_ms for number, part in two.effects.replayed if number == partition),
            True,
        )
        for partition in PARTITIONING.all
    }


async def test_nothing_is_acknowledged_before_its_effect_is_stored(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one = bus("one")
    one.effects.flush_fault = StorageUnavailable("the database does not answer")
    await publish(one, frames(0, 20))
    worker = one.worker()
    running.start(worker)
    await eventually(lambda: worker.status().last_fault == "the database does not answer")
    await eventually(lambda: len({number for number, _ in one.effects.handled}) == 5)
    assert [await one.log.cursor(partition) for partition in PARTITIONING.all] == [None] * 5

    one.effects.flush_fault = None
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert one.effects.stored == truth(frames(0, 20))
    # The windows were good: nothing was handled again.
    assert set(one.effects.sayings.values()) == {1}


async def test_a_frame_that_was_left_half_done_is_done_again_on_fresh_windows(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one = bus("one")
    faults = iter([StorageUnavailable("away")] * 3)

    def fail_thrice(part: StreamFrame) -> None:
        if part.ts_init_ms == frame(7).ts_init_ms and (fault := next(faults, None)):
            raise fault

    one.effects.handle_fault = fail_thrice
    await publish(one, frames(0, 20))
    worker = one.worker()
    running.start(worker)
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert one.effects.stored == truth(frames(0, 20))
    assert one.effects.changed == []
    assert worker.status().opened == 5 + 3
    assert worker.status().skipped == 0


async def test_a_frame_that_the_handler_breaks_on_is_left_out_and_told(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one, two = bus("one"), bus("two")

    def break_on_seven(part: StreamFrame) -> None:
        if part.ts_init_ms == frame(7).ts_init_ms:
            raise ZeroDivisionError

    one.effects.handle_fault = two.effects.handle_fault = break_on_seven
    await publish(one, frames(0, 20))
    worker = one.worker()
    ends = running.start(worker)
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert one.effects.stored == truth([*frames(0, 7), *frames(8, 20)])
    assert worker.status().skipped == 5
    assert worker.status().last_fault.startswith("partition ")
    assert "ZeroDivisionError" in worker.status().last_fault
    at_ms = frame(7).ts_init_ms
    assert {(gap.from_ms, gap.to_ms, gap.reason) for _, gap in one.effects.gaps} == {(at_ms, at_ms, "failed")}
    assert not ends.done()


async def test_an_entry_of_another_version_is_left_out_and_told(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one = bus("one")
    await publish(one, frames(0, 3))
    redis = Redis.from_url(redis_process.url)
    fields = (await redis.xrevrange(f"{prefix}frames:0", count=1))[0][1]
    await redis.hincrby(f"{prefix}frames:counts", f"{prefix}frames:0", 1)
    await redis.xadd(f"{prefix}frames:0", {**fields, b"n": int(fields[b"n"]) + 1, b"f": b"\x91\x02"})
    await redis.aclose()
    await publish(one, frames(3, 6))
    worker = one.worker()
    running.start(worker)
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert worker.status().refused == 1
    assert worker.status().lost_entries == 0
    assert [(partition, gap.reason) for partition, gap in one.effects.gaps] == [(0, "unreadable")]
    assert one.effects.stored == truth(frames(0, 6))


async def test_entries_that_were_cut_off_before_anybody_read_them_are_counted_and_told(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one = bus("one")
    market = f"{prefix}frames:{PARTITIONING.market}"
    await publish(one, frames(0, 10))
    redis = Redis.from_url(redis_process.url)
    await redis.xtrim(market, maxlen=6, approximate=False)
    middle = (await redis.xrange(market))[2][0]
    await redis.xdel(market, middle)
    await redis.aclose()
    worker = one.worker()
    running.start(worker)
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert worker.status().lost_entries == 4 + 1
    gaps = [
        (gap.to_ms, gap.reason) for partition, gap in one.effects.gaps if partition == PARTITIONING.market
    ]
    assert gaps == [(frame(4).ts_init_ms, "bus_lost"), (frame(7).ts_init_ms, "bus_lost")]
    assert one.effects.gaps[-1][1].from_ms == frame(5).ts_init_ms


async def test_who_has_lost_the_lease_moves_no_cursor_and_publishes_nothing(bus: MakeBus) -> None:
    one = bus("one")
    await publish(one, frames(0, 2))
    entries = await one.log.read(PARTITIONING.market, None, 10, 0.0)
    lease = await one.leases.take("partition-4")
    assert lease is not None
    await one.leases.give_back(lease)
    other = await bus("two").leases.take("partition-4")
    assert other is not None
    assert await one.leases.renew([lease]) == frozenset()
    place = entries[0].place
    assert await one.log.acknowledge(lease, PARTITIONING.market, None, place) is Ack.FENCED
    assert not await one.log.publish(lease, 1, [(0, frame(2))])
    assert await one.log.cursor(PARTITIONING.market) is None
    assert await one.log.acknowledge(other, PARTITIONING.market, None, place) is Ack.STORED
    # From where the other one does not stand, nothing is moved either; the same again is no fault.
    assert await one.log.acknowledge(other, PARTITIONING.market, None, entries[1].place) is Ack.MOVED
    assert await one.log.acknowledge(other, PARTITIONING.market, None, place) is Ack.STORED
    assert await one.log.cursor(PARTITIONING.market) == place


async def test_a_batch_that_was_written_without_an_answer_is_not_written_twice(bus: MakeBus) -> None:
    one = bus("one")
    lease = await one.leases.take("ingest")
    assert lease is not None
    for number in (1, 1, 2, 2):
        assert await one.log.publish(lease, number, [(0, frame(number)), (0, frame(number + 10))])
    entries = await one.log.read(0, None, 10, 0.0)
    assert [entry.frame for entry in entries] == [frame(1), frame(11), frame(2), frame(12)]
    assert [entry.place.n for entry in entries] == [1, 2, 3, 4]
    assert await one.log.newest_ms() == frame(12).ts_init_ms


async def test_frames_that_nobody_acknowledged_are_waiting_whoever_asks(
    bus: MakeBus, running: Running, redis_process: RedisServer, prefix: str
) -> None:
    one, two = bus("one"), bus("two")
    assert await two.log.waiting() == 0
    await publish(one, frames(0, 10))
    waiting = await two.log.waiting()
    assert waiting == sum([len(PARTITIONING.split(whole)) for whole in frames(0, 10)])
    market = await one.log.read(PARTITIONING.market, None, 4, 0.0)
    lease = await one.leases.take(f"partition-{PARTITIONING.market}")
    assert lease is not None
    assert await one.log.acknowledge(lease, PARTITIONING.market, None, market[3].place) is Ack.STORED
    assert await two.log.waiting() == waiting - 4
    await one.leases.give_back(lease)
    running.start(one.worker())
    await eventually(lambda: is_drained(one, redis_process, prefix))
    assert await two.log.waiting() == 0


async def test_a_worker_whose_lease_may_be_over_handles_nothing_until_it_is_renewed(
    bus: MakeBus, running: Running
) -> None:
    one = bus("one")
    await publish(one, frames(0, 1))
    # A clock of which nothing lies in the future: every lease may be over.
    worker = one.worker(monotonic=lambda: float("inf"))
    running.start(worker)
    await eventually(lambda: held(worker) == set(PARTITIONING.all))
    await eventually(lambda: worker.status().workers == 1)
    assert one.effects.handled == []
    assert one.effects.restored == {}


async def test_a_cancellation_that_comes_with_a_wake_up_is_not_lost(bus: MakeBus) -> None:
    """Both in one turn of the loop: the worker used to take the wake-up and go on for ever."""
    one = bus("one")
    worker = one.worker()
    ends = asyncio.create_task(worker.run())
    await eventually(lambda: held(worker) == set(PARTITIONING.all))
    for _ in range(5):
        await asyncio.sleep(0.01)
    worker._wake.set()
    await asyncio.sleep(0)
    ends.cancel()
    done, _ = await asyncio.wait([ends], timeout=30)
    assert done == {ends}
    assert ends.cancelled()
