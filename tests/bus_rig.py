"""What the tests of the bus share: frames with known sums, and a handler whose alerts show every mistake.

The tally says of every fifth event of a coin how many there were and what they came to. An event lost,
counted twice or taken out of order makes another sum, and so another alert than the truth has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis.asyncio import Redis

from app.core.bus_ports import FrameHandler
from app.core.domain.flow import LiquidationEvent, StreamFrame, StreamGap
from app.core.domain.partition import Partitioning
from app.core.stream_ports import FrameSink
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink
from app.services.bus.streams import RedisFrameLog
from app.services.streaming.ingest import FrameIngest
from app.services.streaming.partitions import PartitionWorker

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LINK", "PEPE")
PARTITIONING = Partitioning(4)
LEASE_S = 0.4
T0_MS = 1_780_000_000_000


class Server(Protocol):
    url: str


def now_ms() -> int:
    return int(time.time() * 1000)


def frame(number: int, *, events: int = 8) -> StreamFrame:
    """Frame `number`: events of the coins in turn, amounts that no other frame has."""
    return StreamFrame(
        "okx",
        T0_MS + number,
        tuple(
            LiquidationEvent(
                COINS[(number + i) % len(COINS)],
                "OKX",
                "X",
                "LONG",
                1.0,
                float(number * 100 + i),
                None,
                T0_MS + number,
            )
            for i in range(events)
        ),
    )


def frames(start: int, stop: int) -> list[StreamFrame]:
    return [frame(number) for number in range(start, stop)]


def truth(given: Iterable[StreamFrame], partitioning: Partitioning = PARTITIONING) -> dict[str, str]:
    """The alerts of one process that saw every frame once and in order."""
    effects = Effects()
    tallies = {partition: Tally(partition, effects) for partition in partitioning.all}
    for whole in given:
        for partition, part in partitioning.split(whole):
            tallies[partition].count(part)
    return {alert_id: body for tally in tallies.values() for alert_id, body in tally.fresh}


@dataclass(slots=True)
class Effects:
    """What was stored. sayings: how often each alert was; changed: those that were told differently."""

    stored: dict[str, str] = field(default_factory=dict)
    sayings: dict[str, int] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    gaps: list[tuple[int, StreamGap]] = field(default_factory=list)
    handled: list[tuple[int, StreamFrame]] = field(default_factory=list)
    replayed: list[tuple[int, StreamFrame]] = field(default_factory=list)
    restored: dict[int, tuple[int | None, bool]] = field(default_factory=dict)
    ticks: int = 0
    flush_fault: Exception | None = None
    handle_fault: Callable[[StreamFrame], None] | None = None

    def store(self, alert_id: str, body: str) -> None:
        self.sayings[alert_id] = self.sayings.get(alert_id, 0) + 1
        if self.stored.setdefault(alert_id, body) != body:
            self.changed.append(alert_id)


class Tally:
    """`FrameHandler`: see above. Alerts are stored by `flush`."""

    def __init__(self, partition: int, effects: Effects) -> None:
        self._partition = partition
        self._effects = effects
        self._sums: dict[str, tuple[int, float]] = {}
        self.fresh: list[tuple[str, str]] = []

    def count(self, part: StreamFrame) -> None:
        for event in part.liquidations:
            coin = event.symbol if self._partition != PARTITIONING.market else "market"
            events, usd = self._sums.get(coin, (0, 0.0))
            self._sums[coin] = (events + 1, usd + event.usd)
            if (events + 1) % 5 == 0:
                self.fresh.append((f"{coin}-{events + 1}", f"{usd + event.usd}"))

    async def restore(self, before_ms: int | None, *, is_continued: bool) -> None:
        self._effects.restored[self._partition] = (before_ms, is_continued)

    async def replay(self, frame: StreamFrame) -> None:
        self._effects.replayed.append((self._partition, frame))
        self.count(frame)
        self.fresh.clear()

    async def handle(self, frame: StreamFrame) -> None:
        if self._effects.handle_fault is not None:
            self._effects.handle_fault(frame)
        self._effects.handled.append((self._partition, frame))
        self.count(frame)

    async def note_gap(self, gap: StreamGap) -> None:
        self._effects.gaps.append((self._partition, gap))

    async def advance(self, now_ms: int) -> None:
        self._effects.ticks += 1

    async def flush(self) -> None:
        if self._effects.flush_fault is not None:
            raise self._effects.flush_fault
        for alert_id, body in self.fresh:
            self._effects.store(alert_id, body)
        self.fresh.clear()

    async def close(self) -> None:
        self.fresh.clear()


class Bus:
    """The parts of one process on a real Redis, with short times."""

    def __init__(
        self,
        server: Server,
        owner: str,
        *,
        prefix: str = "",
        timeout_s: float = 2.0,
        lease_s: float = LEASE_S,
    ) -> None:
        self.link = BusLink(server.url, timeout_s=timeout_s, max_wait_s=0.05)
        self.log = RedisFrameLog(self.link, prefix=prefix, now_ms=now_ms)
        self.leases = RedisLeases(self.link, prefix=prefix, owner=owner, lease_s=lease_s)
        self.effects = Effects()

    def worker(
        self, make_handler: Callable[[int], FrameHandler] | None = None, **options: Any
    ) -> PartitionWorker:
        return PartitionWorker(
            self.log,
            self.leases,
            make_handler or (lambda partition: Tally(partition, self.effects)),
            partitions=PARTITIONING.all,
            now_ms=now_ms,
            **{
                "monotonic": time.monotonic,
                "limit": 4,
                "wait_s": 0.02,
                "tick_s": 0.02,
                "rest_s": 0.05,
                **options,
            },
        )

    def ingest(self, feed: Feed, **options: Any) -> FrameIngest:
        return FrameIngest(
            self.log,
            self.leases,
            feed.run,
            partitioning=PARTITIONING,
            now_ms=now_ms,
            **{"rest_s": 0.02, **options},
        )


async def publish(bus: Bus, given: Iterable[StreamFrame], *, lease_name: str = "ingest") -> None:
    """Write frames as an ingest process does, under a lease that is free."""
    lease = await bus.leases.take(lease_name)
    assert lease is not None
    for number, whole in enumerate(given):
        assert await bus.log.publish(lease, number, PARTITIONING.split(whole))
    await bus.leases.give_back(lease)


async def eventually(is_so: Callable[[], Any], within_s: float = 30.0) -> None:
    """Return when `is_so()` (which may be awaitable) holds."""
    give_up_s = time.monotonic() + within_s
    while time.monotonic() < give_up_s:
        answer = is_so()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {within_s} s: {is_so}")


async def newest_ids(server: Server, prefix: str) -> dict[int, str]:
    """The id of the newest entry of every partition that has any."""
    redis = Redis.from_url(server.url)
    try:
        found = {}
        for partition in PARTITIONING.all:
            if last := await redis.xrevrange(f"{prefix}frames:{partition}", count=1):
                found[partition] = last[0][0].decode()
        return found
    finally:
        await redis.aclose()


async def is_drained(bus: Bus, server: Server, prefix: str) -> bool:
    """Every entry is acknowledged."""
    for partition, newest in (await newest_ids(server, prefix)).items():
        cursor = await bus.log.cursor(partition)
        if cursor is None or cursor.id != newest:
            return False
    return True


class Feed:
    """An upstream stream that the test plays."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[StreamFrame] = asyncio.Queue()
        self.starts = 0
        self.is_connected = False

    def play(self, given: Iterable[StreamFrame]) -> None:
        for one in given:
            self._frames.put_nowait(one)

    async def run(self, sink: FrameSink) -> None:
        self.starts += 1
        self.is_connected = True
        try:
            while True:
                await sink(await self._frames.get())
        finally:
            self.is_connected = False


class Running:
    """A worker or an ingest under way; stopped at the end of the block."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    def start(self, part: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(part.run())

        async def end() -> None:
            part.stop()
            await task

        self._stack.push_async_callback(end)
        return task
