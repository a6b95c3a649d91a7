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

from sqlalchemy import select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.chain import GENESIS
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.signal import Signal
from app.core.domain.stored import ChainReport, Page, SignalQuery, StoredSignal, Trigger
from app.core.errors import StorageUnavailable
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.engine import Access, storage_errors
from app.services.storage.signal_rows import build_row, hash_of, place
from app.services.storage.tables import signals

_log = logging.getLogger(__name__)

MAX_BUFFERED_SIGNALS = 5_000
_BATCH = 500
_WAIT_S = 0.25
_PAUSE_S = 1.0
_VERIFY_ROWS = 2_000
_MAX_BROKEN = 100


class SqlSignalLog:
    """`core.store_ports.SignalLog`. `open()` once, then `run()` as a task."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._chain = secrets.token_hex(6)
        self._seq = 0
        self._head: str | None = None
        self._pending: deque[tuple[Signal, EnhancedSignalContext, Trigger, int]] = deque()
        self._placed: deque[StoredSignal] = deque()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self.written = 0
        self.lost = 0

    @property
    def buffered(self) -> int:
        return len(self._pending) + len(self._placed)

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
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_WAIT_S)  # signals come in bursts: one batch for several
            try:
                await self.flush()
            except StorageUnavailable as error:
                _log.warning(
                    "signals wait for the database", extra={"count": self.buffered, "why": str(error)}
                )
                self._wake.set()
                await asyncio.sleep(_PAUSE_S)

    async def flush(self) -> None:
        """Write everything taken so far.

        Raises:
            StorageUnavailable: it stays in the buffer.
        """
        async with self._writing:
            while self.buffered:
                if self._head is None:
                    raise StorageUnavailable("the database is not open yet")
                await self._place_pending(self._head)
                batch = [self._placed[i] for i in range(min(_BATCH, len(self._placed)))]
                await self._insert(batch)
                for _ in batch:
                    self._placed.popleft()
                self.written += len(batch)

    async def _place_pending(self, head: str) -> None:
        taken = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]
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
        self._placed.extend(rows)
        self._seq += len(rows)
        self._head = rows[-1].hash

    async def _insert(self, rows: list[StoredSignal]) -> None:
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(signals).on_conflict_do_nothing(index_elements=["chain", "seq"])
        with storage_errors("writing signals"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, [asdict(row) for row in rows])

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Newest first, those just answered included."""
        with suppress(StorageUnavailable):  # a full disk can still be read
            await self.flush()
        columns = signals.c
        statement = (
            select(signals).order_by(columns.as_of_ms.desc(), columns.id.desc()).limit(query.limit + 1)
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
                found = [_signal(row) for row in (await connection.execute(statement)).mappings()]
        rows = tuple(found[: query.limit])
        more = len(found) > query.limit
        return Page(rows, write_cursor((rows[-1].as_of_ms, rows[-1].id)) if more else None)

    async def verify(self) -> ChainReport:
        """Walk every chain in order and compute every hash again."""
        broken: list[tuple[str, int, str]] = []
        firsts: list[StoredSignal] = []
        count = 0
        previous: StoredSignal | None = None
        with storage_errors("verifying the record"):
            async with self._engine.connect() as connection:
                while rows := await self._after(connection, previous):
                    for row in rows:
                        if previous is None or previous.chain != row.chain:
                            firsts.append(row)
                        fault = _fault(row, previous)
                        if fault:
                            broken.append((row.chain, row.seq, fault))
                        previous = row
                    count += len(rows)
                for row in firsts:
                    known = select(signals.c.seq).where(signals.c.hash == row.prev_hash).limit(1)
                    if row.prev_hash != GENESIS and (await connection.execute(known)).first() is None:
                        broken.append((row.chain, row.seq, "the row it was tied to is gone"))
        return ChainReport(len(firsts), count, tuple(broken[:_MAX_BROKEN]))

    async def _after(self, connection: AsyncConnection, row: StoredSignal | None) -> list[StoredSignal]:
        statement = select(signals).order_by(signals.c.chain, signals.c.seq).limit(_VERIFY_ROWS)
        if row is not None:
            statement = statement.where(tuple_(signals.c.chain, signals.c.seq) > tuple_(row.chain, row.seq))
        return [_signal(found) for found in (await connection.execute(statement)).mappings()]


def _signal(row: object) -> StoredSignal:
    values = dict(row)  # type: ignore[call-overload]
    return StoredSignal(**values | {"trigger": Trigger(values["trigger"])})


def _fault(row: StoredSignal, previous: StoredSignal | None) -> str | None:
    if hash_of(row) != row.hash:
        return "its hash does not fit its content"
    if previous is None or previous.chain != row.chain:
        return None if row.seq == 0 else "the beginning of the chain is gone"
    if row.seq != previous.seq + 1:
        return f"rows {previous.seq + 1} to {row.seq - 1} are gone"
    return None if row.prev_hash == previous.hash else "it does not follow from the row before"
