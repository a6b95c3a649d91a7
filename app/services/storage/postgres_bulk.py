"""Bulk writes to PostgreSQL: COPY into a temporary table, then one INSERT ... SELECT, in one transaction.

Two lanes, each its own connection: while the database inserts one batch, the next is being copied. Tiles are
summed from the rows that the INSERT returns, so that they count exactly what was new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import asyncpg
from sqlalchemy import Table

from app.services.storage.engine import CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S
from app.services.storage.faults import storage_errors
from app.services.storage.layout import PartitionBook
from app.services.storage.refused import BatchRefused
from app.services.storage.statements import (
    ADD_TO_TILES,
    TILE_COLUMNS,
    columns_of,
    key_positions,
    on_conflict,
    tile_sums,
)
from app.services.storage.tables import TIME_COLUMN, liquidation_heatmap, liquidations

_REFUSALS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


_DAY_MS = 86_400_000  # every part begins at midnight UTC


class PostgresBulk:
    """Writes batches of rows of one table; `lanes` calls at a time, each with its own lane number."""

    lanes = 2
    batch_rows = 10_000  # larger ones leave one lane waiting for the other
    polite_rows = 10_000  # nobody waits: rows are locked, not the database

    def __init__(self, url: str, partitions: PartitionBook) -> None:
        self._url = url
        self._partitions = partitions
        self._connections: dict[int, asyncpg.Connection] = {}
        # Copying runs side by side; inserting takes turns, for both lanes end in the same index pages.
        self._inserting = asyncio.Lock()

    async def write(self, table: Table, rows: Sequence[tuple[Any, ...]], *, lane: int) -> int:
        """Store rows; how many were new, or changed what was there.

        Raises:
            BatchRefused: a row breaks a rule of the table; nothing was stored.
            StorageUnavailable: the server is away, full or stuck; nothing was stored.
        """
        with storage_errors("writing"):
            connection = await self._connect(lane)
            is_settled = False
            try:
                # Before the transaction: the lock under which parts are made is held for a moment only.
                await self._make_parts(connection, table, rows)
                added = 0
                async with connection.transaction():
                    # One INSERT ignores repeats of an event, but may not update the same bar twice.
                    is_event = table is liquidations
                    for distinct in [rows] if is_event else _rounds(rows, key_positions(table)):
                        added += await self._store(connection, table, distinct)
                is_settled = True
            except (*_REFUSALS, TypeError, OverflowError) as error:
                is_settled = True
                raise BatchRefused(f"{type(error).__name__}: {error}") from error
            finally:
                # Whether it was committed is unknown then; the same rows written again change nothing.
                if not is_settled:
                    self._drop(lane)
        return added

    async def _store(
        self, connection: asyncpg.Connection, table: Table, rows: Sequence[tuple[Any, ...]]
    ) -> int:
        staged = f"staged_{table.name}"
        names = ", ".join(columns_of(table))
        # In key order two writers cannot lock each other out. Sorted here, while the other lane inserts: that
        # is where the time goes. A temporary table of this size is read in the order it was filled.
        rows = await asyncio.to_thread(sorted, rows, key=itemgetter(*key_positions(table)))
        await connection.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table.name}) ON COMMIT DELETE ROWS"
        )
        await connection.copy_records_to_table(staged, records=rows, columns=columns_of(table))
        insert = (
            f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staged}"
            f" {on_conflict(table, 'postgresql')}"
        )
        async with self._inserting:
            if table is liquidations:
                added = await connection.fetchval(
                    f"WITH added AS ({insert} RETURNING symbol, ts_event_ms, bucket, liquidated_side, usd),"
                    f" tiles AS (INSERT INTO liquidation_heatmap ({TILE_COLUMNS}) {tile_sums('added')}"
                    f" {ADD_TO_TILES}) SELECT COUNT(*) FROM added"
                )
            else:
                tag = await connection.execute(insert)
                added = int(tag.rpartition(" ")[2])
        if table is not liquidations:  # a second round must not see the rows of the first
            await connection.execute(f"DELETE FROM {staged}")
        return int(added)

    async def _make_parts(
        self, connection: asyncpg.Connection, table: Table, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        time_column = TIME_COLUMN.get(table.name)
        if time_column is None:
            return
        position = columns_of(table).index(time_column)
        unit = _DAY_MS if time_column != "ts_min" else _DAY_MS // 60_000
        times = {row[position] // unit * unit for row in rows}
        await self._partitions.ensure(connection, table.name, times)
        if table is liquidations:
            await self._partitions.ensure(
                connection, liquidation_heatmap.name, {time // 60_000 for time in times}
            )

    async def _connect(self, lane: int) -> asyncpg.Connection:
        connection = self._connections.get(lane)
        if connection is None or connection.is_closed():
            connection = await asyncpg.connect(
                self._url, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S
            )
            self._connections[lane] = connection
        return connection

    def _drop(self, lane: int) -> None:
        connection = self._connections.pop(lane, None)
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close what is open; the next write connects anew."""
        for lane in tuple(self._connections):
            self._drop(lane)


def _rounds(rows: Sequence[tuple[Any, ...]], key: Sequence[int]) -> list[list[tuple[Any, ...]]]:
    """Rows in rounds without a key twice: one INSERT may not update the same row two times."""
    rounds: list[list[tuple[Any, ...]]] = []
    seen: dict[tuple[Any, ...], int] = {}
    for row in rows:
        its_key = tuple(row[position] for position in key)
        turn = seen.get(its_key, 0)
        seen[its_key] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(row)
    return rounds
