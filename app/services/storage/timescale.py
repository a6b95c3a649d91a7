"""Everything TimescaleDB: whether it is there, hypertables, compression, dropping of old chunks.

The only module that knows the extension: migration 0002, retention and the layout shown by `status` call it.
One chunk is as wide as one native partition, and keys stay, so that writers need not know. Times stay plain
integers (ms or minutes), so every hypertable is told what "now" is in its own unit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.services.storage.layout import DAY_MS, MINUTE_MS, PARTS

# Queries read the last day and late rows arrive within hours; a chunk a week old is read whole if at all.
COMPRESS_AFTER_DAYS = 7

_IS_INSTALLED = "SELECT count(*) > 0 FROM pg_extension WHERE extname = 'timescaledb'"
# Creating the extension where its library was not loaded at the start of the server kills the connection;
# this setting exists only where it was.
_CAN_INSTALL = (
    "SELECT count(*) > 0 FROM pg_available_extensions WHERE name = 'timescaledb' "
    "AND current_setting('timescaledb.max_background_workers', true) IS NOT NULL"
)
_INSTALL = "CREATE EXTENSION IF NOT EXISTS timescaledb"
# Compression and policies are missing from the build under the Apache licence that some hosts offer.
_CAN_COMPRESS = "SELECT coalesce(current_setting('timescaledb.license', true), '') = 'timescale'"
_IS_HYPERTABLE = (
    "SELECT count(*) > 0 FROM timescaledb_information.hypertables "
    "WHERE hypertable_schema = current_schema() AND hypertable_name = $1"
)
_NOW_FUNCTION = {1: "store_now_ms", MINUTE_MS: "store_now_min"}


def prepare(connection: Connection) -> bool:
    """Is the extension usable in this database? Created where the server offers it and lets us."""
    if connection.scalar(text(_IS_INSTALLED)):
        return True
    if not connection.scalar(text(_CAN_INSTALL)):
        return False
    try:
        with connection.begin_nested():
            connection.execute(text(_INSTALL))
    except DBAPIError:  # not allowed to: native partitions do as well
        return False
    return True


def can_compress(connection: Connection) -> bool:
    return bool(connection.scalar(text(_CAN_COMPRESS)))


def now_functions() -> tuple[str, ...]:
    """SQL of integer clocks, for hypertables whose time is not a timestamp."""
    return tuple(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS bigint LANGUAGE sql STABLE AS "
        f"$$ SELECT floor(extract(epoch FROM now()) * 1000 / {unit_ms})::bigint $$"
        for unit_ms, name in _NOW_FUNCTION.items()
    )


def drop_now_functions() -> tuple[str, ...]:
    return tuple(f"DROP FUNCTION IF EXISTS {name}()" for name in _NOW_FUNCTION.values())


def hypertable(table: str, *, is_compressed: bool) -> tuple[str, ...]:
    """SQL that turns a plain table into a hypertable, its rows included.

    Chunks older than a week are compressed: after 604,800,000 ms, or 10,080 minutes for tiles.
    """
    part = PARTS[table]
    statements = (
        f"SELECT create_hypertable('{table}', '{part.column}', chunk_time_interval => {part.width}::bigint, "
        "create_default_indexes => false, migrate_data => true)",
        f"SELECT set_integer_now_func('{table}', '{_NOW_FUNCTION[part.unit_ms]}')",
    )
    if not is_compressed:
        return statements
    after = COMPRESS_AFTER_DAYS * DAY_MS // part.unit_ms
    return (
        *statements,
        f"ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol', "
        f"timescaledb.compress_orderby = '{part.column}')",
        f"SELECT add_compression_policy('{table}', compress_after => {after}::bigint)",
    )


async def is_hypertable(driver: Any, table: str) -> bool:
    """Asked on a connection of asyncpg."""
    if not await driver.fetchval(_IS_INSTALLED):
        return False
    return bool(await driver.fetchval(_IS_HYPERTABLE, table))


async def drop_before(driver: Any, table: str, cutoff: int) -> int:
    """Drop the chunks that end at or before `cutoff`, in the unit of the time column; how many rows went."""
    older = f"SELECT count(*) FROM {table} WHERE {PARTS[table].column} < {cutoff}"
    before = await driver.fetchval(older)
    await driver.execute(f"SELECT drop_chunks('{table}', older_than => {cutoff}::bigint)")
    return int(before - await driver.fetchval(older))
