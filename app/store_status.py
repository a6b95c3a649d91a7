"""What `python -m app.store status` reads and prints: backend, revision, layout, rows and size.

Reads with exact counts, so it takes seconds on a big database; nothing in the service waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, inspect, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.services.storage import tables
from app.services.storage.engine import is_embedded
from app.services.storage.faults import storage_errors
from app.services.storage.schema import DATA_MODE_KEY, OLDER, layout_of, refuse_foreign, revision_of, why_not


@dataclass(frozen=True, slots=True)
class TableStatus:
    """parts: native partitions, 0 where the table has none."""

    name: str
    rows: int
    parts: int


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What there is.

    size_bytes: of the file with its journal, or of the database on the server. layouts: of the bulk tables.
    data_mode: None until the service was started on it once.
    """

    place: str
    embedded: bool
    size_bytes: int
    revision: str | None
    data_mode: str | None
    layouts: tuple[str, ...]
    tables: tuple[TableStatus, ...]

    @property
    def is_usable(self) -> bool:
        """Could the service start on it as it is?"""
        return self.revision == tables.HEAD or (self.embedded and self.revision in OLDER)


def place_of(url: str) -> str:
    """Where the data is, in words, without user and password."""
    parsed = make_url(url)
    if is_embedded(url):
        return f"SQLite, {parsed.database}"
    return f"PostgreSQL, database {parsed.database} on {parsed.host}:{parsed.port or 5432}"


async def read_status(engine: AsyncEngine, url: str) -> DatabaseStatus:
    """Ask for everything there is to show.

    Raises:
        StorageRefused: an SQLite file of something else.
        StorageUnavailable: the database does not answer.
    """
    with storage_errors("reading the status"):
        async with engine.connect() as connection:
            if is_embedded(url) and await revision_of(connection) is None:
                await connection.run_sync(refuse_foreign)
            names = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
            there = [name for name in tables.metadata.tables if name in names]
            bulk = [name for name in there if name in tables.TIME_COLUMN]
            return DatabaseStatus(
                place=place_of(url),
                embedded=is_embedded(url),
                size_bytes=await _size(connection, url),
                revision=await revision_of(connection),
                data_mode=await _data_mode(connection) if tables.worker_state.name in there else None,
                layouts=tuple(sorted({await layout_of(connection, name) for name in bulk})),
                tables=tuple(
                    [
                        TableStatus(name, await count_rows(connection, name), await _parts(connection, name))
                        for name in there
                    ]
                ),
            )


async def data_mode_of(engine: AsyncEngine) -> str | None:
    """The mode of the data in a migrated database; None until the service was started on it once.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    with storage_errors("reading the data mode"):
        async with engine.connect() as connection:
            return await _data_mode(connection)


async def count_rows(connection: AsyncConnection, table: str) -> int:
    """Exactly."""
    counted = await connection.scalar(select(func.count()).select_from(tables.metadata.tables[table]))
    return counted or 0


def format_status(status: DatabaseStatus) -> str:
    """For a person."""
    revision = f"{status.revision}, as this version needs it"
    if status.revision != tables.HEAD:
        is_made = status.embedded and (status.revision is None or status.revision in OLDER)
        revision = "older; the next start migrates it" if is_made else why_not(status.revision)
        if is_made and status.revision is None:
            revision = "no tables yet; the first start makes them"
    lines = [
        f"database:  {status.place}, {size_text(status.size_bytes)}",
        f"data mode: {status.data_mode or 'decided by the first start'}",
        f"revision:  {revision}",
        f"layout:    {', '.join(status.layouts) or 'none'}",
    ]
    for table in status.tables:
        parts = f" in {table.parts} parts" if table.parts else ""
        lines.append(f"  {table.name:<22}{table.rows:>15,} rows{parts}")
    return "\n".join(lines)


def format_removed(removed: Mapping[str, int]) -> str:
    """What retention did, one table per line."""
    return "\n".join(f"{name:<22}{rows:>15,} rows removed" for name, rows in removed.items())


async def _data_mode(connection: AsyncConnection) -> str | None:
    state = tables.worker_state
    found: str | None = await connection.scalar(select(state.c.value).where(state.c.key == DATA_MODE_KEY))
    return found


async def _size(connection: AsyncConnection, url: str) -> int:
    if is_embedded(url):
        return _file_size(make_url(url).database or "")
    return await connection.scalar(text("SELECT pg_database_size(current_database())")) or 0


def _file_size(file: str) -> int:
    paths = [Path(file), Path(f"{file}-wal")]
    return sum(path.stat().st_size for path in paths if path.exists())


async def _parts(connection: AsyncConnection, table: str) -> int:
    if connection.dialect.name == "sqlite":
        return 0
    question = text("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(:name)")
    return await connection.scalar(question, {"name": table}) or 0


def size_text(size: float) -> str:
    """In the largest unit that is not too large."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
