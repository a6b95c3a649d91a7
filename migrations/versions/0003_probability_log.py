"""The log of published probabilities, plain on both databases.

Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# With all rows; the command counts them before it does.
DROPPED_ON_DOWNGRADE = ("probability_log",)


def upgrade() -> None:
    op.create_table(
        "probability_log",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("horizon_h", sa.Double, nullable=False),
        sa.Column("price_usd", sa.Double, nullable=False),
        sa.Column("level_usd", sa.Double, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("probability_source", sa.Text, nullable=False),
        sa.Column("closed_form", sa.Double),
        sa.Column("distance_atr", sa.Double),
        sa.Column("magnet", sa.Double),
        sa.Column("fuel", sa.Double),
        sa.Column("funding_z", sa.Double),
        sa.Column("outcome", sa.Double),
        sa.Column("resolved_ms", sa.BigInteger, autoincrement=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("id", name="probability_log_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("probability_log_due", "probability_log", ["resolved_ms", "due_ms"])


def downgrade() -> None:
    op.drop_table("probability_log")
