"""Migrations keep every row in both directions, and end at the schema that the code expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.errors import StorageRefused, StorageUnavailable
from app.migrate import downgrade, known_revisions, upgrade
from app.services.storage import schema, tables
from app.services.storage.engine import is_embedded, open_engine
from app.services.storage.layout import DAY_MS, PARTS
from app.services.storage.schema import Layout, layout_of
from tests.services.storage.plain_rows import FIRST_TABLES, TIMES, every_row, insert_rows

YEAR_MS = 365 * DAY_MS


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url, statement_timeout_s=None)
    try:
        yield engine
    finally:
        await engine.dispose()


async def server_now_ms(connection: AsyncConnection) -> int:
    statement = "SELECT floor(extract(epoch FROM now()) * 1000)::bigint"
    if connection.dialect.name == "sqlite":
        statement = "SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000"
    found: int = (await connection.execute(text(statement))).scalar_one()
    return found


async def fill(connection: AsyncConnection) -> None:
    """Every table: five years of history, both edges of a part, before 1970, the year 2100 and 11000."""
    now_ms = await server_now_ms(connection)
    odd = [-1, 4_102_444_800_000, 285_000_000_000_000]
    recent = [now_ms - days * DAY_MS for days in (0, 1, 2, 29, 30, 31, 400, 5 * 365)]
    midnight = now_ms - now_ms % DAY_MS
    for table in FIRST_TABLES:
        unit_ms = PARTS[table.name].unit_ms if table.name in PARTS else 1
        times = [time // unit_ms for time in (*odd, *recent, midnight, midnight - 1)]
        await insert_rows(connection, table, times)


async def layouts(connection: AsyncConnection) -> set[Layout]:
    return {await layout_of(connection, table) for table in tables.TIME_COLUMN}


async def test_rows_survive_the_upgrade_and_the_way_back(empty_url: str) -> None:
    async with opened(empty_url) as engine:
        await upgrade(engine, "0001")
        async with engine.begin() as connection:
            await fill(connection)
            before = await every_row(connection)
            assert await layouts(connection) == {Layout.PLAIN}
        assert {name for name, rows in before.items() if len(rows) == 13} == {
            table.name for table in FIRST_TABLES
        }

        await upgrade(engine)
        async with engine.connect() as connection:
            assert await every_row(connection) == before
            expected = Layout.PLAIN if is_embedded(empty_url) else Layout.PARTITIONED
            assert await layouts(connection) == {expected}

        await downgrade(engine, "0001")
        async with engine.connect() as connection:
            assert await every_row(connection) == before
            assert await layouts(connection) == {Layout.PLAIN}

        await upgrade(engine)
        async with engine.connect() as connection:
            assert await every_row(connection) == before


async def test_rows_go_to_the_part_of_their_time_and_far_times_to_the_rest(
    new_postgres: Callable[[], str],
) -> None:
    async with opened(new_postgres()) as engine:
        await upgrade(engine, "0001")
        async with engine.begin() as connection:
            await fill(connection)
            now_ms = await server_now_ms(connection)
        await upgrade(engine)
        async with engine.connect() as connection:
            part = PARTS["liquidations"]
            found = await connection.execute(
                text("SELECT tableoid::regclass::text, ts_event_ms FROM liquidations ORDER BY 2")
            )
            for name, time in found:
                is_far = not part.placeable([part.index(time)], now_ms)
                own = part.name("liquidations", part.index(time)) if not is_far else "liquidations_rest"
                assert name == own
            bars = await connection.scalar(text("SELECT count(*) FROM price_ohlc_rest"))
            assert bars == 3  # the odd ones: five years ago has its own part of 30 days


async def test_the_key_still_refuses_a_row_twice(database_url: str) -> None:
    async with opened(database_url) as engine, engine.begin() as connection:
        for name in TIMES:
            await insert_rows(connection, tables.metadata.tables[name], [60_000], is_old=False)
            with pytest.raises(IntegrityError):
                async with connection.begin_nested():
                    await insert_rows(connection, tables.metadata.tables[name], [60_000], is_old=False)
            statement = f"INSERT INTO {name} SELECT * FROM {name} WHERE true ON CONFLICT DO NOTHING"  # noqa: S608
            assert (await connection.execute(text(statement))).rowcount == 0


async def test_down_to_base_leaves_nothing_and_up_again_works(database_url: str) -> None:
    async with opened(database_url) as engine:
        await downgrade(engine, "base")
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            assert names == ["alembic_version"]
        await upgrade(engine)
        async with engine.connect() as connection:
            assert await schema.revision_of(connection) == tables.HEAD


async def test_two_upgrades_at_once_are_one(empty_url: str) -> None:
    async with opened(empty_url) as one, opened(empty_url) as other:
        # The file's journal is switched to WAL on first contact; that is not what is tested here.
        async with one.connect():
            pass
        await asyncio.gather(upgrade(one), upgrade(other))
        async with one.connect() as connection:
            assert await schema.revision_of(connection) == tables.HEAD


async def test_a_failing_migration_leaves_everything_as_it_was(empty_url: str) -> None:
    async with opened(empty_url) as engine:
        async with engine.begin() as connection:
            # In the way of the last table but one of 0001.
            await connection.execute(text("CREATE TABLE chat_settings (x INTEGER)"))
        with pytest.raises((StorageUnavailable, StorageRefused)):
            await upgrade(engine)
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            assert names == ["chat_settings"]


async def test_a_revision_of_a_newer_version_is_refused(database_url: str) -> None:
    async with opened(database_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
        for run in (upgrade(engine), downgrade(engine, "0001")):
            with pytest.raises(StorageRefused, match="newer version"):
                await run


def test_the_newest_revision_is_the_one_the_tables_are_at() -> None:
    assert known_revisions() == (tables.HEAD, *reversed(schema.OLDER))


def shape(connection: Connection) -> dict[str, Any]:
    """All that a difference could hide in: columns in order, types, NULLs, defaults, keys, indexes."""
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for name in tables.metadata.tables:
        columns = [
            (column["name"], repr(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(name)
        ]
        key = inspector.get_pk_constraint(name)
        indexes = [
            (index["name"], tuple(index["column_names"]), bool(index["unique"]))
            for index in inspector.get_indexes(name)
        ]
        found[name] = (columns, key["name"], tuple(key["constrained_columns"]), sorted(indexes))
    if connection.dialect.name == "sqlite":
        statement = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        found["sql"] = {name: " ".join(sql.split()) for name, sql in connection.execute(text(statement))}
    return found


async def test_migrating_and_making_all_tables_at_once_come_to_the_same(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made_url = f"sqlite:///{tmp_path / 'made.db'}"
    if not is_embedded(database_url):
        made_url = request.getfixturevalue("new_postgres")()
    async with opened(made_url) as made, opened(database_url) as migrated:
        async with made.begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
            expected = await connection.run_sync(shape)
        async with migrated.connect() as connection:
            assert await connection.run_sync(shape) == expected


async def test_outcomes_of_evaluations_come_in_a_new_shape_and_go_back_to_the_old_one(empty_url: str) -> None:
    async def columns(engine: AsyncEngine) -> list[str]:
        async with engine.connect() as connection:
            found = await connection.run_sync(lambda sync: inspect(sync).get_columns("signal_outcomes"))
        return [str(column["name"]) for column in found]

    async with opened(empty_url) as engine:
        await upgrade(engine, "0004")
        old = await columns(engine)
        assert old[:2] == ["signal_id", "horizon"]
        await upgrade(engine)
        assert await columns(engine) == ["trade_id", *tables.alert_outcomes.columns.keys()[1:]]
        await downgrade(engine, "0004")
        assert await columns(engine) == old
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert not {"evaluation_hours", "outcome_ledger"} & {*names}


async def test_coins_keep_their_switch_and_a_removed_one_is_off_on_the_way_back(empty_url: str) -> None:
    async with opened(empty_url) as engine:
        await upgrade(engine, "0005")
        async with engine.begin() as connection:
            rows = "('DOGE', true, 0, 1700000000000), ('ETH', false, 1, 1700000000001)"
            await connection.execute(text(f"INSERT INTO watchlist VALUES {rows}"))  # noqa: S608
        await upgrade(engine)
        async with engine.begin() as connection:
            found = (await connection.execute(select(tables.watchlist).order_by("position"))).all()
            assert [tuple(row) for row in found] == [
                ("DOGE", True, False, 0, 1_700_000_000_000, 1_700_000_000_000),
                ("ETH", False, False, 1, 1_700_000_000_001, 1_700_000_000_001),
            ]
            removed = {"symbol": "BTC", "is_on": False, "is_removed": True, "position": 2}
            await connection.execute(tables.watchlist.insert(), removed | {"added_ms": 1, "ts_init_ms": 2})
        await downgrade(engine, "0005")
        async with engine.connect() as connection:
            found = (
                await connection.execute(text("SELECT symbol, is_on FROM watchlist ORDER BY position"))
            ).all()
            assert [(row[0], bool(row[1])) for row in found] == [
                ("DOGE", True),
                ("ETH", False),
                ("BTC", False),
            ]
