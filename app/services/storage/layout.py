"""Native partitions of PostgreSQL: which part a time belongs to, and making and dropping parts.

Used by the bulk writer (`PartitionBook.ensure` before a batch), retention and migration 0002. Where a table
has no native partitions (SQLite, an extension) there is nothing to do. Every partitioned table has a `_rest`
part, so an insert never fails for want of one: a time far off lands there, and so does a late row of a part
that was dropped. When a part is made, rows of the rest that belong to it move over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from app.services.storage import tables

DAY_MS = 86_400_000
MINUTE_MS = 60_000
# Clocks of venues run ahead by seconds; a time beyond this is nonsense and gets no part of its own.
DAYS_AHEAD = 2
# Each new part costs four locks until the end of its transaction, and a server has about 6,400 of them.
MAX_NEW_PER_CALL = 200
# Making a part locks the rest for a moment, dropping one the whole table, and whoever comes meanwhile waits
# behind us. Behind a long reader (a download) we give up soon and come back later.
LOCK_TIMEOUT = "1s"
RETRY_AFTER_MS = 60_000
# All that make or drop parts queue on this advisory lock; any number no other program uses.
_LAYOUT_LOCK = 8_213_577_010

# A connection of asyncpg, or of a pool of it; the library ships no types.
_Driver: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Part:
    """How a table is cut by time.

    column: its time column. unit_ms: milliseconds in one unit of that column (60,000 for minutes).
    days: width of a part. parts_back: how many parts back from now still get a part of their own.
    """

    column: str
    unit_ms: int
    days: int
    parts_back: int

    @property
    def width(self) -> int:
        """In units of the column: a day is 86,400,000 ms or 1,440 minutes."""
        return self.days * DAY_MS // self.unit_ms

    def index(self, time: int) -> int:
        """Whole parts since the epoch, rounded down.

        Worked numbers: 2025-12-05T00:00Z (1,764,892,800,000 ms) is day 20,427 and in 30-day part 680; one
        millisecond before it is day 20,426; -1 is day -1.
        """
        return time // self.width

    def bounds(self, index: int) -> tuple[int, int]:
        """First time inside and first time after: day 20,427 is [1,764,892,800,000, 1,764,979,200,000) ms."""
        return index * self.width, (index + 1) * self.width

    def placeable(self, indexes: Iterable[int], now_ms: int) -> set[int]:
        """Those that may have a part of their own; the others' rows go to the rest."""
        now = now_ms // self.unit_ms
        oldest = self.index(now) - self.parts_back
        newest = self.index(now + DAYS_AHEAD * DAY_MS // self.unit_ms)
        return {index for index in indexes if oldest <= index <= newest}

    def name(self, table: str, index: int) -> str:
        """`liquidations_p20251205` for day 20,427: the UTC day the part begins on."""
        first_day = _EPOCH + timedelta(days=index * self.days)
        return f"{table}_p{first_day:%Y%m%d}"

    def index_of_name(self, table: str, name: str) -> int | None:
        """The inverse of `name`; None for the rest and for anything else."""
        digits = name.removeprefix(f"{table}_p")
        if len(digits) != 8 or not digits.isdecimal():
            return None
        day = datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
        index = (day - _EPOCH).days // self.days
        return index if self.name(table, index) == name else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Events and tiles come by the thousand a minute and are kept for weeks: a day is what retention drops, and a
# query of 24 h touches two. Bars come by the hour and are kept for years: backfilling five years by the day
# would make 1,800 parts, each with a handful of rows per coin, where 61 do.
_MINUTE_TABLES = frozenset({"liquidation_heatmap", "composite_heatmap"})
_BY_DAY = _MINUTE_TABLES | {"liquidations"}
PARTS: dict[str, Part] = {
    name: Part(
        column,
        MINUTE_MS if name in _MINUTE_TABLES else 1,
        days=1 if name in _BY_DAY else 30,
        parts_back=400 if name in _BY_DAY else 250,  # 13 months of days, 20 years of 30 days
    )
    for name, column in tables.TIME_COLUMN.items()
}


def rest_of(table: str) -> str:
    """The part that takes what belongs to no other."""
    return f"{table}_rest"


def partition_statements(table: str, index: int) -> tuple[str, ...]:
    """SQL that makes one part. Attached after filling: readers and writers of the table are not held up."""
    part = PARTS[table]
    name, (low, high) = part.name(table, index), part.bounds(index)
    return (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS)",
        f"WITH moved AS (DELETE FROM {rest_of(table)} WHERE {part.column} >= {low} "
        f"AND {part.column} < {high} RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})",
    )


