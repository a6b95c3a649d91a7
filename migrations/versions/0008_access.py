"""Keys that the command makes, as digests, and the audit log; both plain on both databases.

Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# With all rows; the command counts them before it does.
DROPPED_ON_DOWNGRADE = ("api_keys", "audit_log")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("expires_ms", sa.BigInteger, autoincrement=False),
        sa.Column("revoked_ms", sa.BigInteger, autoincrement=False),
        sa.Column("last_used_ms", sa.BigInteger, autoincrement=False),
        sa.PrimaryKeyConstraint("name", name="api_keys_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_log",
        sa.Column("ts_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("address", sa.Text),
        sa.Column("times", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("ts_ms", "id", name="audit_log_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("audit_log_action_time", "audit_log", ["action", "ts_ms", "id"])


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_table("api_keys")
