"""Bulk writes to SQLite: one connection, one transaction per batch, a few statements each.

Liquidations go through a temporary table, so that their tiles count exactly those rows that were not stored
yet, in the same transaction: a kill between the two cannot happen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiosqlite
from sqlalchemy import Table, make_url

from app.services.storage.engine import pragmas
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

_REFUSALS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError)


_CACHE_MB = 64


class SqliteBulk:
    """Writes batches of rows of one table; one call at a time (`lanes`)."""

    lanes = 1
    batch_rows = 20_000  # pages shared by many rows are written once per batch

    def __init__(self, url: str) -> None:
        self._path = make_url(url).database or ""
        self._connection: aiosqlite.Connection | None = None

    async def write(self, table: Table, rows: Sequence[tuple[Any, ...]], *, lane: int) -> int:
        """Store rows; how many were new, or changed what was there.

        Raises:
            BatchRefused: a row breaks a rule of the table; nothing was stored.
            StorageUnavailable: full, locked or unreadable; nothing was stored.
        """
        with storage_errors("writing"):
            connection = await self._connect()
            is_settled = False
            try:
                await connection.execute("BEGIN IMMEDIATE")
                if table is liquidations:
                    added = await _write_liquidations(connection, rows)
                else:
                    added = await _upsert(connection, table, rows)
                await connection.commit()
                is_settled = True
            except _REFUSALS as error:
                await connection.rollback()
                is_settled = True
                raise BatchRefused(str(error)) from error
            except sqlite3.Error:
                await connection.rollback()
                is_settled = True
                raise
            finally:
                # Cancelled, or not even rolled back: an open transaction would lock everybody else out, and
                # closing alone ends it only when the last cursor is collected as garbage.
                if not is_settled:
                    with suppress(sqlite3.Error):
                        await connection.rollback()
                    await self.close()
        return added

    async def _connect(self) -> aiosqlite.Connection:
        if self._connection is None:
            connection = await aiosqlite.connect(self._path, isolation_level=None)
            self._connection = connection
            for pragma in pragmas(cache_mb=_CACHE_MB):
                await connection.execute(pragma)
        return self._connection

    async def close(self) -> None:
        """Roll back what is open and let go of the file; the next write connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _write_liquidations(connection: aiosqlite.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    names = ", ".join(columns_of(liquidations))
    marks = ", ".join("?" * len(liquidations.columns))
    first, second, third = key_positions(liquidations)
    distinct = {(row[first], row[second], row[third]): tuple(row) for row in reversed(rows)}
    await connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS staged AS SELECT {names} FROM liquidations LIMIT 0"
    )
    await connection.execute("DELETE FROM staged")
    await connection.executemany(f"INSERT INTO staged VALUES ({marks})", distinct.values())
    same = " AND ".join(f"kept.{name} = staged.{name}" for name in key_of(liquidations))
    await connection.execute(
        f"DELETE FROM staged WHERE EXISTS (SELECT 1 FROM liquidations AS kept WHERE {same})"
    )
    cursor = await connection.execute(f"INSERT INTO liquidations ({names}) SELECT {names} FROM staged")
    await connection.execute(
        f"INSERT INTO liquidation_heatmap ({TILE_COLUMNS}) {tile_sums('staged WHERE true')} {ADD_TO_TILES}"
    )
    return cursor.rowcount


async def _upsert(connection: aiosqlite.Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    marks = ", ".join("?" * len(table.columns))
    before = connection.total_changes
    await connection.executemany(
        f"INSERT INTO {table.name} VALUES ({marks}) {on_conflict(table, 'sqlite')}", rows
    )
    return connection.total_changes - before
