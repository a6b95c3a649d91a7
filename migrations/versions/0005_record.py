"""The record of scheduled evaluations: which hours were evaluated, outcomes of both sides, and their ledger.

`signal_outcomes` is made anew in the shape of `alert_outcomes`: nothing was ever written to the one of 0001.
Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# With all rows; the command counts them before it does.
DROPPED_ON_DOWNGRADE = ("evaluation_hours", "signal_outcomes", "outcome_ledger")


def _text(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=null)


def _ms(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=null, autoincrement=False)


def _number(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.Double, nullable=null)


def upgrade() -> None:
    op.create_index("signals_trigger_time", "signals", ["trigger", "as_of_ms", "id"])
    op.drop_table("signal_outcomes")
    op.create_table(
        "signal_outcomes",
        *map(_text, ("trade_id", "horizon", "setup", "symbol", "direction", "state")),
        _ms("entered_ms", null=True),
        _ms("due_ms"),
        *(_number(name, null=True) for name in ("entry_price", "target_price", "stop_price")),
        _text("first_touch", null=True),
        _ms("touched_ms", null=True),
        *(_number(name, null=True) for name in ("net_return_frac", "mfe_frac", "mae_frac")),
        _ms("resolved_ms", null=True),
        _ms("ts_init_ms"),
        _text("body"),
        sa.PrimaryKeyConstraint("trade_id", "horizon", name="signal_outcomes_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("signal_outcomes_running", "signal_outcomes", ["state", "symbol", "ts_init_ms"])
    op.create_table(
        "evaluation_hours",
        _text("symbol"),
        _ms("hour_ms"),
        _text("state"),
        _text("reason", null=True),
        _ms("ts_init_ms"),
        sa.PrimaryKeyConstraint("symbol", "hour_ms", name="evaluation_hours_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcome_ledger",
        _text("chain"),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        *map(_text, ("trade_id", "horizon", "outcome_hash", "prev_hash", "hash")),
        _ms("ts_init_ms"),
        sa.PrimaryKeyConstraint("chain", "seq", name="outcome_ledger_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("outcome_ledger_trade", "outcome_ledger", ["trade_id", "horizon"], unique=True)


def downgrade() -> None:
    op.drop_table("outcome_ledger")
    op.drop_table("evaluation_hours")
    op.drop_table("signal_outcomes")
    op.create_table(
        "signal_outcomes",
        *map(_text, ("signal_id", "horizon", "state")),
        _text("first_touch", null=True),
        _ms("touched_ms", null=True),
        *(_number(name, null=True) for name in ("net_return_frac", "mfe_frac", "mae_frac")),
        _ms("ts_init_ms"),
        _text("body"),
        sa.PrimaryKeyConstraint("signal_id", "horizon", name="signal_outcomes_pk"),
        sqlite_with_rowid=False,
    )
    op.drop_index("signals_trigger_time", "signals")
