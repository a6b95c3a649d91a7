"""The append-only record of signals: a small buffer, one writer, one chain per process.

Owns order and the chain. A signal gets its place when it is first written and keeps it, so that a batch whose
fate is unknown can be written again. Rows are never changed or deleted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import islice

from sqlalchemy import select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from app.core.chain import GENESIS
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.signal import Signal
from app.core.domain.stored import Page, SignalQuery, StoredSignal, Trigger
from app.core.errors import StorageUnavailable
from app.services.storage.chains import end_note
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.signal_rows import SIGNAL_END_KEY, build_row, place, stored_signal
from app.services.storage.tables import signals

_log = logging.getLogger(__name__)

MAX_BUFFERED_SIGNALS = 5_000
_BATCH = 500
_WAIT_S = 0.25
_PAUSE_S = 1.0
_SETTLE_S = 0.4  # longest that a page waits for signals on their way into the database


class SqlSignalLog:
    """`core.store_ports.SignalLog`. `open()` once, then `run()` as a task."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._chain = secrets.token_hex(6)
        self._seq = 0
        self._head: str | None = None
        self._pending: deque[tuple[Signal, EnhancedSignalContext, Trigger, int]] = deque()
        self._placed: deque[StoredSignal] = deque()
        self._since_s: deque[float] = deque()  # when each of both was taken, oldest first
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._settling: asyncio.Task[None] | None = None
        self.written = 0
        self.lost = 0
        self.trouble: StorageUnavailable | None = None

    @property
    def buffered(self) -> int:
        return len(self._pending) + len(self._placed)

    def oldest_s(self) -> float:
        """How long the oldest buffered signal has waited."""
        return self._monotonic() - self._since_s[0] if self._since_s else 0.0

    async def open(self) -> None:
        """Tie this process's chain to the newest row there is."""
        newest = select(signals.c.hash).order_by(signals.c.as_of_ms.desc(), signals.c.id.desc()).limit(1)
        with storage_errors("reading the record"):
            async with self._engine.connect() as connection:
                self._head = (await connection.execute(newest)).scalar() or GENESIS

    def append(self, signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        """Take one signal; written in order, within a second while the database answers."""
        if self.buffered >= MAX_BUFFERED_SIGNALS:
            self.lost += 1
            return
        self._pending.append((signal, context, trigger, self._now_ms()))
        self._since_s.append(self._monotonic())
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_WAIT_S)  # signals come in bursts: one batch for several
            with suppress(StorageUnavailable):
                await self.flush()
            if self.trouble is not None:
                self._wake.set()
                await asyncio.sleep(_PAUSE_S)

    async def flush(self) -> None:
        """Write everything taken so far.

        Raises:
            StorageUnavailable: it stays in the buffer.
        """
        async with self._writing:
            try:
                await self._write_all()
            except StorageUnavailable as error:
                self._on_failure(error)
                raise
            if self.trouble is not None:
                _log.info("signals are written again")
            self.trouble = None

    async def close(self) -> None:
        """Stop what a page left running; what is still buffered is lost, and counted."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        self.lost += self.buffered
        self._pending.clear()
        self._placed.clear()
        self._since_s.clear()

    async def _write_all(self) -> None:
        while self.buffered:
            if self._head is None:
                raise StorageUnavailable("the database is not open yet")
            await self._place_pending(self._head)
            batch = list(islice(self._placed, _BATCH))
            await self._insert(batch)
            for _ in batch:
                self._placed.popleft()
                self._since_s.popleft()
            self.written += len(batch)

    def _on_failure(self, error: StorageUnavailable) -> None:
        if self.trouble is None:  # one line per outage, and one at its end
            _log.warning("signals wait for the database", extra={"count": self.buffered, "why": str(error)})
        self.trouble = error

    async def _place_pending(self, head: str) -> None:
        taken = list(islice(self._pending, _BATCH))
        if not taken:
            return
        first = self._seq

        def build() -> list[StoredSignal]:
            placed, previous = [], head
            for seq, (signal, context, trigger, ts_init_ms) in enumerate(taken, start=first):
                row = build_row(signal, context, trigger, chain=self._chain, ts_init_ms=ts_init_ms)
                placed.append(place(row, seq, previous))
                previous = placed[-1].hash
            return placed

        # Contexts are large: encoding them on the event loop would make other answers wait.
        rows = await asyncio.to_thread(build)
        # Only now: cancelled while the thread worked, they must still be there.
        for _ in taken:
            self._pending.popleft()
        self._placed.extend(rows)
        self._seq += len(rows)
        self._head = rows[-1].hash

    async def _insert(self, rows: list[StoredSignal]) -> None:
        """The rows and, in the same transaction, where the chain ends now."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(signals).on_conflict_do_nothing(index_elements=["chain", "seq"])
        key, last = f"{SIGNAL_END_KEY}{self._chain}", rows[-1]
        end = end_note(self._engine.dialect.name, key, last.seq, last.hash, self._now_ms())
        with storage_errors("writing signals"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, [asdict(row) for row in rows])
                await connection.execute(end)

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Newest first, those just answered included unless the database is slow to take them."""
        await self._settle()
        columns = signals.c
        statement = (
            select(signals)
            # A replay's store may hold signals of a run that came further.
            .where(columns.as_of_ms <= self._now_ms())
            .order_by(columns.as_of_ms.desc(), columns.id.desc())
            .limit(query.limit + 1)
        )
        if query.symbol is not None:
            statement = statement.where(columns.symbol == query.symbol)
        if query.trigger is not None:
            statement = statement.where(columns.trigger == query.trigger.value)
        if query.cursor is not None:
            last = read_cursor(query.cursor, (int, str))
            statement = statement.where(tuple_(columns.as_of_ms, columns.id) < tuple_(*last))
        with storage_errors("reading signals"):
            async with self._engine.connect() as connection:
                found = [stored_signal(row) for row in (await connection.execute(statement)).mappings()]
        rows = tuple(found[: query.limit])
        more = len(found) > query.limit
        return Page(rows, write_cursor((rows[-1].as_of_ms, rows[-1].id)) if more else None)

    async def _settle(self) -> None:
        """Wait a moment for what is buffered; a page never waits for a database that takes nothing."""
        if not self.buffered:
            return
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._flush_quietly())
        await asyncio.wait({self._settling}, timeout=_SETTLE_S)

    async def _flush_quietly(self) -> None:
        with suppress(StorageUnavailable):
            await self.flush()
