"""Bulk writes to SQLite: one connection, one transaction per batch, a few statements each.

Liquidations go through a temporary table, so that their tiles count exactly those rows that were not stored
yet, in the same transaction: a kill between the two cannot happen.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Table, make_url

from app.services.storage.engine import make_private, pragmas
from app.services.storage.faults import storage_errors
from app.services.storage.refused import BatchRefused
from app.services.storage.statements import (
    ADD_TO_TILES,
    TILE_COLUMNS,
    columns_of,
    key_of,
    key_positions,
    on_conflict,
    tile_sums,
)
from app.services.storage.tables import liquidations
from app.services.storage.turns import WriteTurns

T = TypeVar("T")
_REFUSALS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError)


_CACHE_MB = 64
_CHECKPOINT_WRITES, _CHECKPOINT_ROWS = 16, 80_000


class SqliteBulk:
    """Writes batches of rows of one table; one call at a time (`lanes`).

    A transaction runs in a thread of its own from begin to commit: with a way back to the event loop after
    every statement it would hold the database's only lock for as long as the loop is busy.
    """

    lanes = 1
    batch_rows = 20_000  # pages shared by many rows are written once per batch
    polite_rows = 250  # some milliseconds, for which an alert may have to wait

    def __init__(self, url: str, turns: WriteTurns) -> None:
        self._path = make_url(url).database or ""
        self._turns = turns
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._writes = self._rows = 0  # since the last checkpoint

    async def write(self, table: Table, rows: Sequence[tuple[Any, ...]], *, lane: int) -> int:
        """Store rows; how many were new, or changed what was there.

        Raises:
            BatchRefused: a row breaks a rule of the table; nothing was stored.
            StorageUnavailable: full, locked or unreadable; nothing was stored.
        """
        with storage_errors("writing"):
            async with self._turns.patient():
                added = await self._run(partial(self._transact, table, rows))
            await self._checkpoint(len(rows))
        return added

    async def close(self) -> None:
        """Let go of the file; the next write connects anew."""
        if self._thread is not None:
            await self._run(self._disconnect)
            self._thread.shutdown(wait=False)
            self._thread = None

    async def _run(self, work: Callable[[], T]) -> T:
        """In the thread, and to its end: cancelled, it is cut short but never left behind with a lock."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulk")
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if self._connection is not None:
                self._connection.interrupt()
            await asyncio.wait((done,))
            done.exception()  # whatever it was: nobody waits for it any more
            raise

    def _transact(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
        connection = self._connect()
        is_settled = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            write = _write_liquidations if table is liquidations else partial(_upsert, table=table)
            added = write(connection, rows=rows)
            connection.commit()
            is_settled = True
        except _REFUSALS as error:
            connection.rollback()
            is_settled = True
            raise BatchRefused(str(error)) from error
        except sqlite3.Error:
            connection.rollback()
            is_settled = True
            raise
        finally:
            if not is_settled:  # not even rolled back: an open transaction would lock everybody else out
                self._disconnect()
        return added

    async def _checkpoint(self, rows: int) -> None:
        """Move what was written into the file now and then, while nobody waits for it.

        SQLite would do so within the commit of whoever comes along, holding up an alert for a tenth of a
        second. Where it fails, the log grows until the next time.
        """
        self._writes, self._rows = self._writes + 1, self._rows + rows
        if self._writes >= _CHECKPOINT_WRITES or self._rows >= _CHECKPOINT_ROWS:
            self._writes = self._rows = 0
            with suppress(sqlite3.Error):
                await self._run(lambda: self._connect().execute("PRAGMA wal_checkpoint(PASSIVE)").close())

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            make_private(self._path)
            # Used in one thread at a time; that of tests and of `interrupt` is another.
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection = connection
            for pragma in pragmas(cache_mb=_CACHE_MB):
                connection.execute(pragma)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _write_liquidations(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    names = ", ".join(columns_of(liquidations))
    marks = ", ".join("?" * len(liquidations.columns))
    first, second, third = key_positions(liquidations)
    distinct = {(row[first], row[second], row[third]): tuple(row) for row in reversed(rows)}
    connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS staged AS SELECT {names} FROM liquidations LIMIT 0")
    connection.execute("DELETE FROM staged")
    connection.executemany(f"INSERT INTO staged VALUES ({marks})", distinct.values())
    same = " AND ".join(f"kept.{name} = staged.{name}" for name in key_of(liquidations))
    connection.execute(f"DELETE FROM staged WHERE EXISTS (SELECT 1 FROM liquidations AS kept WHERE {same})")
    cursor = connection.execute(f"INSERT INTO liquidations ({names}) SELECT {names} FROM staged")
    connection.execute(
        f"INSERT INTO liquidation_heatmap ({TILE_COLUMNS}) {tile_sums('staged WHERE true')} {ADD_TO_TILES}"
    )
    return cursor.rowcount


def _upsert(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]], *, table: Table) -> int:
    marks = ", ".join("?" * len(table.columns))
    before = connection.total_changes
    connection.executemany(f"INSERT INTO {table.name} VALUES ({marks}) {on_conflict(table, 'sqlite')}", rows)
    return connection.total_changes - before
