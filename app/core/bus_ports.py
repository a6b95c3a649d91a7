"""What scaling out needs from the bus between processes, as protocols: the log of frames and the leases.

`services.bus` implements them over Redis, `services.streaming` uses them. One process alone needs none of
this: its pipeline takes the frames directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.core.domain.flow import StreamFrame, StreamGap


class Lease(NamedTuple):
    """Something that only one process may do, for as long as it keeps renewing.

    token: of this taking alone; what is written under the lease is refused once another token holds it.
    """

    name: str
    token: str


class LogPlace(NamedTuple):
    """Where an entry stands in its partition.

    epoch: which log it is, by the UTC milliseconds at which that log began; a Redis that forgot everything
    begins another one. n: 1, 2, 3, ... within the epoch, so that a hole shows. id: the log's own, opaque.
    """

    id: str
    epoch: str
    n: int
    ts_init_ms: int


class LogEntry(NamedTuple):
    """One frame of one partition. frame: None when it could not be read (another version wrote it)."""

    place: LogPlace
    frame: StreamFrame | None


class Ack(StrEnum):
    """What became of an acknowledgement."""

    STORED = "stored"
    FENCED = "fenced"  # the lease is another's now, or nobody's
    MOVED = "moved"  # the stored place is not the one this reader started from: forgotten, or another's


class FrameLog(Protocol):
    """Frames by partition, in order, kept until they are acknowledged and some minutes beyond.

    Every method raises `BusUnavailable` when the bus cannot be asked.
    """

    async def publish(self, lease: Lease, number: int, parts: Sequence[tuple[int, StreamFrame]]) -> bool:
        """Append (partition, frame) pairs, all or none; False when the lease is not held any more.

        number: of this batch under this lease. The batch last written is not written again, so it may be
        repeated until an answer comes.
        """
        ...

    async def newest_ms(self) -> int | None:
        """`ts_init_ms` of the newest frame ever published, None when none is known of."""
        ...

    async def cursor(self, partition: int) -> LogPlace | None:
        """The newest entry of which the effect is stored; None: none, or the bus forgot."""
        ...

    async def read(self, partition: int, after: LogPlace | None, limit: int, wait_s: float) -> list[LogEntry]:
        """Entries after that place (None: from the oldest kept), oldest first; waits when there are none."""
        ...

    async def history(
        self, partition: int, until: LogPlace, after: LogPlace | None, limit: int
    ) -> list[LogEntry]:
        """Entries of the minutes before `until`, that one included, oldest first, page by page: after the
        last of the page before."""
        ...

    async def acknowledge(self, lease: Lease, partition: int, old: LogPlace | None, new: LogPlace) -> Ack:
        """Store the cursor `new` where `old` is stored and the lease is held."""
        ...


class PartitionLease(Protocol):
    """Leases, and who is there to hold them. Every method raises `BusUnavailable`."""

    lease_s: float

    async def attend(self) -> int:
        """This worker is there for another `lease_s`; how many are, this one included."""
        ...

    async def leave(self) -> None:
        """This worker is not there any more."""
        ...

    async def take(self, name: str) -> Lease | None:
        """The lease, or None while another holds it."""
        ...

    async def renew(self, leases: Sequence[Lease]) -> frozenset[str]:
        """Names of those still held, for another `lease_s`. One that nobody holds is taken again."""
        ...

    async def give_back(self, lease: Lease) -> None: ...


class FrameHandler(Protocol):
    """What is done with the frames of one partition, by one owner at a time.

    Its effects must be the same when the same frames come again (ids repeat): an owner that was killed before
    it acknowledged leaves its last entries to the next one.
    """

    async def restore(self, before_ms: int | None, *, is_continued: bool) -> None:
        """Fill the windows from stored rows with `ts_init_ms` < before_ms (None: all). Without effect.

        is_continued False: the bus knows of nothing that was handled before (a first start, or it forgot
        everything), so what came between the newest stored row and before_ms is a gap.
        """
        ...

    async def replay(self, frame: StreamFrame) -> None:
        """A frame whose effect is stored already: only the windows change."""
        ...

    async def handle(self, frame: StreamFrame) -> None:
        """A new frame: windows, findings, alerts, rows."""
        ...

    async def note_gap(self, gap: StreamGap) -> None:
        """Entries of this partition were lost on the bus: windows that reach back so far are not whole."""
        ...

    async def advance(self, now_ms: int) -> None:
        """No frame is waiting and time has passed."""
        ...

    async def flush(self) -> None:
        """Return when everything handled so far is stored. Raises: StorageUnavailable (then asked again)."""
        ...

    async def close(self) -> None:
        """The partition is another's now; nothing more will come."""
        ...


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition in this process. lag_ms: how old the newest handled frame is while more wait, else 0."""

    partition: int
    is_ready: bool
    lag_ms: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One detect worker. Counters since the start.

    workers: that are there, this one included, as far as known. lost_entries: holes found in the log, at
    least; refused: entries that nobody could read; skipped: entries that the handler failed on;
    opened: partitions taken or filled anew. last_fault:
    the newest error in words, "" without one. is_bus_up: the last word from the bus was not an error.
    """

    partitions: tuple[PartitionStatus, ...]
    workers: int
    entries: int
    lost_entries: int
    refused: int
    skipped: int
    opened: int
    bus_faults: int
    is_bus_up: bool
    last_fault: str


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """The process that owns the upstream streams. is_active False: another does, and this one stands by.

    lost_events: dropped because the bus was away for too long. terms: how often it became the active one.
    """

    is_active: bool
    buffered_events: int
    published_frames: int
    published_events: int
    lost_events: int
    terms: int
    bus_faults: int
    is_bus_up: bool
