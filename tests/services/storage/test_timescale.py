"""The TimescaleDB branch against a stand-in: an extension of the same name whose functions note their calls.

The stand-in proves which calls are made, with which arguments, in which order; it proves nothing about the
real extension, which no test machine has.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.migrate import downgrade, upgrade
from app.services.storage import tables
from app.services.storage.engine import open_engine
from app.services.storage.layout import DAY_MS, PARTS, PartitionBook
from app.services.storage.retention import Keep, apply_retention
from app.services.storage.schema import Layout, layout_of
from tests.services.storage.plain_rows import FIRST_TABLES, every_row, insert_rows, times_of

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

NOW_MS = 1_764_892_800_000
_CONTROL = "comment = 'stand-in'\ndefault_version = '1'\nrelocatable = false\nschema = public\n"
_SCRIPT = """
CREATE TABLE calls (n serial, what text);
CREATE SCHEMA timescaledb_information;
CREATE TABLE timescaledb_information.hypertables (hypertable_schema text, hypertable_name text);
CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, chunk_time_interval bigint,
    create_default_indexes boolean, migrate_data boolean) RETURNS void LANGUAGE sql AS $$
  INSERT INTO calls (what) VALUES (format('create_hypertable %s %s %s %s %s', $1, $2, $3, $4, $5));
  INSERT INTO timescaledb_information.hypertables VALUES (current_schema(), $1::text);
$$;
CREATE FUNCTION set_integer_now_func(hypertable regclass, integer_now_func regproc) RETURNS void
  LANGUAGE sql AS $$ INSERT INTO calls (what) VALUES (format('set_integer_now_func %s %s', $1, $2)) $$;
CREATE FUNCTION add_compression_policy(hypertable regclass, compress_after bigint) RETURNS void
  LANGUAGE sql AS $$ INSERT INTO calls (what) VALUES (format('add_compression_policy %s %s', $1, $2)) $$;
