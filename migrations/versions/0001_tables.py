"""Every table, plain on both databases.

Written out in full and importing nothing of the service: a migration says what was done on that day, so it
must not change when `app/services/storage/tables.py` does. A test holds the outcome equal to that module.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

# With all rows; the command counts them before it does.
DROPPED_ON_DOWNGRADE = (
    "price_ohlc",
    "futures_oi_ohlc",
    "funding_rate",
    "long_short_ratio",
    "taker_volume",
    "liquidations",
    "liquidation_heatmap",
    "composite_heatmap",
    "baselines",
    "signals",
    "signal_outcomes",
    "alert_history",
    "outbox",
    "watchlist",
    "chat_settings",
    "worker_state",
)


def upgrade() -> None:
    _bars()
    _liquidations()
    _signals()
    _alerts()
    _small_state()


def downgrade() -> None:
    for name in reversed(DROPPED_ON_DOWNGRADE):
        op.drop_table(name)


def _bars() -> None:
    op.create_table(
        "price_ohlc",
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("interval", sa.Text, nullable=False),
        sa.Column("close_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("open", sa.Double, nullable=False),
        sa.Column("high", sa.Double, nullable=False),
        sa.Column("low", sa.Double, nullable=False),
        sa.Column("close", sa.Double, nullable=False),
        sa.Column("volume_base", sa.Double, nullable=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("is_outlier", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "interval", "close_ms", "exchange", name="price_ohlc_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "futures_oi_ohlc",
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("interval", sa.Text, nullable=False),
        sa.Column("close_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("open_usd", sa.Double, nullable=True),
        sa.Column("high_usd", sa.Double, nullable=True),
        sa.Column("low_usd", sa.Double, nullable=True),
        sa.Column("close_usd", sa.Double, nullable=True),
        sa.Column("open_base", sa.Double, nullable=True),
        sa.Column("high_base", sa.Double, nullable=True),
        sa.Column("low_base", sa.Double, nullable=True),
        sa.Column("close_base", sa.Double, nullable=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("is_outlier", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "interval", "close_ms", "exchange", name="futures_oi_ohlc_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "funding_rate",
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("interval", sa.Text, nullable=False),
        sa.Column("close_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("rate_8h_frac", sa.Double, nullable=True),
        sa.Column("oi_weighted_8h_frac", sa.Double, nullable=True),
        sa.Column("volume_weighted_8h_frac", sa.Double, nullable=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("is_outlier", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "interval", "close_ms", "exchange", name="funding_rate_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "long_short_ratio",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("interval", sa.Text, nullable=False),
        sa.Column("close_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("long_share_frac", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("is_outlier", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint(
            "symbol", "scope", "interval", "close_ms", "exchange", name="long_short_ratio_pk"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "taker_volume",
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("interval", sa.Text, nullable=False),
        sa.Column("close_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("buy_usd", sa.Double, nullable=False),
        sa.Column("sell_usd", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("is_outlier", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "interval", "close_ms", "exchange", name="taker_volume_pk"),
        sqlite_with_rowid=False,
    )


def _liquidations() -> None:
    op.create_table(
        "liquidations",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("ts_event_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("pair", sa.Text, nullable=False),
        sa.Column("liquidated_side", sa.Text, nullable=False),
        sa.Column("price", sa.Double, nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.Column("base", sa.Double, nullable=True),
        sa.Column("bucket", sa.Integer, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("extras", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("symbol", "ts_event_ms", "id", name="liquidations_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "liquidation_heatmap",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("ts_min", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("bucket", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("long_usd", sa.Double, nullable=False),
        sa.Column("short_usd", sa.Double, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "ts_min", "bucket", name="liquidation_heatmap_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "composite_heatmap",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("ts_min", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("bucket", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("liquidation_part", sa.Double, nullable=True),
        sa.Column("open_interest_part", sa.Double, nullable=True),
        sa.Column("swing_part", sa.Double, nullable=True),
        sa.PrimaryKeyConstraint("symbol", "ts_min", "bucket", name="composite_heatmap_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "baselines",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("hour_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("long_usd", sa.Double, nullable=False),
        sa.Column("short_usd", sa.Double, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("symbol", "hour_ms", name="baselines_pk"),
        sqlite_with_rowid=False,
    )


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("as_of_ms", sa.BigInteger, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("data_mode", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("coverage", sa.Double, nullable=False),
        sa.Column("price_usd", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("engine_version", sa.Text, nullable=False),
        sa.Column("context_digest", sa.Text, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name="signals_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("signals_id", "signals", ["id"], unique=True)
    op.create_index("signals_symbol_time", "signals", ["symbol", "as_of_ms", "id"])
    op.create_index("signals_time", "signals", ["as_of_ms", "id"])
    op.create_table(
        "signal_outcomes",
        sa.Column("signal_id", sa.Text, nullable=False),
        sa.Column("horizon", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("first_touch", sa.Text, nullable=True),
        sa.Column("touched_ms", sa.BigInteger, nullable=True),
        sa.Column("net_return_frac", sa.Double, nullable=True),
        sa.Column("mfe_frac", sa.Double, nullable=True),
        sa.Column("mae_frac", sa.Double, nullable=True),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("signal_id", "horizon", name="signal_outcomes_pk"),
        sqlite_with_rowid=False,
    )


def _alerts() -> None:
    op.create_table(
        "alert_history",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("ts_event_ms", sa.BigInteger, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("usd", sa.Double, nullable=True),
        sa.Column("is_kept", sa.Boolean, nullable=False),
        sa.Column("drop_reason", sa.Text, nullable=True),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="alert_history_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_history_time", "alert_history", ["ts_event_ms", "id"])
    op.create_table(
        "outbox",
        sa.Column("alert_id", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_ms", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Text, nullable=True),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "chat", name="outbox_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["state", "next_try_ms"])


def _small_state() -> None:
    op.create_table(
        "watchlist",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("is_on", sa.Boolean, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="watchlist_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chat_settings",
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("chat", name="chat_settings_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "worker_state",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("ts_init_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="worker_state_pk"),
        sqlite_with_rowid=False,
    )
