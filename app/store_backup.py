"""Copies of an SQLite database: taken while the service writes, and put back while it does not.

Owns how a copy is made whole and what a restore refuses. PostgreSQL has tools of its own for both
(`infra/postgres`). Called by `app.store`; blocking, so for a command alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.core.errors import StorageRefused, StorageUnavailable
from app.services.storage.schema import OLDER, why_not
from app.services.storage.tables import HEAD

_WAIT_S = 5.0
_READABLE_BY_OWNER = 0o600


def back_up(database: Path, file: Path) -> int:
    """Copy a database as it is at one moment into a new file; its size in bytes.

    Writers go on meanwhile. The copy is checked before it gets its name, so a file with that name is whole.

    Raises:
        StorageRefused: the file is there already, or the database is not of this service.
        StorageUnavailable: it cannot be read, or the copy not written.
    """
    if file.exists():
        raise StorageRefused(f"{file} is there already: a backup never replaces a file")
    part = file.with_name(f"{file.name}.part")
    with _said_as(f"backing up to {file}"):
        file.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(_READABLE_BY_OWNER)
        try:
            with closing(_open(database)) as source:
                _require_ours(database, source)
                _copy(source, part)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
        return file.stat().st_size


def restore(file: Path, database: Path, *, replaces: bool, keep_as: Path) -> bool:
    """Put a backup where the service will look for its database; was there another one before?

    replaces: go on although there is a database with tables; what it holds is copied to `keep_as` first.

    Raises:
        StorageRefused: the file is no backup of this service, there is a database and `replaces` is not set,
            or a process has it open.
        StorageUnavailable: reading or writing failed; the database is as it was.
    """
    if not file.is_file():
        raise StorageRefused(f"{file}: there is no such file")
    with _said_as(f"restoring from {file}"), closing(_open(file)) as source:
        _require_ours(file, source)
        _require_whole(file, source)
        database.parent.mkdir(parents=True, exist_ok=True)
        if not database.exists():
            database.touch(_READABLE_BY_OWNER)
        with closing(sqlite3.connect(database, timeout=0)) as target:
            had_tables = _take_alone(database, target)
            if had_tables and not replaces:
                raise StorageRefused(
                    f"{database} has tables already: nothing was done. --force puts the backup in their "
                    "place, and keeps a copy of them"
                )
            if had_tables:
                keep_as.touch(_READABLE_BY_OWNER, exist_ok=False)
                _copy(target, keep_as)
            # By the library's own locks and journal: a kill leaves the old database or the new one.
            source.backup(target)
    return had_tables


def _copy(source: sqlite3.Connection, file: Path) -> None:
    """All pages in one read transaction: a moment, however many write meanwhile."""
    with closing(sqlite3.connect(file)) as target:
        source.backup(target)
        _require_whole(file, target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file is the whole copy
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _open(file: Path) -> sqlite3.Connection:
    """For reading; never makes a file."""
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)


def _take_alone(database: Path, target: sqlite3.Connection) -> bool:
    """Lock everybody out and say whether there are tables; refused while another process has it open."""
    try:
        target.execute("PRAGMA locking_mode=EXCLUSIVE")
        target.execute("BEGIN EXCLUSIVE")
        (tables,) = target.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
        target.rollback()
    except sqlite3.OperationalError as error:
        raise StorageRefused(f"{database} is in use: stop the service first ({error})") from error
    return bool(tables)


def _require_ours(file: Path, connection: sqlite3.Connection) -> None:
    found = None
    has_version = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(has_version).fetchone()[0]:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if found is None:
        raise StorageRefused(f"{file} is not a database of this service")
    if found[0] not in (HEAD, *OLDER):
        raise StorageRefused(f"{file}: {why_not(found[0])}")


def _require_whole(file: Path, connection: sqlite3.Connection) -> None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise StorageUnavailable(f"{file} is damaged: {said}")


@contextmanager
def _said_as(doing: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(f"{doing}: {error}") from error
