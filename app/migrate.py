"""Runs Alembic over an engine of the store: upgrade and downgrade, one process at a time.

The only module of the service that imports Alembic, which a web process never needs: it is imported by
`app.store` alone. What the revisions do is in `migrations/versions`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import StorageRefused
from app.services.storage import schema, tables
from app.services.storage.faults import storage_errors

_SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
BASE = "base"  # the revision before the first: no tables
# Any number no other program uses: two deployments that migrate at once queue on it.
_MIGRATION_LOCK = 8_213_577_011


def known_revisions() -> tuple[str, ...]:
    """Every revision there is a script for, newest first."""
    scripts = ScriptDirectory.from_config(_config(None))
    return tuple(script.revision for script in scripts.walk_revisions())


def dropped_tables(current: str, target: str) -> tuple[str, ...]:
    """Tables that a downgrade between two known revisions drops with their rows."""
    scripts = ScriptDirectory.from_config(_config(None))
    undone = scripts.iterate_revisions(current, target)
    # One that was made anew stands in two revisions.
    named = (table for script in undone for table in getattr(script.module, "DROPPED_ON_DOWNGRADE", ()))
    return tuple(dict.fromkeys(named))


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the database up to a revision, in one transaction: all of it or nothing.

    The engine should have no statement timeout: laying tables out anew takes as long as it takes.

    Raises:
        StorageRefused: a newer version has been there, or (SQLite) something else.
        StorageUnavailable: the database does not answer or refuses.
    """
    await _run(engine, lambda config: command.upgrade(config, revision), "migrating")


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the database back to a revision (`base`: nothing left), in one transaction.

    Raises:
        StorageRefused: as for `upgrade`.
        StorageUnavailable: the database does not answer or refuses.
    """
    await _run(engine, lambda config: command.downgrade(config, revision), "migrating back")


async def _run(engine: AsyncEngine, what: Callable[[Config], None], doing: str) -> None:
    def within(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            # Taken now and not at the first write: the second of two processes waits, and then finds it done.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        revision = schema.read_revision(connection)
        if revision is not None and revision not in (tables.HEAD, *schema.OLDER):
            raise StorageRefused(schema.why_not(revision))
        if revision is None and connection.dialect.name == "sqlite":
            schema.refuse_foreign(connection)
        what(_config(connection))

    with storage_errors(doing):
        async with engine.begin() as connection:
            await connection.run_sync(within)


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
