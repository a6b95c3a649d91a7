"""Probes of the database: reachable, migrated, writable, quick, sound; for both backends.

Writes only within a transaction that is rolled back. A database that is not there yet (SQLite before the
first start) is nothing to mend.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import statistics
import time
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import StorageUnavailable
from app.doctor_deployment import LOOPBACK, Deployment, NothingToCheck
from app.doctor_machine import room
from app.doctor_run import Finding, Probe, fail, ok, skip, warn
from app.services.storage import tables
from app.services.storage.engine import is_embedded
from app.services.storage.faults import storage_errors
from app.services.storage.record_proof import verify_record
from app.services.storage.schema import OLDER, revision_of, why_not
from app.store_status import data_mode_of, place_of, size_text

GROUP = "database"
OLDEST_POSTGRES = 13
WARN_LATENCY_MS, FAIL_LATENCY_MS = 20.0, 500.0
_LOOKS = 5
PROOF_S = 6.0
_KEY = "doctor:probe"  # never committed
_CROWDED_FRAC = 0.8
_HEALTH = "see docs/configuration.md, Database"


async def database(deployment: Deployment) -> Finding:
    url = deployment.settings.store_url()
    file = _file(url)
    if file is not None and not file.exists():
        return ok(f"{place_of(url)}: not there yet; the first start makes it")
    try:
        await deployment.first_engine()
    except StorageUnavailable as error:
        return fail(
            f"{place_of(url)}: {error}", "start it, or correct DATABASE_URL; answers go on without it"
        )
    return ok(f"{place_of(url)} answers")


async def database_schema(deployment: Deployment) -> Finding:
    engine = await deployment.engine()
    revision = await _revision(engine)
    embedded = is_embedded(deployment.settings.store_url())
    if revision == tables.HEAD:
        return ok(f"the tables are at revision {revision}, as this version needs them")
    if embedded and (revision is None or revision in OLDER):
        return ok(f"the tables are at revision {revision or 'none'}; the next start brings them up")
    return fail(why_not(revision), "make migrate" if revision in (None, *OLDER) else _HEALTH)


async def database_mode(deployment: Deployment) -> Finding:
    pinned, mode = await data_mode_of(await deployment.migrated_engine()), deployment.settings.data_mode
    if pinned not in (None, mode):
        return fail(
            f"the database holds {pinned} data and DATA_MODE is {mode}",
            f"set DATABASE_URL to another database, or DATA_MODE={pinned}",
        )
    return ok(f"the database is for {mode} data" if pinned else "the first start decides what it is for")


async def database_write(deployment: Deployment) -> Finding:
    engine = await deployment.migrated_engine()
    row = {"key": _KEY, "value": "", "ts_init_ms": deployment.wall.now_ms()}
    try:
        with storage_errors("writing"):
            async with engine.connect() as connection:
                await connection.execute(tables.worker_state.insert().values(row))
                await connection.rollback()
    except StorageUnavailable as error:
        mend = "see to its disk, its locks and the rights of the user in DATABASE_URL"
        return fail(f"nothing can be written, {error}", mend)
    return ok("a row was written and taken back")


async def database_latency(deployment: Deployment) -> Finding:
    engine = await deployment.engine()
    times_ms = []
    with storage_errors("measuring"):
        async with engine.connect() as connection:
            for _ in range(_LOOKS):
                started_s = time.monotonic()
                await connection.execute(text("SELECT 1"))
                times_ms.append((time.monotonic() - started_s) * 1000)
    took_ms = statistics.median(times_ms)
    found = f"a look takes {took_ms:.1f} ms"
    mend = "put database and service into one place, and see what loads it"
    if took_ms > FAIL_LATENCY_MS:
        return fail(found, mend)
    return warn(found, mend) if took_ms > WARN_LATENCY_MS else ok(found)


async def database_version(deployment: Deployment) -> Finding:
    if is_embedded(deployment.settings.store_url()):
        return ok(f"SQLite {sqlite3.sqlite_version}")
    version = await _ask(deployment, "SHOW server_version")
    major = int(version.partition(".")[0])
    if major < OLDEST_POSTGRES:
        return fail(f"PostgreSQL {version} is too old", f"use {OLDEST_POSTGRES} or newer")
    return ok(f"PostgreSQL {version}")


async def database_size(deployment: Deployment) -> Finding:
    file = _file(deployment.settings.store_url())
    if file is None:
        size_bytes = int(await _ask(deployment, "SELECT pg_database_size(current_database())"))
    elif file.is_file():
        size_bytes = sum(path.stat().st_size for path in (file, Path(f"{file}-wal")) if path.exists())
    else:
        return skip("not there yet")
    return ok(f"the database takes {size_text(size_bytes)}")


async def database_disk(deployment: Deployment) -> Finding:
    """Of a server on this machine; the file of SQLite lies in the data folder, which has a probe."""
    url = deployment.settings.store_url()
    if is_embedded(url):
        return skip("the file lies in the data folder")
    elsewhere = skip("the database is on another machine: watch its disk there")
    if make_url(url).host not in LOOPBACK:
        return elsewhere
    try:
        return room(shutil.disk_usage(await _ask(deployment, "SHOW data_directory")), "the database")
    except OSError:  # a container beside us has another tree of files
        return elsewhere


async def timescale(deployment: Deployment) -> Finding:
    if is_embedded(deployment.settings.store_url()):
        return skip("SQLite keeps plain tables")
    found = await _ask(deployment, "SELECT max(extversion) FROM pg_extension WHERE extname = 'timescaledb'")
    if found:
        return ok(f"TimescaleDB {found} is used")
    offered = await _ask(
        deployment, "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
    )
    if offered != "0":
        return warn(
            "TimescaleDB is offered and was not there when the tables were made",
            "day partitions do as well; to change over, migrate into a database that has the extension",
        )
    return ok("no TimescaleDB: native day partitions are used")


async def database_connections(deployment: Deployment) -> Finding:
    if is_embedded(deployment.settings.store_url()):
        return skip("SQLite has none")
    most = int(await _ask(deployment, "SHOW max_connections"))
    used = int(await _ask(deployment, "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL"))
    found = f"{used} of {most} connections of the server are taken"
    if used > most * _CROWDED_FRAC:
        return warn(found, "raise max_connections, or put a pooler in between: a process takes up to 10")
    return ok(found)


async def sqlite_health(deployment: Deployment) -> Finding:
    file = _file(deployment.settings.store_url())
    if file is None:
        return skip("the database is a server's")
    if not file.is_file():
        return skip("not there yet")
    try:
        journal, said = await asyncio.to_thread(_look_into, file)
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            return skip(f"the file is too large to be checked within {PROOF_S:g} s")
        raise StorageUnavailable(f"checking the file: {error}") from error
    except sqlite3.DatabaseError:
        journal, said = "", "no database"
    if said != "ok":
        return fail("the file is damaged", "stop the service and take the newest backup")
    if journal != "wal":
        return warn(
            f"the journal is {journal}, not wal", "nothing to do if it is new: the next start sets it"
        )
    return ok("the file is sound, and its journal is a write-ahead log")


def _look_into(file: Path) -> tuple[str, str]:
    """(journal, `ok` or what is wrong), read only. Raises: sqlite3.Error; `interrupted`: it takes long."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=2)
    ends_s = time.monotonic() + PROOF_S
    connection.set_progress_handler(lambda: time.monotonic() > ends_s, 10_000)
    try:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        connection.close()
    return journal, said


