"""The bounded buffer in front of the database: rows go in at once, batches go out behind them.

Owns order, bounds, retries and counting; knows neither SQL nor which backend writes. A batch that could not
be written stays in front and is tried again with growing pauses; what no longer fits is turned away, counted.
A killed process loses what is in the buffer: in good times at most `MAX_AGE_S` worth, at worst
`max_buffered_rows`. One batch in which the database refuses a row is halved until the row stands alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Table

from app.core.domain.stored import MarketRow, StoreState
from app.core.errors import StorageUnavailable
from app.services.storage.faults import is_full
from app.services.storage.refused import BatchRefused
from app.services.storage.tables import TABLE_OF

_log = logging.getLogger(__name__)

MAX_AGE_S = 1.0
MAX_BUFFERED_ROWS = 200_000
# With more full batches than these waiting, throughput counts more than whoever waits behind a batch.
HURRY_BATCHES = 2
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


class BulkBackend(Protocol):
    """Stores batches; see `sqlite_bulk` and `postgres_bulk`."""

    @property
    def lanes(self) -> int:
        """How many batches may be under way at once."""
        ...

    @property
    def batch_rows(self) -> int:
        """Rows of a full batch."""
        ...

    @property
    def polite_rows(self) -> int:
        """Rows of a batch while there is no hurry: others wait behind each."""
        ...

    async def write(self, table: Table, rows: Sequence[tuple[Any, ...]], *, lane: int) -> int: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class WriterCounts:
    """Since the start. Every row put is in exactly one of buffered, written, duplicate, lost, rejected.
    batches: written ones."""

    written: int = 0
    duplicate: int = 0
    lost: int = 0
    rejected: int = 0
    batches: int = 0
    failed_batches: int = 0


@dataclass(slots=True)
class _Chunk:
    """Rows of one table; number: that of the first `put` in it."""

    table: Table
    rows: list[tuple[Any, ...]]
    since_s: float
    number: int


class BufferedWriter:
    """`core.store_ports.MarketWriter` over a backend. `run()` is its only task."""

    def __init__(
        self,
        backend: BulkBackend,
        *,
        monotonic: Callable[[], float],
        max_buffered_rows: int = MAX_BUFFERED_ROWS,
        observe_batch: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """observe_batch: told how long the database took for each written batch."""
        self._backend = backend
        self._observe_batch = observe_batch
        self._monotonic = monotonic
        self._max_rows = max_buffered_rows
        self._batch_rows = backend.batch_rows
        self._waiting: deque[_Chunk] = deque()
        self._buffered = 0
        self._numbers = 0
        self._flying: dict[int, _Chunk] = {}
        self._wake = asyncio.Event()
        self._is_urgent = False
        self._changed = asyncio.Condition()
        self.counts = WriterCounts()
        self.state = StoreState.STARTING
        self.detail = "the database is not open yet"

    @property
    def buffered_rows(self) -> int:
        return self._buffered

    @property
    def max_buffered_rows(self) -> int:
        return self._max_rows

    def oldest_s(self) -> float:
        """How long the oldest buffered row has waited."""
        waiting = [chunk.since_s for chunk in (*self._flying.values(), *list(self._waiting)[:1])]
        return self._monotonic() - min(waiting) if waiting else 0.0

    def put(self, rows: Sequence[MarketRow]) -> int:
        """Take rows of one type; how many were accepted. The rest is counted as lost."""
        room = max(0, self._max_rows - self._buffered)
        accepted = rows[:room]
        self.counts.lost += len(rows) - len(accepted)
        if accepted:
            self._take(TABLE_OF[type(accepted[0])], accepted)
        return len(accepted)

    async def put_all(self, rows: Sequence[MarketRow]) -> None:
        """Take every row, waiting while the buffer is full."""
        rest = list(rows)
        while rest:
            room = self._max_rows - self._buffered
            if room > 0:
                taken, rest = rest[:room], rest[room:]
                self._take(TABLE_OF[type(taken[0])], taken)
            else:
                async with self._changed:
                    self._hurry()
                    await self._changed.wait_for(lambda: self._buffered < self._max_rows)

    async def flush(self) -> None:
        """Return when all rows accepted so far are written (or refused, one by one).

        Raises:
            StorageUnavailable: the database does not take them now; they stay in the buffer.
        """
        target = self._numbers
        failed = self.counts.failed_batches
        if self.state is not StoreState.OK:
            raise StorageUnavailable(f"not written yet: {self.detail}")
        async with self._changed:
            self._hurry()
            while self._oldest_number() <= target:
                if self.counts.failed_batches > failed:
                    raise StorageUnavailable(f"not written yet: {self.detail}")
                await self._changed.wait()

    async def run(self) -> None:
        """Write until cancelled; `drain` then writes what is still buffered."""
        self.state, self.detail = StoreState.OK, ""
        async with asyncio.TaskGroup() as lanes:
            for lane in range(self._backend.lanes):
                lanes.create_task(self._lane(lane))

    async def drain(self) -> None:
        """Write what is buffered, `run()` having ended.

        Raises:
            StorageUnavailable: the database does not take it.
        """
        while self._waiting:
            await self._write_next(0)

    async def close(self) -> None:
        """Let go of the database; what is still buffered is lost, and counted."""
        self.counts.lost += self._buffered
        self._waiting.clear()
        self._buffered = 0
        await self._backend.close()

    def wait_for(self, detail: str) -> None:
        """The database cannot be opened yet, and why."""
        self.state, self.detail = StoreState.DOWN, detail

    def refuse(self, detail: str) -> None:
        """The database can never be used as it is (another mode, a newer schema): say so to who waits."""
        self.state, self.detail = StoreState.REFUSED, detail

    def _take(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        self._numbers += 1
        self._buffered += len(rows)
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.table is table and len(last.rows) + len(rows) <= self._batch_rows:
            last.rows.extend(rows)
        else:
            now_s = self._monotonic()
            for start in range(0, len(rows), self._batch_rows):
                part = list(rows[start : start + self._batch_rows])
                self._waiting.append(_Chunk(table, part, now_s, self._numbers))
            self._wake.set()
        if len(self._waiting[-1].rows) >= self._batch_rows:
            self._wake.set()

    def _oldest_number(self) -> int:
        chunks = (*self._flying.values(), *self._waiting)
        return min((chunk.number for chunk in chunks), default=self._numbers + 1)

    def _hurry(self) -> None:
        self._is_urgent = True
        self._wake.set()

    async def _lane(self, lane: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._due()
            try:
                await self._write_next(lane)
                pause_s = _FIRST_PAUSE_S
            except StorageUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _due(self) -> None:
        """Wait until a batch is full, old enough, or asked for."""
        while True:
            self._wake.clear()
            if self._waiting:
                first = self._waiting[0]
                rest_s = MAX_AGE_S - (self._monotonic() - first.since_s)
                is_full = len(self._waiting) > 1 or len(first.rows) >= self._batch_rows
                if is_full or self._is_urgent or rest_s <= 0:
                    return
            else:
                self._is_urgent = False
                rest_s = None
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._wake.wait()

    def _next_chunk(self) -> _Chunk:
        """The oldest rows: as many as others may wait for, or a full batch once much has gathered."""
        chunk, polite = self._waiting.popleft(), self._backend.polite_rows
        is_hurried = self._is_urgent or self._buffered > HURRY_BATCHES * self._batch_rows
        if len(chunk.rows) <= polite or is_hurried:
            return chunk
        self._waiting.appendleft(_Chunk(chunk.table, chunk.rows[polite:], chunk.since_s, chunk.number))
        return _Chunk(chunk.table, chunk.rows[:polite], chunk.since_s, chunk.number)

    async def _write_next(self, lane: int) -> None:
        chunk = self._next_chunk()
        self._flying[lane] = chunk
        try:
            await self._write(chunk.table, chunk.rows, lane)
        except StorageUnavailable as error:
            self._on_failure(error)
            raise
        else:
            self._buffered -= len(chunk.rows)
            chunk.rows = []
            if self.state is not StoreState.OK:
                _log.info("the database takes rows again")
            self.state, self.detail = StoreState.OK, ""
        finally:
            # Failed or cancelled: the same rows again later; those that were stored do no harm.
            del self._flying[lane]
            if chunk.rows:
                self._waiting.appendleft(chunk)
            async with self._changed:
                self._changed.notify_all()

    async def _write(self, table: Table, rows: Sequence[tuple[Any, ...]], lane: int) -> None:
        begun_s = self._monotonic()
        try:
            added = await self._backend.write(table, rows, lane=lane)
        except BatchRefused as error:
            if len(rows) == 1:
                self.counts.rejected += 1
                _log.warning("row refused", extra={"table": table.name, "why": str(error)})
                return
            middle = len(rows) // 2
            await self._write(table, rows[:middle], lane)
            await self._write(table, rows[middle:], lane)
        else:
            self._observe_batch(self._monotonic() - begun_s)
            self.counts.batches += 1
            self.counts.written += added
            self.counts.duplicate += len(rows) - added

    def _on_failure(self, error: StorageUnavailable) -> None:
        self.counts.failed_batches += 1
        state = StoreState.FULL if is_full(error) else StoreState.DOWN
        if state is not self.state:  # one line per change of state
            _log.error("the database takes no rows", extra={"why": str(error), "buffered": self._buffered})
        self.state, self.detail = state, str(error)
