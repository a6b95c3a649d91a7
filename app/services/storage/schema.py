"""The schema at start: made or migrated where the service owns the file, checked where it is a server's.

Also pins a database to one data mode, so that demo data never enters a live one. Imports no Alembic: an empty
SQLite file is made from the tables and stamped, an older one is migrated by `python -m app.store` in another
process. Called by the store when it opens.
"""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage import tables, timescale
from app.services.storage.faults import storage_errors
from app.services.storage.layout import driver_of, is_partitioned

# Revisions that can be migrated from; with HEAD these are all there are, says a test.
OLDER = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
DATA_MODE_KEY = "data_mode"
# A whole migration of an embedded file. Past this something is stuck, and the start must not hang for ever.
MIGRATION_TIMEOUT_S = 600.0
_PROJECT = Path(__file__).resolve().parents[3]

# As Alembic makes it; not part of the tables, whose metadata Alembic must not see twice.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class Layout(StrEnum):
    """How a table lies in the database."""

    PLAIN = "plain"
    PARTITIONED = "partitioned"
    TIMESCALE = "timescale"


class SchemaOutcome(StrEnum):
    """What opening did."""

    FOUND = "found"  # was as it must be
    MADE = "made"  # was an empty SQLite file
    MIGRATED = "migrated"  # was an older SQLite file


async def ensure_schema(engine: AsyncEngine, *, embedded: bool, data_mode: str, now_ms: int) -> SchemaOutcome:
    """See to it that the tables are those of this version and belong to this data mode.

    Safe when several processes start at once on one empty file.

    Args:
        engine: of `open_engine`.
        embedded: SQLite; the service makes and migrates the file by itself.
        data_mode: live, demo or replay; the first to open a database decides what it is for.
        now_ms: time of the note about that.

    Raises:
        StorageRefused: not usable as it is; the text says what to do.
        StorageUnavailable: the database does not answer.
    """
    outcome = SchemaOutcome.FOUND
    with storage_errors("opening the database"):
        revision = await _revision(engine)
        if revision is None and embedded and await _make(engine):
            outcome, revision = SchemaOutcome.MADE, tables.HEAD
        elif revision is None and embedded:
            revision = await _revision(engine)  # another process has just made it
    if revision in OLDER and embedded:
        await _migrate(engine)
        outcome, revision = SchemaOutcome.MIGRATED, tables.HEAD
    if revision != tables.HEAD:
        raise StorageRefused(why_not(revision))
    with storage_errors("opening the database"):
        pinned = await _pin(engine, data_mode, now_ms)
    if pinned != data_mode:
        raise StorageRefused(
            f"this database holds {pinned} data and the service runs in data mode {data_mode}: the two are "
            f"never mixed. Set DATABASE_URL to another database, or DATA_MODE={pinned}"
        )
    return outcome


async def revision_of(connection: AsyncConnection) -> str | None:
    """The revision a database says it is at; None when it says nothing."""
    return await connection.run_sync(read_revision)


async def layout_of(connection: AsyncConnection, table: str) -> Layout:
    """How one table lies; always plain on SQLite."""
    if connection.dialect.name == "sqlite":
        return Layout.PLAIN
    driver = await driver_of(connection)
    if await is_partitioned(driver, table):
        return Layout.PARTITIONED
    return Layout.TIMESCALE if await timescale.is_hypertable(driver, table) else Layout.PLAIN


async def _revision(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        return await revision_of(connection)


def read_revision(connection: Connection) -> str | None:
    """The same for code that runs inside of `run_sync`."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))


def refuse_foreign(connection: Connection) -> None:
    """Leave a file alone that is not at any revision and yet not empty.

    Raises:
        StorageRefused: it holds tables of something else.
    """
    others = [name for name in inspect(connection).get_table_names() if name != _version.name]
    if others:
        raise StorageRefused(
            f"the SQLite file holds tables that are not of this service (such as {others[0]}): "
            "set DATABASE_URL to another file"
        )


async def _make(engine: AsyncEngine) -> bool:
    """Make every table in an empty file and stamp it, in one transaction; False when it is no longer empty.

    Raises:
        StorageRefused: the file holds tables of something else.
    """
    async with engine.begin() as connection:
        # The write lock first: of two processes the second waits here, and then finds the tables.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        if await revision_of(connection) is not None:
            return False
        await connection.run_sync(refuse_foreign)
        await connection.run_sync(tables.metadata.create_all, checkfirst=False)
        await connection.run_sync(_version.create, checkfirst=True)
        await connection.execute(_version.insert().values(version_num=tables.HEAD))
    return True


async def _pin(engine: AsyncEngine, data_mode: str, now_ms: int) -> str:
    """Note the data mode unless one is noted; the one that holds."""
    state = tables.worker_state
    noted = select(state.c.value).where(state.c.key == DATA_MODE_KEY)
    async with engine.connect() as connection:
        found: str | None = await connection.scalar(noted)
    if found is not None:
        return found
    insert = sqlite_insert if engine.dialect.name == "sqlite" else postgres_insert
    note = insert(state).values(key=DATA_MODE_KEY, value=data_mode, ts_init_ms=now_ms)
    async with engine.begin() as connection:
        await connection.execute(note.on_conflict_do_nothing())
        pinned: str = (await connection.execute(noted)).scalar_one()
        return pinned


async def _migrate(engine: AsyncEngine) -> None:
    """Migrate the file in a process of its own: Alembic stays out of this one."""
    process = await asyncio.create_subprocess_exec(
        *_migrate_command(engine.url.database or ""),
        cwd=_PROJECT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MIGRATION_TIMEOUT_S):
            _, said = await process.communicate()
    except TimeoutError as error:
        raise StorageUnavailable(
            f"migrating the SQLite file took over {MIGRATION_TIMEOUT_S:.0f} s"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise StorageUnavailable(f"migrating the SQLite file failed: {last[:200]}")


def _migrate_command(file: str) -> tuple[str, ...]:
    return sys.executable, "-m", "app.store", "--file", os.path.abspath(file), "migrate"


def why_not(revision: str | None) -> str:
    """Why a database at a revision other than HEAD is not used, and what would help."""
    if revision is None:
        return "the database has no tables yet: run make migrate"
    if revision in OLDER:
        return f"the database is at revision {revision}, this version needs {tables.HEAD}: run make migrate"
    return (
        f"the database is at revision {revision}, which this version does not know: it was made by a newer "
        "version. Start that one, or take the database back with its python -m app.store downgrade"
    )
