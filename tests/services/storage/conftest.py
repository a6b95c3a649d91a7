"""A fresh, migrated, empty database per test, on both backends.

PostgreSQL is started once; the databases of both are copies of one that was migrated once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from app.migrate import upgrade
from app.services.storage.engine import open_engine

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

_TEMPLATE = "migrated"
_NUMBERS = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server for the whole session; tests that need it skip where there is none.

    To pytest each module that imports this has a fixture of its own; the server is the same for all of them.
    """
    from tests.postgres_server import shared_server

    running = shared_server()
    yield running
    running.close()


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    return _migrated(postgres)


@cache
def _migrated(server: PostgresServer) -> str:
    migrate(server.create(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def new_postgres(postgres: PostgresServer) -> Callable[[], str]:
    """Makes an empty database without any table; its URL."""
    return lambda: postgres.create(f"t{next(_NUMBERS)}")


@cache
def _migrated_file() -> bytes:
    """A migrated, empty SQLite file. Nobody has it open, so the file is all there is."""
    with TemporaryDirectory() as folder:
        migrate(f"sqlite:///{folder}/{_TEMPLATE}.db")
        (made,) = Path(folder).iterdir()
        return made.read_bytes()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a migrated, empty database."""
    if request.param == "sqlite":
        (tmp_path / "store.db").write_bytes(_migrated_file())
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = f"t{next(_NUMBERS)}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without any table (SQLite: of a file that is not there yet)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("new_postgres")())


def migrate(url: str, revision: str = "head") -> None:
    """Upgrade from outside of any event loop."""

    async def run() -> None:
        engine = open_engine(url, statement_timeout_s=None)
        await upgrade(engine, revision)
        await engine.dispose()

    asyncio.run(run())