class PartitionBook:
    """Which parts exist, so that a batch whose parts are known costs no question to the database."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._is_native: dict[str, bool] = {}
        self._known: dict[str, set[int]] = {table: set() for table in PARTS}
        self._not_before_ms: dict[str, int] = {}

    async def ensure(self, connection: AsyncConnection | _Driver, table: str, times: Iterable[int]) -> None:
        """Make the parts that rows of these times need; safe when several processes do it at once.

        Args:
            connection: of SQLAlchemy or of asyncpg. Best outside of a transaction: inside of one the new
                parts, and a lock that others who need parts wait for, last until its end.
            table: any table; one that is not cut by time is left alone.
            times: values of its time column, in its unit. At most `MAX_NEW_PER_CALL` parts are made, newest
                first; rows of the others go to the rest and move over when a later call makes their part.
                The same goes when a long reader is in the way; that table is tried again after a minute.

        Driver errors pass: the caller treats them as it treats those of the write that follows.
        """
        part = PARTS.get(table)
        if part is None or not self._is_native.get(table, True) or _is_embedded(connection):
            return
        now_ms = self._now_ms()
        wanted = part.placeable({time // part.width for time in times}, now_ms) - self._known[table]
        if not wanted or now_ms < self._not_before_ms.get(table, now_ms):
            return
        driver = await driver_of(connection)
        if table not in self._is_native:
            self._is_native[table] = await is_partitioned(driver, table)
            if not self._is_native[table]:
                return
        # What was made inside the caller's transaction may be rolled back: then only what is found counts.
        is_lasting = not driver.is_in_transaction()
        found = await _existing(driver, table) & wanted
        missing = sorted(wanted - found, reverse=True)[:MAX_NEW_PER_CALL]
        self._known[table] |= found
        if not missing:
            return
        try:
            await _make(driver, table, missing)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            self._not_before_ms[table] = now_ms + RETRY_AFTER_MS
        else:
            self._known[table] |= set(missing) if is_lasting else set()


async def driver_of(connection: AsyncConnection | _Driver) -> _Driver:
    """The connection of asyncpg inside one of SQLAlchemy; any other is returned as it is."""
    if not isinstance(connection, AsyncConnection):
        return connection
    return (await connection.get_raw_connection()).driver_connection


async def is_partitioned(driver: _Driver, table: str) -> bool:
    """Is the table cut into native partitions?"""
    kind = await driver.fetchval("SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)", table)
    return bool(kind == "p")


async def drop_before(driver: _Driver, table: str, cutoff: int) -> int:
    """Drop the parts that end at or before `cutoff`, and such rows of the rest; how many rows went.

    A part that holds the cutoff stays whole: up to one width of rows lives longer. Raises the driver's
    `LockNotAvailableError` when a long reader is in the way; what was dropped by then is dropped.
    """
    part = PARTS[table]
    dropped = 0
    for index in sorted(await _existing(driver, table)):
        if part.bounds(index)[1] > cutoff:
            break
        name = part.name(table, index)
        dropped += await driver.fetchval(f"SELECT count(*) FROM {name}")
        async with _turn(driver):
            await driver.execute(f"DROP TABLE IF EXISTS {name}")
    tag = await driver.execute(f"DELETE FROM {rest_of(table)} WHERE {part.column} < {cutoff}")
    return dropped + int(tag.rpartition(" ")[2])


def _is_embedded(connection: AsyncConnection | _Driver) -> bool:
    return isinstance(connection, AsyncConnection) and connection.dialect.name == "sqlite"


async def _existing(driver: _Driver, table: str) -> set[int]:
    rows = await driver.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass($1)",
        table,
    )
    indexes = (PARTS[table].index_of_name(table, row["relname"]) for row in rows)
    return {index for index in indexes if index is not None}


@asynccontextmanager
async def _turn(driver: _Driver) -> AsyncIterator[None]:
    """A transaction, or part of the caller's, in which nobody else changes the layout."""
    change = "SELECT set_config('lock_timeout', $1, true)"
    async with driver.transaction():
        await driver.execute("SELECT pg_advisory_xact_lock($1)", _LAYOUT_LOCK)
        before = await driver.fetchval("SELECT current_setting('lock_timeout')")
        await driver.execute(change, LOCK_TIMEOUT)
        yield
        # The caller's transaction may go on, and not with our impatience.
        await driver.execute(change, before)


async def _make(driver: _Driver, table: str, indexes: Collection[int]) -> None:
    async with _turn(driver):
        # Whoever held the lock before us may have made some.
        there = await _existing(driver, table)
        for index in indexes:
            if index not in there:
                await driver.execute("; ".join(partition_statements(table, index)))
