"""The ingest process: owns the upstream streams while it holds the lease, and writes their frames to the bus.

Only one does at a time; others stand by and take over within one lease and one beat. While the bus is away it
keeps its sockets and buffers what comes. It knows nothing of what frames mean.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from app.core.bus_ports import FrameLog, IngestStatus, Lease, PartitionLease
from app.core.domain.flow import StreamFrame, StreamGap
from app.core.domain.partition import Partitioning
from app.core.errors import BusUnavailable
from app.core.stream_ports import FrameSink
from app.services.streaming.frame_buffer import SOURCE, FrameBuffer

_log = logging.getLogger(__name__)

Feed: TypeAlias = Callable[[FrameSink], Awaitable[None]]

LEASE = "ingest"
# Beats after an outage in which a stand-by does not take over: who was active before goes on.
_PATIENCE = 2
_DRAIN_S = 5.0


class FrameIngest:
    """Runs `feed(sink)` while active. `stop()`, or cancelling `run()`, ends it in order: sockets closed,
    buffer written, lease given back."""

    def __init__(
        self,
        log: FrameLog,
        leases: PartitionLease,
        feed: Feed,
        *,
        partitioning: Partitioning,
        max_buffered_events: int = 50_000,
        batch_parts: int = 64,
        rest_s: float = 0.25,
        now_ms: Callable[[], int],
    ) -> None:
        """feed: every upstream stream, until cancelled (`EventSource.run`); rest_s: pause after a fault."""
        self._log = log
        self._leases = leases
        self._feed = feed
        self._beat_s = leases.lease_s / 4
        self._rest_s = rest_s
        self._now_ms = now_ms
        self._buffer = FrameBuffer(partitioning, max_events=max_buffered_events, batch_parts=batch_parts)
        self._has_frames = asyncio.Event()
        self._is_written = asyncio.Event()
        self._stopping = asyncio.Event()
        self._lease: Lease | None = None
        self._terms = 0
        self._batches = 0
        self._bus_faults = 0
        self._is_bus_up = True
        self._patience = 0

    async def run(self) -> None:
        """Stand by and serve in turns until `stop()`."""
        while not self._stopping.is_set():
            if await self._become_active():
                await self._serve()
            await self._pause(self._beat_s)

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> IngestStatus:
        return IngestStatus(
            is_active=self._lease is not None,
            buffered_events=self._buffer.events,
            published_frames=self._buffer.published_frames,
            published_events=self._buffer.published_events,
            lost_events=self._buffer.lost_events,
            terms=self._terms,
            bus_faults=self._bus_faults,
            is_bus_up=self._is_bus_up,
        )

    async def _become_active(self) -> bool:
        try:
            newest_ms = await self._log.newest_ms()
            if self._patience:
                self._patience -= 1
                return False
            self._lease = await self._leases.take(LEASE)
        except BusUnavailable as fault:
            self._note_fault(fault)
            self._patience = _PATIENCE
            return False
        self._note_answer()
        if self._lease is not None and newest_ms is not None:
            # Nobody knows what came between the last owner's last frame and our first.
            self._buffer.note_gap(StreamGap(SOURCE, newest_ms, self._now_ms(), "ingest_start"))
        return self._lease is not None

    async def _serve(self) -> None:
        """One term: until the lease is lost, `stop()`, or a cancellation."""
        self._terms += 1
        feed = asyncio.ensure_future(self._feed(self._sink))
        work = [asyncio.create_task(self._keep()), asyncio.create_task(self._write())]
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([feed, *work, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(feed)
            await self._drain(work)
            await _cancel(*work, stop)
            await self._step_down()
        for task in (feed, *work):
            if not task.cancelled():
                task.result()

    async def _sink(self, frame: StreamFrame) -> None:
        self._buffer.add(frame)
        self._has_frames.set()

    async def _keep(self) -> None:
        """Renew the lease; returns when it is another's."""
        while True:
            if not await self._is_ours():
                return
            await asyncio.sleep(self._beat_s)

    async def _is_ours(self) -> bool:
        """An outage says nothing about whose it is: while Redis is away, nobody can take it either."""
        lease = self._lease
        if lease is None:
            return False
        try:
            held = await self._leases.renew([lease])
        except BusUnavailable as fault:
            self._note_fault(fault)
            return True
        self._note_answer()
        return lease.name in held

    async def _write(self) -> None:
        """Publish what comes, in order; returns when the lease is another's."""
        while True:
            while parts := self._buffer.batch():
                if not await self._publish(parts):
                    return
            self._is_written.set()
            await self._has_frames.wait()
            self._has_frames.clear()

    async def _publish(self, parts: Sequence[tuple[int, StreamFrame]]) -> bool:
        """One batch, repeated unchanged until the bus has it; False when the lease is another's."""
        self._batches += 1
        while True:
            lease = self._lease
            if lease is None:
                return False
            try:
                if await self._log.publish(lease, self._batches, parts):
                    break
                if not await self._is_ours():
                    return False
            except BusUnavailable as fault:
                self._note_fault(fault)
                await asyncio.sleep(self._rest_s)
        self._note_answer()
        self._buffer.confirm()
        return True

    async def _drain(self, work: list[asyncio.Task[None]]) -> None:
        """Let the writer finish what is buffered, within bounds; nothing where the lease is lost."""
        self._is_written.clear()
        self._has_frames.set()
        written = asyncio.create_task(self._is_written.wait())
        await asyncio.wait([written, *work], timeout=_DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(written)

    async def _step_down(self) -> None:
        lease, self._lease = self._lease, None
        self._buffer.discard()
        if lease is not None:
            with suppress(BusUnavailable):
                await self._leases.give_back(lease)

    def _note_fault(self, fault: BusUnavailable) -> None:
        if self._is_bus_up:  # one line per outage, and one at its end
            _log.error("the bus does not answer", extra={"why": str(fault)})
        self._bus_faults += 1
        self._is_bus_up = False

    def _note_answer(self) -> None:
        if not self._is_bus_up:
            _log.info("the bus answers again")
        self._is_bus_up = True

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
