"""kill -9 of detect and ingest processes: no event lost, none counted twice, no alert told otherwise."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.bus_child import detect, ingest
from tests.bus_rig import LEASE_S, PARTITIONING, Bus, eventually, frame, frames, is_drained, truth
from tests.services.transport.conftest import RedisServer

KILLS = 12
START_S = 5.0


@pytest.fixture(scope="module")
def forks() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.bus_child"])
    return context


Spawn = Callable[..., Any]


@pytest.fixture
def spawn(forks: multiprocessing.context.ForkServerContext) -> Iterator[Spawn]:
    """Start a child; whatever still runs at the end is killed."""
    with ExitStack() as children:

        def start(target: Callable[..., None], *args: object) -> Any:
            child = forks.Process(target=target, args=args, daemon=True)
            child.start()
            children.callback(child.join)
            children.callback(child.kill)
            return child

        yield start


async def test_kills_of_detect_workers_lose_nothing_and_tell_nothing_otherwise(
    spawn: Spawn, bus: Callable[..., Bus], redis_process: RedisServer, prefix: str, tmp_path: Path
) -> None:
    draw = random.Random(15)
    one = bus("parent", lease_s=60.0)
    lease = await one.leases.take("ingest")
    assert lease is not None
    count = 0

    def worker() -> Any:
        nonlocal count
        count += 1
        return spawn(detect, redis_process.url, prefix, f"child-{count}", str(tmp_path / f"{count}"))

    workers = [worker(), worker()]
    number = 0
    for _ in range(KILLS):
        ends_s = time.monotonic() + draw.uniform(0.05, 0.3)
        while time.monotonic() < ends_s:
            assert await one.log.publish(lease, number, PARTITIONING.split(frame(number)))
            number += 1
            await asyncio.sleep(0.002)
        victim = workers.pop(draw.randrange(2))
        victim.kill()
        workers.append(worker())
    await eventually(lambda: is_drained(one, redis_process, prefix))

    # One that was killed before it had begun has written nothing.
    written = [path for path in (tmp_path / f"{one + 1}" for one in range(count)) if path.exists()]
    texts = [path.read_text() for path in written]
    assert sum(map(bool, texts)) > 1  # the work went from hand to hand
    told = [line.partition(" ")[::2] for text in texts for line in text.splitlines()]
    assert number > 100
    assert len(set(told)) == len({alert_id for alert_id, _ in told})  # repeated, if at all, word for word
    assert dict(told) == truth(frames(0, number))
    # Only what a kill left between effect and acknowledgement may have been told again.
    assert len(told) - len(set(told)) < len(told) / 2


async def test_a_killed_ingest_is_followed_within_a_lease_and_a_beat_and_the_gap_is_told(
    spawn: Spawn, bus: Callable[..., Bus], redis_process: RedisServer, prefix: str
) -> None:
    one = bus("parent")

    async def newest(at_least: int) -> bool:
        return (await one.log.newest_ms() or 0) >= frame(at_least).ts_init_ms

    first = spawn(ingest, redis_process.url, prefix, "first", 1_000)
    await eventually(lambda: newest(1_020))
    spawn(ingest, redis_process.url, prefix, "second", 500_000)
    await eventually(lambda: newest(1_100))
    first.kill()
    first.join()
    await eventually(lambda: newest(500_010), within_s=START_S + 5 * LEASE_S)

    entries = await one.log.read(PARTITIONING.market, None, 100_000, 0.0)
    numbers = [entry.place.ts_init_ms - frame(0).ts_init_ms for entry in entries]
    change = next(i for i, number in enumerate(numbers) if number >= 500_000)
    assert numbers[:change] == list(range(1_000, 1_000 + change))  # nothing doubled, nothing missing
    assert numbers[change:] == list(range(500_000, 500_000 + len(numbers) - change))
    gaps = [(entry.place.n, entry.frame.gap) for entry in entries if entry.frame and entry.frame.gap]
    ((at, gap),) = gaps
    assert at == change + 1
    assert (gap.from_ms, gap.to_ms) == (entries[change - 1].place.ts_init_ms, frame(500_000).ts_init_ms)