CREATE FUNCTION drop_chunks(relation regclass, older_than bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO calls (what) VALUES (format('drop_chunks %s %s', $1, $2));
  IF $1::text = 'liquidations' THEN DELETE FROM liquidations WHERE ts_event_ms < $2 - $2 % 86400000; END IF;
END $$;
"""


@pytest.fixture(scope="module")
def extension_folder(postgres: PostgresServer) -> Iterator[Callable[[str], Path]]:
    """Makes a folder with an extension `timescaledb` that runs the given script when it is created."""
    made: list[Path] = []

    def make(script: str) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="extension-"))
        made.append(folder)
        (folder / "extension").mkdir()
        (folder / "extension" / "timescaledb.control").write_text(_CONTROL)
        (folder / "extension" / "timescaledb--1.sql").write_text(script)
        for path in (folder, folder / "extension", *(folder / "extension").iterdir()):
            os.chmod(path, 0o755)  # noqa: S103 - the server runs as another user
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
async def offering(
    postgres: PostgresServer, new_postgres: Callable[[], str], extension_folder: Callable[[str], Path]
) -> AsyncIterator[Callable[..., AsyncEngine]]:
    """Opens an empty database on a server that offers the stand-in."""
    engines: list[AsyncEngine] = []

    def make(*, is_loaded: bool = True, licence: str = "timescale", script: str = _SCRIPT) -> AsyncEngine:
        url = new_postgres()
        name = url.rpartition("/")[2]
        folder = extension_folder(script)
        settings = {"extension_control_path": f"{folder}:$system", "timescaledb.license": licence}
        if is_loaded:
            settings["timescaledb.max_background_workers"] = "16"
        postgres.psql(*(f"ALTER DATABASE {name} SET {key} = '{value}'" for key, value in settings.items()))
        engines.append(open_engine(url, statement_timeout_s=None))
        event.listen(engines[-1].sync_engine, "before_cursor_execute", _note_storage_options, retval=True)
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()


def _note_storage_options(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object
) -> tuple[str, Any]:
    """A plain server knows no `timescaledb.` options of tables, and those cannot be stood in for."""
    if statement.startswith("ALTER TABLE") and "SET (timescaledb." in statement:
        statement = f"INSERT INTO calls (what) VALUES ($${statement}$$)"  # noqa: S608
    return statement, parameters


async def calls(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT what FROM calls ORDER BY n")))


async def layouts(engine: AsyncEngine) -> set[Layout]:
    async with engine.connect() as connection:
        return {await layout_of(connection, table) for table in tables.TIME_COLUMN}


async def test_each_bulk_table_becomes_a_compressed_hypertable(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering()
    await upgrade(engine)
    made = await calls(engine)
    assert await layouts(engine) == {Layout.TIMESCALE}
    assert len(made) == 4 * len(PARTS)
    assert made[:4] == [
        "create_hypertable price_ohlc close_ms 2592000000 f t",
        "set_integer_now_func price_ohlc store_now_ms",
        "ALTER TABLE price_ohlc SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol', "
        "timescaledb.compress_orderby = 'close_ms')",
        "add_compression_policy price_ohlc 604800000",
    ]
    assert {
        "create_hypertable liquidations ts_event_ms 86400000 f t",
        "create_hypertable liquidation_heatmap ts_min 1440 f t",
        "set_integer_now_func liquidation_heatmap store_now_min",
        "add_compression_policy composite_heatmap 10080",
    } <= set(made)


async def test_the_integer_clocks_tell_ms_and_minutes(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering()
    await upgrade(engine)
    async with engine.connect() as connection:
        ms, minutes, now_s = (
            await connection.execute(
                text("SELECT store_now_ms(), store_now_min(), extract(epoch FROM now())")
            )
        ).one()
    assert ms == int(now_s * 1000)
    assert minutes == ms // 60_000


async def test_rows_survive_both_ways(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering()
    await upgrade(engine, "0001")
    async with engine.begin() as connection:
        for table in FIRST_TABLES:
            await insert_rows(connection, table, [5, NOW_MS])
        before = await every_row(connection)
    await upgrade(engine)
    async with engine.connect() as connection:
        assert await every_row(connection) == before
    await downgrade(engine, "0001")
    async with engine.connect() as connection:
        assert await every_row(connection) == before
        assert await connection.scalar(text("SELECT count(*) FROM pg_proc WHERE proname ~ '^store_now'")) == 0


async def test_no_native_parts_are_made_of_a_hypertable(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering()
    await upgrade(engine)
    async with engine.connect() as connection:
        await PartitionBook(lambda: NOW_MS).ensure(connection, "liquidations", [NOW_MS])
        assert await connection.scalar(text("SELECT count(*) FROM pg_inherits")) == 0


async def test_retention_drops_chunks_in_the_unit_of_each_table(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering()
    await upgrade(engine)
    cut = NOW_MS - 90 * DAY_MS
    async with engine.begin() as connection:
        await insert_rows(connection, tables.liquidations, [5, cut - 1, cut, NOW_MS])
        await connection.execute(text("TRUNCATE calls"))
    assert (await apply_retention(engine, Keep(), NOW_MS))["liquidations"] == 2
    async with engine.connect() as connection:
        assert await times_of(connection, tables.liquidations) == [cut, NOW_MS]
    made = await calls(engine)
    assert len(made) == len(PARTS)
    assert {
        f"drop_chunks liquidations {cut}",
        f"drop_chunks liquidation_heatmap {(NOW_MS - 30 * DAY_MS) // 60_000}",
    } <= set(made)


async def test_a_licence_without_compression_does_without(offering: Callable[..., AsyncEngine]) -> None:
    engine = offering(licence="apache")
    await upgrade(engine)
    assert {line.split()[0] for line in await calls(engine)} == {"create_hypertable", "set_integer_now_func"}


async def test_an_extension_that_the_server_did_not_load_is_left_alone(
    offering: Callable[..., AsyncEngine],
) -> None:
    engine = offering(is_loaded=False)
    await upgrade(engine)
    assert await layouts(engine) == {Layout.PARTITIONED}


async def test_an_extension_that_cannot_be_created_is_done_without(
    offering: Callable[..., AsyncEngine],
) -> None:
    engine = offering(script="SELECT 1 / 0;")
    await upgrade(engine)
    assert await layouts(engine) == {Layout.PARTITIONED}


async def test_a_plain_server_gets_native_parts(new_postgres: Callable[[], str]) -> None:
    engine = open_engine(new_postgres())
    await upgrade(engine)
    assert await layouts(engine) == {Layout.PARTITIONED}
    await engine.dispose()


def test_no_other_module_knows_the_extension() -> None:
    root = Path(__file__).resolve().parents[3]
    words = ("timescaledb", "create_hypertable", "drop_chunks")
    knowing = {
        path.relative_to(root).as_posix()
        for folder in ("app", "migrations")
        for path in (root / folder).rglob("*.py")
        if any(word in path.read_text("utf-8").lower() for word in words)
    }
    assert knowing == {
        "app/doctor_database.py",  # says whether it is used
        "app/services/storage/timescale.py",
        "migrations/versions/0002_postgres_layout.py",
    }
