"""Probes of database, Redis and worker on real servers: whole, behind, damaged, read-only, gone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from app import doctor_database
from app.core.clock import ManualClock
from app.doctor_run import Finding, Status
from app.services.bus.warm import RedisWarmCache
from app.services.storage.engine import open_engine
from app.services.storage.schema import ensure_schema
from app.services.storage.signal_rows import SIGNAL_END_KEY
from app.services.storage.state import SqlState
from app.services.storage.tables import worker_state
from app.services.storage.warm import StoreWarmCache
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.transport.redis_link import RedisLink
from tests.bus_rig import Bus, frames, publish
from tests.doctor_rig import deployment, finding, rows
from tests.flow_facts import NOW_MS, report
from tests.live_rig import closed_port
from tests.services.storage.conftest import database_url, new_postgres, postgres, postgres_template
from tests.services.transport.conftest import RedisServer, own_redis, redis_process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["database_url", "new_postgres", "own_redis", "postgres", "postgres_template", "redis_process"]

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP
DATABASE = tuple(probe.name for probe in doctor_database.PROBES)
REDIS = ("redis", "redis_latency", "redis_write", "redis_version", "redis_memory", "redis_persistence")
OF_SERVERS = {"database_disk", "timescale", "database_connections"}


async def found(settings: Mapping[str, str], *names: str, **more: object) -> dict[str, Finding]:
    given = deployment(settings, **more)
    return {row.name: row.finding for row in await rows(given, *names)}


def statuses(told: Mapping[str, Finding]) -> dict[str, Status]:
    return {name: one.status for name, one in told.items()}


async def test_a_migrated_database_is_good_in_every_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two cores full of tests are no slow database.
    monkeypatch.setattr(doctor_database, "WARN_LATENCY_MS", 5_000.0)
    told = await found({"DATABASE_URL": database_url}, *DATABASE)
    skipped = OF_SERVERS if database_url.startswith("sqlite") else {"sqlite_health"}
    wanted = {name: SKIP if name in skipped else OK for name in DATABASE}
    assert statuses(told) == wanted, told
    assert "0 signals" in told["record_proof"].detail


async def test_looking_leaves_nothing_behind(database_url: str) -> None:
    await found({"DATABASE_URL": database_url}, *DATABASE)
    engine = open_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM worker_state")) == 0
    await engine.dispose()


async def test_a_database_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    told = await found({"DATABASE_URL": f"sqlite:///{tmp_path}/data/signals.db"}, *DATABASE)
    assert set(statuses(told).values()) == {OK, SKIP}
    assert "the first start makes it" in told["database"].detail
    assert os.listdir(tmp_path) == []


async def test_a_server_behind_on_migrations_fails_and_names_the_command(
    new_postgres: Callable[[], str],
) -> None:
    told = await found({"DATABASE_URL": new_postgres()}, "database_schema", "database_write", "record_proof")
    assert (told["database_schema"].status, told["database_schema"].mend) == (FAIL, "make migrate")
    assert {told["database_write"].status, told["record_proof"].status} == {SKIP}


async def test_an_older_file_is_brought_up_by_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        made.execute("INSERT INTO alembic_version VALUES ('0003')")
    made.close()
    older = await finding("database_schema", {"DATABASE_URL": f"sqlite:///{file}"})
    with sqlite3.connect(file) as made:
        made.execute("UPDATE alembic_version SET version_num = '9999'")
    made.close()
    newer = await finding("database_schema", {"DATABASE_URL": f"sqlite:///{file}"})
    assert (older.status, newer.status) == (OK, FAIL)
    assert "newer" in newer.detail


async def test_a_server_that_is_gone_fails_once_and_the_rest_is_skipped() -> None:
    url = f"postgresql://app:Zr8kLw3pQx@127.0.0.1:{closed_port()}/signals"
    told = await found({"DATABASE_URL": url}, *DATABASE)
    assert {name for name, one in told.items() if one.status is FAIL} == {"database"}
    assert {one.status for name, one in told.items() if name != "database"} == {SKIP}
    assert "refuses the connection" in told["database"].detail


async def test_offline_no_other_machine_is_asked() -> None:
    settings = {"DATABASE_URL": "postgresql://a:Zr8kLw3pQx@db.invalid/x", "REDIS_URL": "redis://r.invalid/0"}
    told = await found(settings, "database", "redis", is_offline=True)
    assert told == dict.fromkeys(("database", "redis"), Finding(SKIP, "not asked: --offline"))


async def test_a_database_of_another_mode_is_told(database_url: str) -> None:
    engine = open_engine(database_url)
    embedded = database_url.startswith("sqlite")
    await ensure_schema(engine, embedded=embedded, data_mode="demo", now_ms=1)
    await engine.dispose()
    wrong = await finding("database_mode", {"DATABASE_URL": database_url})
    right = await finding("database_mode", {"DATABASE_URL": database_url, "DATA_MODE": "demo"})
    assert (wrong.status, right.status) == (FAIL, OK)


async def test_a_locked_file_takes_no_row(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/signals.db"
    engine = open_engine(url)
    await ensure_schema(engine, embedded=True, data_mode="live", now_ms=1)
    await engine.dispose()
    locking = sqlite3.connect(tmp_path / "signals.db", isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    told = await found({"DATABASE_URL": url}, "database_write", "database", "sqlite_health")
    locking.execute("ROLLBACK")
    locking.close()
    assert statuses(told) == {"database": OK, "database_write": FAIL, "sqlite_health": OK}
    assert "database is locked" in told["database_write"].detail


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE t (a TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 200,)] * 500)
    made.close()
    whole = bytearray(file.read_bytes())
    plain = await finding("sqlite_health", {"DATABASE_URL": f"sqlite:///{file}"})
    whole[5_000:60_000] = bytes(55_000)
    file.write_bytes(whole)
    damaged = await finding("sqlite_health", {"DATABASE_URL": f"sqlite:///{file}"})
    file.write_bytes(b"no database at all" * 99)
    other = await finding("sqlite_health", {"DATABASE_URL": f"sqlite:///{file}"})
    assert (plain.status, damaged.status, other.status) == (WARN, FAIL, FAIL)
    assert "not wal" in plain.detail


async def test_a_file_too_large_to_be_checked_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signals.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE t (a TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 200,)] * 20_000)
    made.close()
    monkeypatch.setattr(doctor_database, "PROOF_S", -1.0)
    told = await finding("sqlite_health", {"DATABASE_URL": f"sqlite:///{file}"})
    assert (told.status, "too large" in told.detail) == (SKIP, True)


async def test_a_record_that_was_cut_off_is_told(database_url: str) -> None:
    """A noted end of a chain of which no row is left."""
    engine = open_engine(database_url)
    end = {"key": f"{SIGNAL_END_KEY}lost", "value": "4:00", "ts_init_ms": 1}
    async with engine.begin() as connection:
        await connection.execute(worker_state.insert().values(end))
    await engine.dispose()
    told = await finding("record_proof", {"DATABASE_URL": database_url})
    assert told.status is FAIL
    assert "are gone" in told.detail


@pytest.mark.parametrize(("took", "status"), [(0.0, FAIL), (1e-9, WARN)])
async def test_a_slow_database_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took: float, status: Status
) -> None:
    """Limits that nothing is quick enough for, in place of a slow server."""
    sqlite3.connect(tmp_path / "signals.db").close()
    monkeypatch.setattr(doctor_database, "WARN_LATENCY_MS", 0.0)
    monkeypatch.setattr(doctor_database, "FAIL_LATENCY_MS", 0.0 if took == 0 else 1e9)
    told = await finding("database_latency", {"DATABASE_URL": f"sqlite:///{tmp_path}/signals.db"})
    assert told.status is status


async def test_a_good_redis_is_good_in_every_way_and_keeps_nothing(redis_process: RedisServer) -> None:
    told = await found({"REDIS_URL": redis_process.url}, *REDIS)
    client = Redis.from_url(redis_process.url)
    left = [key async for key in client.scan_iter(match="*doctor*")]
    await client.aclose()
    assert set(statuses(told).values()) == {OK}, told
    assert left == []


async def test_without_redis_there_is_nothing_to_check() -> None:
    told = await found({}, *REDIS, "redis_streams")
    assert set(statuses(told).values()) == {SKIP}


async def test_a_dead_redis_fails_once_and_the_rest_is_skipped() -> None:
    told = await found({"REDIS_URL": f"redis://127.0.0.1:{closed_port()}/0"}, *REDIS, "worker")
    assert {name for name, one in told.items() if one.status is FAIL} == {"redis"}
    assert {one.status for name, one in told.items() if name != "redis"} == {SKIP}


async def test_a_redis_that_is_kept_badly_is_told(own_redis: RedisServer) -> None:
    client = Redis.from_url(own_redis.url)
    await client.config_set("maxmemory", "100mb")
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.config_set("min-replicas-to-write", "1")  # it takes no write any more
    told = await found({"REDIS_URL": own_redis.url}, *REDIS)
    await client.config_set("maxmemory-policy", "noeviction")
    await client.config_set("maxmemory", "1")
    full = await found({"REDIS_URL": own_redis.url}, "redis_memory")
    await client.aclose()
    assert told["redis_write"].status is FAIL
    assert told["redis_memory"].status is WARN
    assert "allkeys-lru" in told["redis_memory"].detail
    assert "of maxmemory is used" in full["redis_memory"].detail


async def test_a_slow_or_old_redis_is_told(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.doctor_redis.OLDEST", (99, 0))
    settings = {"REDIS_URL": redis_process.url, "REDIS_TIMEOUT_SECONDS": "0.000001"}
    told = await found(settings, "redis_version", "redis_latency")
    assert statuses(told) == {"redis_version": WARN, "redis_latency": FAIL}


async def test_roles_that_share_a_redis_are_seen_with_how_far_they_are(own_redis: RedisServer) -> None:
    settings = {"REDIS_URL": own_redis.url}
    before = await found(settings, "redis_streams")
    bus = Bus(own_redis, "ingest", prefix="signals:live:bus:")
    await publish(bus, frames(0, 4))
    await bus.link.aclose()
    after = await found(settings, "redis_streams", "redis_persistence")
    assert (before["redis_streams"].status, after["redis_streams"].status) == (SKIP, OK)
    assert after["redis_persistence"].status is WARN
    client = Redis.from_url(own_redis.url)
    await client.config_set("appendonly", "yes")
    assert (await finding("redis_persistence", settings)).status is OK
    await client.aclose()


@pytest.mark.parametrize(("age_s", "status"), [(2, OK), (200, FAIL), (None, WARN)])
async def test_a_worker_speaks_over_redis(own_redis: RedisServer, age_s: int | None, status: Status) -> None:
    clock = ManualClock(NOW_MS)
    link = RedisLink(own_redis.url, timeout_s=5.0)
    memory = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    warm = RedisWarmCache(
        link, prefix="signals:live:", memory=memory, now_ms=clock.now_ms, monotonic=clock.monotonic_s
    )
    if age_s is not None:
        board = StatusBoard(warm, now_ms=clock.now_ms)
        await board.put(report("all-1", as_of_ms=NOW_MS - age_s * 1000))
    await link.aclose()
    told = await found({"REDIS_URL": own_redis.url}, "worker", "worker_alarms", clock=clock)
    assert told["worker"].status is status
    assert told["worker_alarms"].status is (WARN if status is OK else SKIP)


async def test_a_worker_speaks_in_the_database(tmp_path: Path) -> None:
    clock, url = ManualClock(NOW_MS), f"sqlite:///{tmp_path}/signals.db"
    engine = open_engine(url)
    await ensure_schema(engine, embedded=True, data_mode="live", now_ms=NOW_MS)
    state = SqlState(engine, now_ms=clock.now_ms)
    memory = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    warm = StoreWarmCache(state, memory=memory, now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    silent = await finding("worker", {"DATABASE_URL": url}, clock=clock)
    await StatusBoard(warm, now_ms=clock.now_ms).put(report("all-7"))
    await engine.dispose()
    told = await finding("worker", {"DATABASE_URL": url}, clock=clock)
    inside = await finding("worker", {"DATABASE_URL": url, "WORKER": "embedded"}, clock=clock)
    assert (silent.status, told.status, inside.status) == (WARN, OK, SKIP)
    assert "all-7" in told.detail
