"""An outbox that several processes drain, outcomes of alerts, gaps of the stream; alerts by coin and kind.

Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# With all rows; the command counts them before it does.
DROPPED_ON_DOWNGRADE = ("alert_outcomes", "stream_gaps")

_OLD_OUTBOX = "alert_id, chat, state, attempts, next_try_ms, message_id, ts_init_ms, body"


def _text(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=null)


def _ms(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=null, autoincrement=False)


def _number(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Double, nullable=null)


def _count(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer, nullable=False, autoincrement=False)


def upgrade() -> None:
    # Made anew and not altered: SQLite adds no column that must be there without keeping a default for it.
    op.execute(f"CREATE TABLE outbox_kept AS SELECT {_OLD_OUTBOX} FROM outbox")
    op.drop_table("outbox")
    _new_outbox()
    op.execute(
        f"INSERT INTO outbox ({_OLD_OUTBOX}, revision, sent_revision, repeats)"
        f" SELECT {_OLD_OUTBOX}, 1, CASE WHEN state = 'sent' THEN 1 ELSE 0 END, 0 FROM outbox_kept"
    )
    op.drop_table("outbox_kept")
    for name in ("symbol", "kind"):
        op.create_index(f"alert_history_{name}_time", "alert_history", [name, "ts_event_ms", "id"])
    _alert_outcomes()
    op.create_table(
        "stream_gaps",
        _text("source"),
        _ms("from_ms"),
        _ms("to_ms"),
        _text("reason"),
        _ms("ts_init_ms"),
        sa.PrimaryKeyConstraint("source", "from_ms", name="stream_gaps_pk"),
        sqlite_with_rowid=False,
    )


def _new_outbox() -> None:
    op.create_table(
        "outbox",
        *map(_text, ("alert_id", "chat", "state")),
        *map(_count, ("revision", "sent_revision", "attempts", "repeats")),
        _ms("next_try_ms"),
        _ms("lease_ms", null=True),
        *(_text(name, null=True) for name in ("owner", "message_id", "group_id", "last_error")),
        _ms("ts_init_ms"),
        _text("body"),
        sa.PrimaryKeyConstraint("alert_id", "chat", name="outbox_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["state", "next_try_ms"])
    op.create_index("outbox_chat_time", "outbox", ["chat", "ts_init_ms"])


def _alert_outcomes() -> None:
    op.create_table(
        "alert_outcomes",
        *map(_text, ("alert_id", "horizon", "setup", "symbol", "direction", "state")),
        _ms("entered_ms", null=True),
        _ms("due_ms"),
        *(_number(name, null=True) for name in ("entry_price", "target_price", "stop_price")),
        _text("first_touch", null=True),
        _ms("touched_ms", null=True),
        *(_number(name, null=True) for name in ("net_return_frac", "mfe_frac", "mae_frac")),
        _ms("resolved_ms", null=True),
        _ms("ts_init_ms"),
        _text("body"),
        sa.PrimaryKeyConstraint("alert_id", "horizon", name="alert_outcomes_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_outcomes_due", "alert_outcomes", ["state", "due_ms"])


def downgrade() -> None:
    op.drop_table("stream_gaps")
    op.drop_table("alert_outcomes")
    for name in ("symbol", "kind"):
        op.drop_index(f"alert_history_{name}_time", "alert_history")
    op.execute(f"CREATE TABLE outbox_kept AS SELECT {_OLD_OUTBOX} FROM outbox")
    op.drop_table("outbox")
    op.create_table(
        "outbox",
        *map(_text, ("alert_id", "chat", "state")),
        _count("attempts"),
        _ms("next_try_ms"),
        _text("message_id", null=True),
        _ms("ts_init_ms"),
        _text("body"),
        sa.PrimaryKeyConstraint("alert_id", "chat", name="outbox_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["state", "next_try_ms"])
    op.execute(f"INSERT INTO outbox ({_OLD_OUTBOX}) SELECT {_OLD_OUTBOX} FROM outbox_kept")
    op.drop_table("outbox_kept")
