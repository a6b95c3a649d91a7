"""The ingest process on a real Redis: one at a time, nothing twice, and what could not be kept is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.domain.flow import StreamFrame, StreamGap
from app.core.stream_ports import FrameSink
from tests.bus_rig import PARTITIONING, Bus, Feed, Running, eventually, frame, frames, publish

MakeBus = Callable[..., Bus]


async def on_the_bus(bus: Bus, partition: int = PARTITIONING.market) -> list[StreamFrame]:
    entries = await bus.log.read(partition, None, 10_000, 0.0)
    return [entry.frame for entry in entries if entry.frame]


async def test_frames_come_onto_the_bus_in_order_and_each_coin_in_its_partition(
    bus: MakeBus, running: Running
) -> None:
    one, feed = bus("one"), Feed()
    ingest = one.ingest(feed)
    running.start(ingest)
    feed.play(frames(0, 50))
    await eventually(lambda: ingest.status().published_frames == 50)
    assert await on_the_bus(one) == frames(0, 50)
    for partition in range(PARTITIONING.count):
        assert await on_the_bus(one, partition) == [
            part
            for whole in frames(0, 50)
            for number, part in PARTITIONING.split(whole)
            if number == partition
        ]
    status = ingest.status()
    assert (status.published_events, status.lost_events, status.terms, status.is_active) == (400, 0, 1, True)


async def test_a_second_ingest_stands_by_without_a_socket_and_takes_over_at_once_when_the_first_stops(
    bus: MakeBus, running: Running
) -> None:
    one, two, feeds = bus("one"), bus("two"), (Feed(), Feed())
    first, second = one.ingest(feeds[0]), two.ingest(feeds[1])
    ends = running.start(first)
    await eventually(lambda: first.status().is_active)
    running.start(second)
    feeds[0].play(frames(0, 5))
    await eventually(lambda: first.status().published_frames == 5)
    # Longer than a lease: the first one renews.
    await asyncio.sleep(1.5 * one.leases.lease_s)
    assert not second.status().is_active
    assert feeds[1].starts == 0

    feeds[0].play(frames(5, 8))
    await asyncio.sleep(0)
    first.stop()
    await ends
    assert not feeds[0].is_connected
    await eventually(lambda: second.status().is_active)
    feeds[1].play(frames(9, 12))
    await eventually(lambda: second.status().published_frames == 3)
    found = await on_the_bus(two)
    assert [part.ts_init_ms for part in found] == [
        part.ts_init_ms for part in [*frames(0, 8), *frames(9, 12)]
    ]
    # Nobody knows what came between the two: every partition is told.
    gap = StreamGap("bus", frame(7).ts_init_ms, frame(9).ts_init_ms, "ingest_start")
    assert found[8].gap == gap
    for partition in range(PARTITIONING.count):
        parts = await on_the_bus(two, partition)
        assert [part.gap for part in parts if part.gap] == [gap]


async def test_the_lease_of_a_killed_ingest_is_taken_over_when_it_ends(
    bus: MakeBus, running: Running
) -> None:
    dead, two, feed = bus("dead"), bus("two"), Feed()
    assert await dead.leases.take("ingest")  # and never renewed
    second = two.ingest(feed)
    running.start(second)
    await eventually(lambda: second.status().is_active)
    assert feed.starts == 1


async def test_who_wakes_up_without_the_lease_publishes_nothing_more(bus: MakeBus, running: Running) -> None:
    one, two, feed = bus("one"), bus("two"), Feed()
    ingest = one.ingest(feed)
    running.start(ingest)
    await eventually(lambda: ingest.status().is_active)
    # As if the process had been stopped for longer than its lease, and another had taken over.
    lease = ingest._lease
    assert lease is not None
    await one.leases.give_back(lease)
    other = await two.leases.take("ingest")
    assert other is not None
    feed.play(frames(0, 3))
    await eventually(lambda: not ingest.status().is_active)
    assert not feed.is_connected
    assert await on_the_bus(one) == []
    assert ingest.status().lost_events == 24
    await two.leases.give_back(other)
    await eventually(lambda: ingest.status().terms == 2)


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_what_is_buffered_at_an_end_is_written_first(bus: MakeBus, how: str) -> None:
    one = bus("one")
    stopped = asyncio.Event()

    async def burst(sink: FrameSink) -> None:
        for one_frame in frames(0, 300):
            await sink(one_frame)
        stopped.set()
        await asyncio.sleep(60)

    feed = Feed()
    feed.run = burst  # type: ignore[method-assign]
    ingest = one.ingest(feed, batch_parts=8)
    ends = asyncio.create_task(ingest.run())
    await stopped.wait()
    ingest.stop() if how == "stop" else ends.cancel()
    await asyncio.wait([ends])
    assert ends.cancelled() == (how == "cancel")
    assert ingest.status().lost_events == 0
    assert await on_the_bus(one) == frames(0, 300)
    assert await one.leases.take("ingest")


async def test_a_feed_that_fails_is_not_passed_over_in_silence(bus: MakeBus) -> None:
    async def broken(_sink: FrameSink) -> None:
        raise ZeroDivisionError

    feed = Feed()
    feed.run = broken  # type: ignore[method-assign]
    one = bus("one")
    with pytest.raises(ZeroDivisionError):
        await one.ingest(feed).run()
    assert await one.leases.take("ingest")


async def test_a_gap_of_the_source_itself_reaches_every_partition_with_its_reason(
    bus: MakeBus, running: Running
) -> None:
    one, feed = bus("one"), Feed()
    await publish(one, frames(0, 1))
    running.start(one.ingest(feed))
    drop = StreamGap("okx", frame(3).ts_init_ms, frame(5).ts_init_ms, "drop")
    feed.play([replace(frame(5), gap=drop)])
    widened = StreamGap("okx", frame(0).ts_init_ms, frame(5).ts_init_ms, "drop")

    async def are_told() -> bool:
        told = [
            [part.gap for part in await on_the_bus(one, partition) if part.gap]
            for partition in PARTITIONING.all
        ]
        return told == [[widened]] * 5

    await eventually(are_told)
