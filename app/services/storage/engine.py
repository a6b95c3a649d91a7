"""Opening the database: the URL of the settings to an async engine, with the options each backend needs.

Owns connection options; knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# A statement that takes longer is stuck: a frozen server must not hold a request or the writer for ever.
STATEMENT_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0
_BUSY_MS = 5_000
_LET_GO_S = 2.0
_OWNER_ALONE = 0o600
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def async_url(url: str) -> URL:
    """`sqlite:///path` or `postgresql://...` with the async driver in its scheme.

    `sslmode`, as most hosts write it, becomes the driver's own word `ssl`.
    """
    parsed = make_url(url)
    query = {("ssl" if name == "sslmode" else name): value for name, value in parsed.query.items()}
    return parsed.set(drivername=_DRIVERS[parsed.drivername.partition("+")[0]], query=query)


def is_embedded(url: str) -> bool:
    """SQLite: the service owns the file, and makes and migrates it by itself."""
    return make_url(url).drivername.startswith("sqlite")


def open_engine(
    url: str, *, pool_size: int = 4, statement_timeout_s: float | None = STATEMENT_TIMEOUT_S
) -> AsyncEngine:
    """An engine; nothing is connected yet. SQLite: the folder of the file is made, WAL is switched on.

    The file itself is made by the first connection, for its owner alone.

    statement_timeout_s: None for migrations and upkeep, whose statements may well take minutes.
    """
    parsed = async_url(url)
    if not is_embedded(url):
        return create_async_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": statement_timeout_s},
        )
    if parsed.database:
        with suppress(OSError):  # connecting says that it cannot be opened; the service goes on without it
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(parsed, pool_size=pool_size, max_overflow=0, pool_timeout=CONNECT_TIMEOUT_S)
    event.listen(engine.sync_engine, "do_connect", _make_private)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "invalidate", _roll_back)
    return engine


def make_private(path: str) -> None:
    """Make the SQLite file, where it is not there, readable by its owner alone.

    It holds digests of keys and the audit log. SQLite gives its log and index beside it the same mode.
    """
    with suppress(OSError):  # connecting says that it cannot be made
        Path(path).touch(_OWNER_ALONE, exist_ok=False)


def pragmas(*, cache_mb: int = 8) -> tuple[str, ...]:
    """Options of every SQLite connection; cache_mb: pages it keeps, much only for the one that writes.

    WAL: readers go on while a batch is written. NORMAL: a power cut may lose the newest commits, a killed
    process loses none, and neither corrupts the file.
    """
    return tuple(
        f"PRAGMA {option}"
        for option in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={_BUSY_MS}",
            "temp_store=MEMORY",
            f"cache_size=-{cache_mb * 1024}",
            # Normally the bulk writer does it in its own time (`sqlite_bulk`).
            "wal_autocheckpoint=32000",
            "journal_size_limit=67108864",
        )
    )


async def let_go(engine: AsyncEngine) -> None:
    """Close every connection; a server that does not even say goodbye is left without one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LET_GO_S):
            await engine.dispose()


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """End the transaction of a connection that is given up because its user was cancelled.

    Its statement runs on in its thread, and closing it leaves the write lock held until the last cursor is
    collected as garbage: everybody else would find the database locked.
    """
    with suppress(sqlite3.Error, ValueError):  # it is closed already, or broken: then there is no lock
        connection.rollback()


def _make_private(_dialect: object, _record: object, arguments: Any, _options: object) -> None:
    if arguments[0] != ":memory:":
        make_private(arguments[0])


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in pragmas():
        cursor.execute(pragma)
    cursor.close()
