"""One partition in the hands of one worker: windows are filled again, frames handled, the cursor moved.

An effect is stored before the cursor moves, so a kill leaves the newest entries to the next owner, whose
effects are the same. What handling a frame left half done is never built upon: the handler is thrown away and
another one filled. `partitions.PartitionWorker` gives seats out and renews their leases.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from app.core.bus_ports import (
    Ack,
    FrameHandler,
    FrameLog,
    Lease,
    LogEntry,
    LogPlace,
    PartitionLease,
    PartitionStatus,
)
from app.core.domain.flow import StreamGap
from app.core.errors import BusUnavailable, InvariantViolation, ServiceError

_log = logging.getLogger(__name__)

MakeHandler: TypeAlias = Callable[[int], FrameHandler]

# What a bug looks like. One bad frame must not end every worker that takes its partition over, one by one.
_BUGS = (ArithmeticError, AttributeError, InvariantViolation, LookupError, TypeError, ValueError)
_MAX_SKIPPED = 1_000
SOURCE = "bus"  # of the gaps found here


@dataclass(slots=True)
class SeatCounts:
    """What the seats of one worker did since its start."""

    entries: int = 0
    lost_entries: int = 0
    refused: int = 0
    skipped: int = 0
    opened: int = 0
    bus_faults: int = 0
    last_fault: str = ""


@dataclass(frozen=True, slots=True)
class SeatParts:
    """What all seats of one worker share. limit: entries of one read, and so of one acknowledgement.

    wait_s: longest wait for news; tick_s: how often time is told to pass; rest_s: pause after a fault.
    """

    log: FrameLog
    leases: PartitionLease
    make_handler: MakeHandler
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    counts: SeatCounts = field(default_factory=SeatCounts)
    limit: int = 32
    wait_s: float = 0.5
    tick_s: float = 1.0
    rest_s: float = 1.0


class Seat:
    """Reads one partition until told to stop or until its lease is another's."""

    def __init__(self, partition: int, lease: Lease, sure_until_s: float, parts: SeatParts) -> None:
        """sure_until_s: until then (monotonic) nobody else can have the lease."""
        self.partition = partition
        self.lease = lease
        self.sure_until_s = sure_until_s
        self._parts = parts
        self._log = parts.log
        self._counts = parts.counts
        self._stopping = asyncio.Event()
        self._is_lost = False
        self._handler: FrameHandler | None = None
        self._acked: LogPlace | None = None  # what the log has as our cursor
        self._done: LogPlace | None = None  # handled up to here
        self._before: LogPlace | None = None  # the entry before the next one, to see holes
        self._is_log_doubtful = False
        self._is_behind = False  # more waits than one read brings
        self._skipped: dict[str, None] = {}
        self._next_tick_s = 0.0

    @property
    def is_going(self) -> bool:
        return not self._stopping.is_set()

    def stop(self) -> None:
        """Finish the entry under way, acknowledge it, give the lease back."""
        self._stopping.set()

    def lose(self) -> None:
        """The lease is another's: stop, and acknowledge nothing."""
        self._is_lost = True
        self._stopping.set()

    def status(self, now_ms: int) -> PartitionStatus:
        newest = self._before
        lag_ms = 0 if newest is None or not self._is_behind else max(0, now_ms - newest.ts_init_ms)
        return PartitionStatus(self.partition, self._handler is not None, lag_ms)

    async def run(self) -> None:
        try:
            while self.is_going:
                await self._attempt(self._turn())
        finally:
            await self._end()

    async def _attempt(self, step: Awaitable[None]) -> None:
        """Do it, or note why not and rest: what failed is found undone by the next turn."""
        try:
            await step
        except ServiceError as fault:
            if isinstance(fault, BusUnavailable):
                self._counts.bus_faults += 1
                self._is_log_doubtful = True
            self._counts.last_fault = str(fault)
            await self._pause(self._parts.rest_s)

    async def _turn(self) -> None:
        if not await self._is_sure():
            return
        if self._handler is not None and self._is_log_doubtful:
            await self._look_again()
        handler = self._handler or await self._open()
        await self._settle()
        if self._is_log_doubtful:
            return
        entries = await self._log.read(self.partition, self._done, self._parts.limit, self._parts.wait_s)
        for entry in entries:
            if not await self._is_sure():
                return
            await self._take(handler, entry)
        await self._settle()
        self._is_behind = len(entries) == self._parts.limit
        if not self._is_behind:
            await self._tick(handler)

    async def _is_sure(self) -> bool:
        """Wait while the lease may be another's already; False when it is time to stop."""
        while self.is_going and self._parts.monotonic() >= self.sure_until_s:
            await self._pause(self._parts.rest_s / 10)
        return self.is_going

    async def _open(self) -> FrameHandler:
        """A new handler that knows what the last owner knew."""
        cursor = await self._log.cursor(self.partition)
        handler = self._parts.make_handler(self.partition)
        try:
            await self._fill(handler, cursor)
        except ServiceError:
            await handler.close()
            raise
        self._handler = handler
        self._acked = self._done = self._before = cursor
        self._is_log_doubtful = False
        self._counts.opened += 1
        return handler

    async def _fill(self, handler: FrameHandler, cursor: LogPlace | None) -> None:
        page = await self._past(cursor, None)
        oldest = page or await self._log.read(self.partition, cursor, 1, 0.0)
        before_ms = oldest[0].place.ts_init_ms if oldest else None
        await self._use(handler.restore(before_ms, is_continued=cursor is not None))
        before: LogPlace | None = None
        while page and self.is_going:
            for place, frame in page:
                if before is not None and (gap := hole(before, place)):
                    await self._use(handler.note_gap(gap))
                if frame is not None and place.id not in self._skipped:
                    await self._use(handler.replay(frame), place)
                before = place
            await asyncio.sleep(0)
            page = await self._past(cursor, before)

    async def _past(self, cursor: LogPlace | None, after: LogPlace | None) -> list[LogEntry]:
        if cursor is None:
            return []
        return await self._log.history(self.partition, cursor, after, self._parts.limit)

    async def _take(self, handler: FrameHandler, entry: LogEntry) -> None:
        place, frame = entry
        if gap := hole(self._before, place):
            await self._use(handler.note_gap(gap))
            self._counts.lost_entries += missing(self._before, place)
        if frame is None or place.id in self._skipped:
            reason = "unreadable" if frame is None else "failed"
            await self._use(handler.note_gap(StreamGap(SOURCE, place.ts_init_ms, place.ts_init_ms, reason)))
            self._counts.refused += frame is None
            self._counts.skipped += frame is not None
        else:
            await self._use(handler.handle(frame), place)
            await asyncio.sleep(0)  # the other partitions, and the renewal of the leases
        self._before = self._done = place
        self._counts.entries += 1

    async def _use(self, step: Awaitable[None], place: LogPlace | None = None) -> None:
        """Let the handler do something; what it leaves half done is not built upon."""
        try:
            await step
        except _BUGS as fault:
            if place is not None:
                self._remember_to_skip(place)
            await self._drop()
            entry = None if place is None else place.id
            _log.exception(
                "a partition's handler failed", extra={"partition": self.partition, "entry": entry}
            )
            raise InvariantViolation(f"partition {self.partition}: {type(fault).__name__}") from fault
        except ServiceError:
            await self._drop()
            raise

    def _remember_to_skip(self, place: LogPlace) -> None:
        self._skipped[place.id] = None
        if len(self._skipped) > _MAX_SKIPPED:
            del self._skipped[next(iter(self._skipped))]

    async def _tick(self, handler: FrameHandler) -> None:
        now_s = self._parts.monotonic()
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + self._parts.tick_s
            await self._use(handler.advance(self._parts.now_ms()))

    async def _settle(self) -> None:
        """Store the effects of what was handled, and only then move the cursor."""
        if self._handler is None or self._done is None or self._done == self._acked:
            return
        await self._handler.flush()
        verdict = await self._log.acknowledge(self.lease, self.partition, self._acked, self._done)
        if verdict is Ack.STORED:
            self._acked = self._done
            return
        self._is_log_doubtful = True
        if verdict is Ack.FENCED:
            self.sure_until_s = float("-inf")  # the next renewal says whose it is

    async def _look_again(self) -> None:
        """After an outage: does the log still stand where this reader left it?"""
        stored = await self._log.cursor(self.partition)
        self._is_log_doubtful = False
        if stored is None:
            if self._acked is not None:
                # Forgotten. What was handled stays in the windows; the first entry shows the hole.
                self._acked = self._done = None
        elif stored == self._done:
            self._acked = stored
        elif stored != self._acked:
            await self._drop()  # another owner was here meanwhile

    async def _end(self) -> None:
        if not self._is_lost:
            await self._attempt(self._settle())
        await self._drop()
        if not self._is_lost:
            await self._attempt(self._parts.leases.give_back(self.lease))

    async def _drop(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            await handler.close()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def missing(before: LogPlace | None, place: LogPlace) -> int:
    """Entries between the two that nobody will see, at least: 7 after 4 misses 2."""
    if before is None:
        return place.n - 1
    return place.n - before.n - 1 if place.epoch == before.epoch else max(1, place.n - 1)


def hole(before: LogPlace | None, place: LogPlace) -> StreamGap | None:
    """The time of which entries are missing between two places, None where the second follows the first.

    before None: nothing of this log was ever handled; then it is missing from the beginning of the log.
    """
    if before is None:
        return None if place.n == 1 else StreamGap(SOURCE, int(place.epoch), place.ts_init_ms, "bus_lost")
    if (place.epoch, place.n) == (before.epoch, before.n + 1):
        return None
    return StreamGap(SOURCE, before.ts_init_ms, place.ts_init_ms, "bus_lost")
