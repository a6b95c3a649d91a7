"""The streaming worker: every loop from the upstream sockets to sent messages, restored, run and stopped.

Owns the order of start and end; what each loop does is its own. Put together by `bootstrap_stream`, run by
`python -m app.worker` or inside the web process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.core.clock import Clock
from app.core.domain.flow import LinkStatus, PipelineStatus, StreamGap
from app.core.domain.flow_answer import StreamReport
from app.core.domain.status import DependencyStatus
from app.core.errors import StorageUnavailable
from app.core.stream_ports import AlertStore, GapLog, LiquidationTail, WarmCache
from app.services.streaming.delivery import DeliveryService
from app.services.streaming.delivery_status import DeliveryStatus
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.pipeline import Pipeline
from app.services.streaming.pipeline_totals import PipelineTotals
from app.services.streaming.stages import Stages
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.worker_state import start_state, stream_state

_log = logging.getLogger(__name__)

# How long the start waits for a database; after that the stream begins without its past.
RESTORE_S = 4.0
PUBLISH_S = 1.0
# Windows of quiet coins run empty without an event: published again this often, and so is the report.
ALL_EVERY = 15
REPORT_EVERY = 5
GAPS_MS = 86_400_000
# Coins chunked while they are published: a thousand snapshots at once would hold up every frame.
SNAPSHOT_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Past:
    """What a start is restored from. opened: returns when the store can be asked."""

    opened: Callable[[], Awaitable[None]]
    tail: LiquidationTail
    alerts: AlertStore
    gaps: GapLog


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What one worker process runs. loops: further ones by name (sources, poller, bot ...).

    name: of this process, among all that share the cache. pipelines: by partition, as they come and go.
    delivery: None in a process that sends nothing. links: how the upstream streams do. notes: why something
    is not watched for just now. alarms: what else is wrong. is_clock: whether pipelines are told here that
    time passes; those of the bus are told by who reads them, in turn with their frames. speed: of a replay,
    market seconds per second. totals: where pipelines that end leave their counts.
    """

    name: str
    pipelines: Mapping[int, Pipeline]
    keeper: AlertKeeper
    delivery: DeliveryService | None
    warm: WarmCache
    past: Past
    stages: Stages
    clock: Clock
    links: Callable[[], tuple[LinkStatus, ...]]
    notes: Callable[[], tuple[str, ...]] = tuple
    alarms: Callable[[], tuple[str, ...]] = tuple
    loops: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    totals: PipelineTotals = field(default_factory=PipelineTotals)
    is_clock: bool = True
    speed: float = 1.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class StreamWorker:
    """`run()` until cancelled; `ready` is set once it takes events."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._board = StatusBoard(parts.warm, now_ms=parts.clock.now_ms, speed=parts.speed)
        self._gaps: Sequence[StreamGap] = ()
        self._begun_s = parts.clock.monotonic_s()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Restore, then run every loop; alerts that wait are stored at the end."""
        parts = self._parts
        await self._restore()
        if parts.is_clock:
            parts.stages.add("clock", self._tick)
        parts.stages.add("publish", self._publish)
        parts.stages.add("keep", parts.keeper.run)
        if parts.delivery is not None:
            parts.stages.add("deliver", parts.delivery.run)
        for name, loop in parts.loops.items():
            parts.stages.add(name, loop)
        self.ready.set()
        try:
            await parts.stages.run()
        finally:
            await parts.keeper.settle()
            if parts.keeper.waiting:
                _log.error("alerts lost at stop", extra={"alerts": parts.keeper.waiting})

    def add(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """One more loop, before `run()`."""
        self._parts.stages.add(name, loop)

    def dependency(self) -> DependencyStatus:
        """For readiness."""
        return stream_state(self._parts.links(), self._parts.clock.monotonic_s() - self._begun_s)

    def start_state(self) -> DependencyStatus:
        """Whether it takes events yet."""
        return start_state(is_ready=self.ready.is_set())

    async def report(self) -> StreamReport:
        """How this worker does, now."""
        parts, now_ms = self._parts, self._parts.clock.now_ms()
        links = parts.links()
        delivery = None if parts.delivery is None else parts.delivery.status()
        return StreamReport(
            worker=parts.name,
            as_of_ms=now_ms,
            links=links,
            pipeline=self.totals(),
            gaps=tuple(self._gaps),
            outbox=None if delivery is None else delivery.depth,
            alarms=self.alarms(),
            notes=parts.notes(),
        )

    def totals(self) -> PipelineStatus | None:
        """What was analysed here since the start; None where nothing is."""
        parts = self._parts
        return parts.totals.with_present([pipeline.status() for pipeline in parts.pipelines.values()])

    def alarms(self) -> tuple[str, ...]:
        """What is wrong now, one sentence each."""
        delivery = self._parts.delivery
        sending = None if delivery is None else delivery.status()
        return (*self._alarms(), *_link_alarms(self._parts.links()), *_delivery_alarms(sending))

    async def _restore(self) -> None:
        past = self._parts.past
        try:
            async with asyncio.timeout(RESTORE_S):
                await past.opened()
        except (TimeoutError, StorageUnavailable) as error:
            _log.error("the store is not open yet", extra={"why": str(error) or "it takes too long"})
        for pipeline in list(self._parts.pipelines.values()):
            await pipeline.restore(past.tail, past.alerts)

    async def _tick(self) -> None:
        while True:
            await self._parts.sleep(0.25)
            for pipeline in list(self._parts.pipelines.values()):
                await pipeline.tick()

    async def _publish(self) -> None:
        turn = 0
        while True:
            await self._parts.sleep(PUBLISH_S)
            await self._publish_snapshots(everything=turn % ALL_EVERY == 0)
            if turn % REPORT_EVERY == 0:
                await self._read_gaps()
                await self._board.put(await self.report())
            turn += 1

    async def _publish_snapshots(self, *, everything: bool) -> None:
        for pipeline in list(self._parts.pipelines.values()):
            symbols = pipeline.take_changed(everything=everything)
            for start in range(0, len(symbols), SNAPSHOT_CHUNK):
                await self._parts.warm.publish(pipeline.snapshots(symbols[start : start + SNAPSHOT_CHUNK]))
                await asyncio.sleep(0)

    def _alarms(self) -> tuple[str, ...]:
        keeper = self._parts.keeper
        found = [*self._parts.stages.alarms(), *self._parts.alarms()]
        if keeper.trouble is not None:
            found.append(f"{keeper.waiting} alerts wait for the database: {keeper.trouble}")
        if keeper.lost:
            found.append(f"{keeper.lost} alerts lost: the database was away too long")
        return tuple(found)

    async def _read_gaps(self) -> None:
        try:
            self._gaps = await self._parts.past.gaps.gaps(self._parts.clock.now_ms() - GAPS_MS)
        except StorageUnavailable:
            return  # the last known stand; that the store is away is said elsewhere


def _link_alarms(links: Sequence[LinkStatus]) -> tuple[str, ...]:
    return tuple(
        f"{link.source}: {link.detail or link.state}" for link in links if link.state.value == "alarm"
    )


def _delivery_alarms(status: DeliveryStatus | None) -> tuple[str, ...]:
    if status is None:
        return ()
    found = [f"{scheme}: nothing is sent: {why}" for scheme, why in status.stopped.items()]
    if status.trouble is not None:
        found.append(f"outbox: {status.trouble}")
    return tuple(found)
