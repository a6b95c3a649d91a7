"""The watchlist's third state: a coin of the configuration that was removed; and when a coin was added.

The table is made anew with its rows in it: a new column of SQLite would need a default, which this schema has
nowhere. Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# No table goes. A removed coin becomes one that is switched off: it is still not followed.
DROPPED_ON_DOWNGRADE = ()


def upgrade() -> None:
    _remake(
        [
            sa.Column("symbol", sa.Text, nullable=False),
            sa.Column("is_on", sa.Boolean, nullable=False),
            sa.Column("is_removed", sa.Boolean, nullable=False),
            sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
            sa.Column("added_ms", sa.BigInteger, nullable=False, autoincrement=False),
            sa.Column("ts_init_ms", sa.BigInteger, nullable=False, autoincrement=False),
        ],
        # When it was last written is the nearest there is.
        "SELECT symbol, is_on, false AS is_removed, position, ts_init_ms AS added_ms, ts_init_ms "
        "FROM watchlist",
    )


def downgrade() -> None:
    _remake(
        [
            sa.Column("symbol", sa.Text, nullable=False),
            sa.Column("is_on", sa.Boolean, nullable=False),
            sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
            sa.Column("ts_init_ms", sa.BigInteger, nullable=False, autoincrement=False),
        ],
        "SELECT symbol, is_on, position, ts_init_ms FROM watchlist",
    )


def _remake(columns: list[sa.Column], rows: str) -> None:
    """A few hundred rows at most, so they are held meanwhile."""
    kept = [dict(row) for row in op.get_bind().execute(sa.text(rows)).mappings()]
    op.drop_table("watchlist")
    key = sa.PrimaryKeyConstraint("symbol", name="watchlist_pk")
    table = op.create_table("watchlist", *columns, key, sqlite_with_rowid=False)
    for row in kept:
        row["is_on"] = bool(row["is_on"])
        if "is_removed" in row:
            row["is_removed"] = bool(row["is_removed"])
    op.bulk_insert(table, kept)
