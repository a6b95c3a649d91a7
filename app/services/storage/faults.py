"""What goes wrong with a database, in one kind of error and in words that hold no address and no password."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import StorageUnavailable

# What a driver raises when the database cannot be used now; anything else is a bug and stays loud.
DRIVER_FAULTS = (
    DBAPIError,
    PoolTimeout,
    sqlite3.OperationalError,
    sqlite3.DatabaseError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)

# The first that fits. Drivers say these with the address in it, or with a bare class name.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name of its server is not known"),
    (ConnectionRefusedError, "its server refuses the connection"),
    (ConnectionError, "the connection was cut"),
    (TimeoutError, "no answer in time"),
    (PoolTimeout, "no connection became free in time"),
    (asyncpg.QueryCanceledError, "a statement took too long"),
    (asyncpg.InvalidPasswordError, "user or password refused"),
    (asyncpg.InvalidAuthorizationSpecificationError, "user or password refused"),
    (asyncpg.InvalidCatalogNameError, "its server has no database of that name"),
    (asyncpg.InsufficientPrivilegeError, "the user may not do that"),
    (asyncpg.ReadOnlySQLTransactionError, "it is read-only"),
    (asyncpg.DiskFullError, "its disk is full"),
    (asyncpg.TooManyConnectionsError, "its server has no connection left"),
    (asyncpg.CannotConnectNowError, "its server is starting or stopping"),
    (asyncpg.AdminShutdownError, "its server is stopping"),
    (asyncpg.CrashShutdownError, "its server is starting or stopping"),
    (asyncpg.PostgresConnectionError, "the connection was cut"),
)
_MAX_CAUSES = 5


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Driver errors become `StorageUnavailable`; the text names the action, never the URL.

    Raises:
        StorageUnavailable: the database does not answer, is full, or refuses.
    """
    try:
        yield
    except DRIVER_FAULTS as error:
        raise StorageUnavailable(f"{what}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Why, in one line: `database or disk is full`, `no answer in time`, else the name of the class."""
    chain = _causes(error)
    for cause in chain:
        if isinstance(cause, sqlite3.Error):
            return str(cause)
        for kind, words in _WORDS:
            if isinstance(cause, kind):
                return words
    return type(chain[-1]).__name__


def is_full(error: BaseException) -> bool:
    """No space left: for SQLite by its message, for PostgreSQL by its class, for files by errno."""
    texts = [str(cause).lower() for cause in _causes(error)]
    return any(
        word in text
        for text in texts
        for word in ("disk is full", "no space left", "file too large", "disk full")
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The error, then what the driver and its wrappers say it came from."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _MAX_CAUSES:
        chain.append(current)
        origin = current.orig if isinstance(current, DBAPIError) else None
        current = origin or current.__cause__
    return chain
