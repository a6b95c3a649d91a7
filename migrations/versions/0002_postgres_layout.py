"""PostgreSQL: the bulk tables are cut by time, their rows kept. SQLite: nothing to do.

With TimescaleDB they become hypertables, without it native partitions; the SQL of both is that of the modules
that run them every day, because names and bounds must be what those expect. The list of tables is of today.
The tables are locked until the end: run it with the service stopped. It needs their size once more on disk.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.services.storage import timescale
from app.services.storage.layout import PARTS, partition_statements, rest_of

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEYS = {
    "price_ohlc": "symbol, interval, close_ms, exchange",
    "futures_oi_ohlc": "symbol, interval, close_ms, exchange",
    "funding_rate": "symbol, interval, close_ms, exchange",
    "long_short_ratio": "symbol, scope, interval, close_ms, exchange",
    "taker_volume": "symbol, interval, close_ms, exchange",
    "liquidations": "symbol, ts_event_ms, id",
    "liquidation_heatmap": "symbol, ts_min, bucket",
    "composite_heatmap": "symbol, ts_min, bucket",
}
# All in one transaction, and each part locks four things of about 6,400: older rows stay in the rest.
MAX_PARTS = 150


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    if timescale.prepare(connection):
        _run(timescale.now_functions())
        is_compressed = timescale.can_compress(connection)
        for table in KEYS:
            _run(timescale.hypertable(table, is_compressed=is_compressed))
        return
    for table in KEYS:
        _partition(connection, table)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in KEYS:
        _flatten(table)
    _run(timescale.drop_now_functions())


def _partition(connection: sa.Connection, table: str) -> None:
    plain, part = f"{table}_plain", PARTS[table]
    _run(
        (
            f"ALTER TABLE {table} RENAME TO {plain}",
            f"ALTER TABLE {plain} RENAME CONSTRAINT {table}_pk TO {plain}_pk",
            f"CREATE TABLE {table} (LIKE {plain} INCLUDING DEFAULTS) PARTITION BY RANGE ({part.column})",
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_pk PRIMARY KEY ({KEYS[table]})",
            f"CREATE TABLE {rest_of(table)} PARTITION OF {table} DEFAULT",
        )
    )
    found = connection.execute(
        sa.text(f"SELECT DISTINCT div({part.column}::numeric, {part.width})::bigint FROM {plain}")
    )
    now_ms = connection.scalar(sa.text("SELECT floor(extract(epoch FROM now()) * 1000)::bigint"))
    indexes = part.placeable((row[0] for row in found), now_ms)
    for index in sorted(indexes)[-MAX_PARTS:]:
        _run(partition_statements(table, index))
    _run((f"INSERT INTO {table} SELECT * FROM {plain}", f"DROP TABLE {plain}"))


def _flatten(table: str) -> None:
    """Either layout back to one plain table."""
    plain = f"{table}_plain"
    _run(
        (
            f"CREATE TABLE {plain} (LIKE {table} INCLUDING DEFAULTS)",
            f"INSERT INTO {plain} SELECT * FROM {table}",
            f"DROP TABLE {table} CASCADE",
            f"ALTER TABLE {plain} RENAME TO {table}",
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_pk PRIMARY KEY ({KEYS[table]})",
        )
    )


def _run(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.execute(sa.text(statement))