async def record_proof(deployment: Deployment) -> Finding:
    engine = await deployment.migrated_engine()
    try:
        async with asyncio.timeout(PROOF_S):
            report = await verify_record(engine)
    except TimeoutError:
        return skip(f"the record takes longer than {PROOF_S:g} s to walk: python -m app.store verify does it")
    if report.broken:
        chain, seq, why = report.broken[0]
        mend = "python -m app.store verify lists all; compare with a backup"
        return fail(f"the record is broken in {len(report.broken)} places, first {chain} {seq}: {why}", mend)
    return ok(f"{report.signals:,} signals and {report.outcomes:,} outcomes are as they were written")


async def _ask(deployment: Deployment, question: str) -> str:
    """One value as text, "" for none. Raises: NothingToCheck, StorageUnavailable."""
    engine = await deployment.engine()
    try:
        with storage_errors("asking the database"):
            async with engine.connect() as connection:
                found = await connection.scalar(text(question))
    except StorageUnavailable as error:
        if "may not do that" in str(error):
            raise NothingToCheck("the user of DATABASE_URL may not ask that") from error
        raise
    return "" if found is None else str(found)


async def _revision(engine: AsyncEngine) -> str | None:
    with storage_errors("asking the database"):
        async with engine.connect() as connection:
            return await revision_of(connection)


def _file(url: str) -> Path | None:
    return Path(make_url(url).database or "") if is_embedded(url) else None


PROBES = tuple(
    Probe(run.__name__, GROUP, run)
    for run in (
        database,
        database_schema,
        database_mode,
        database_write,
        database_latency,
        database_version,
        database_size,
        database_disk,
        timescale,
        database_connections,
        sqlite_health,
        record_proof,
    )
)
