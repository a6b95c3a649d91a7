"""Opening the database: the URL of the settings to an async engine, with the options each backend needs.

Owns connection options and the word for "it does not answer"; knows no table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import URL, Dialect, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.core.errors import StorageUnavailable

# A statement that takes longer is stuck: a frozen server must not hold a request or the writer for ever.
STATEMENT_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0
_BUSY_MS = 5_000
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
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


class GatedEngine:
    """An engine that nobody reads or writes through before the database was found fit, or after it was not.

    A database of another data mode answers every query just as well; what it says must not be told.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._closed: StorageUnavailable | None = StorageUnavailable("the database is not open yet")

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    @property
    def closed(self) -> StorageUnavailable | None:
        """Why it is shut; None while it is open."""
        return self._closed

    def open(self) -> None:
        self._closed = None

    def keep_shut(self, why: StorageUnavailable) -> None:
        """From now on `why` is what everybody is told."""
        self._closed = why

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Raises: StorageUnavailable: while shut."""
        self._check()
        return self._engine.connect()

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Raises: StorageUnavailable: while shut."""
        self._check()
        return self._engine.begin()

    def _check(self) -> None:
        if self._closed is not None:
            raise type(self._closed)(str(self._closed))


# What the parts of the store are given: commands open the engine themselves.
Access: TypeAlias = AsyncEngine | GatedEngine


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
            "wal_autocheckpoint=16000",
            "journal_size_limit=67108864",
        )
    )


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in pragmas():
        cursor.execute(pragma)
    cursor.close()


# What a driver raises when the database cannot be used now; anything else is a bug and stays loud.
_DOWN = (
    DBAPIError,
    PoolTimeout,
    sqlite3.OperationalError,
    sqlite3.DatabaseError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Driver errors become `StorageUnavailable`; the text names the action, never the URL.

    Raises:
        StorageUnavailable: the database does not answer, is full, or refuses.
    """
    try:
        yield
    except _DOWN as error:
        raise StorageUnavailable(f"{what}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """A driver's own words in one line without addresses: `database or disk is full`, `TimeoutError`."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(origin, sqlite3.Error):
        return str(origin)
    return type(origin).__name__


def is_full(error: BaseException) -> bool:
    """No space left: for SQLite by its message, for PostgreSQL by class 53100, for files by errno."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        chain.append(current)
        current = current.__cause__
    texts = [str(item).lower() for item in chain]
    return any(
        word in text
        for text in texts
        for word in ("disk is full", "no space left", "file too large", "disk full")
    )
