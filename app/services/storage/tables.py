"""The one schema of both databases, as SQLAlchemy Core tables. Held equal to the migrations by a test.

Keys begin with the coin and hold the exchange: queries read one coin by time, exchanges never overwrite
each other. A table whose rows come as named tuples has its columns in the tuple's field order. On SQLite the
key is the table (no row ids); PostgreSQL lays the bulk tables out in parts by time (`layout`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.core.domain import stored

# The revision these tables are at; the newest file in `migrations/versions` carries the same, says a test.
HEAD = "0008"

metadata = MetaData()
_Column: TypeAlias = Column[Any]


def _text(name: str, *, null: bool = False) -> _Column:
    return Column(name, Text, nullable=null)


def _ms(name: str, *, null: bool = False) -> _Column:
    return Column(name, BigInteger, nullable=null, autoincrement=False)


def _number(name: str, *, null: bool = False) -> _Column:
    return Column(name, Double, nullable=null)


def _count(name: str) -> _Column:
    return Column(name, Integer, nullable=False, autoincrement=False)


def _flag(name: str) -> _Column:
    return Column(name, Boolean, nullable=False)


def _table(name: str, key: str, *parts: _Column | Index) -> Table:
    return Table(
        name, metadata, *parts, PrimaryKeyConstraint(*key.split(), name=f"{name}_pk"), sqlite_with_rowid=False
    )


def _bars(name: str, *figures: _Column, scope: bool = False) -> Table:
    """A history: one row per coin, bar size, close and exchange (and scope), as in `stored.BarRow`."""
    return _table(
        name,
        "symbol scope interval close_ms exchange" if scope else "symbol interval close_ms exchange",
        *([_text("scope")] if scope else []),
        *map(_text, ("exchange", "symbol", "interval")),
        _ms("close_ms"),
        *figures,
        _text("source"),
        _ms("ts_init_ms"),
        _flag("is_outlier"),
    )


def _outcomes(name: str, trade: str, *indexes: Index) -> Table:
    """One row per trade and horizon, as in `outcomes.OutcomeRow`. trade: the column with the trade's id."""
    return _table(
        name,
        f"{trade} horizon",
        *map(_text, (trade, "horizon", "setup", "symbol", "direction", "state")),
        _ms("entered_ms", null=True),
        _ms("due_ms"),
        *(_number(name, null=True) for name in ("entry_price", "target_price", "stop_price")),
        _text("first_touch", null=True),
        _ms("touched_ms", null=True),
        *(_number(name, null=True) for name in ("net_return_frac", "mfe_frac", "mae_frac")),
        _ms("resolved_ms", null=True),
        _ms("ts_init_ms"),
        _text("body"),
        *indexes,
    )


_OHLC = ("open", "high", "low", "close")

price_ohlc = _bars("price_ohlc", *map(_number, _OHLC), _number("volume_base", null=True))
futures_oi_ohlc = _bars(
    "futures_oi_ohlc",
    *(_number(f"{part}_{unit}", null=True) for unit in ("usd", "base") for part in _OHLC),
)
funding_rate = _bars(
    "funding_rate",
    _number("rate_8h_frac", null=True),
    _number("oi_weighted_8h_frac", null=True),
    _number("volume_weighted_8h_frac", null=True),
)
long_short_ratio = _bars("long_short_ratio", _number("long_share_frac"), scope=True)
taker_volume = _bars("taker_volume", _number("buy_usd"), _number("sell_usd"))

# The id alone would do as a key; with coin and time in front the rows of one coin lie together in time order,
# so that inserting appends and the heatmap of a day reads one run of pages.
liquidations = _table(
    "liquidations",
    "symbol ts_event_ms id",
    _text("symbol"),
    _ms("ts_event_ms"),
    _ms("id"),
    *map(_text, ("source", "exchange", "pair", "liquidated_side")),
    _number("price"),
    _number("usd"),
    _number("base", null=True),
    _count("bucket"),
    _ms("ts_init_ms"),
    _text("extras", null=True),
)
liquidation_heatmap = _table(
    "liquidation_heatmap",
    "symbol ts_min bucket",
    _text("symbol"),
    _ms("ts_min"),
    _count("bucket"),
    _number("long_usd"),
    _number("short_usd"),
    _count("events"),
)
composite_heatmap = _table(
    "composite_heatmap",
    "symbol ts_min bucket",
    _text("symbol"),
    _ms("ts_min"),
    _count("bucket"),
    _number("score"),
    _number("liquidation_part", null=True),
    _number("open_interest_part", null=True),
    _number("swing_part", null=True),
)
baselines = _table(
    "baselines",
    "symbol hour_ms",
    _text("symbol"),
    _ms("hour_ms"),
    _number("long_usd"),
    _number("short_usd"),
    _count("events"),
)

signals = _table(
    "signals",
    "chain seq",
    _text("id"),
    _text("symbol"),
    _ms("as_of_ms"),
    *map(_text, ("trigger", "data_mode", "mode", "direction")),
    *map(_number, ("score", "confidence", "coverage", "price_usd")),
    *map(_text, ("reason", "engine_version", "context_digest", "chain")),
    _count("seq"),
    *map(_text, ("prev_hash", "hash")),
    _ms("ts_init_ms"),
    _text("body"),
    Index("signals_id", "id", unique=True),
    Index("signals_symbol_time", "symbol", "as_of_ms", "id"),
    Index("signals_time", "as_of_ms", "id"),
    Index("signals_trigger_time", "trigger", "as_of_ms", "id"),
    # All that decides whether a signal is on a page of trades: rows are large, and most are on none.
    Index(
        "signals_trades",
        *("engine_version", "trigger", "mode", "data_mode", "as_of_ms", "id", "direction", "symbol"),
    ),
)
# Each coin and hour that somebody evaluated: the claim before, and what failed. One row, one evaluation.
evaluation_hours = _table(
    "evaluation_hours",
    "symbol hour_ms",
    _text("symbol"),
    _ms("hour_ms"),
    _text("state"),
    _text("reason", null=True),
    _ms("ts_init_ms"),
)
alert_history = _table(
    "alert_history",
    "id",
    _text("id"),
    _ms("ts_event_ms"),
    *map(_text, ("symbol", "kind", "direction", "severity")),
    _number("confidence"),
    _number("usd", null=True),
    _flag("is_kept"),
    _text("drop_reason", null=True),
    _ms("ts_init_ms"),
    _text("body"),
    Index("alert_history_time", "ts_event_ms", "id"),
    Index("alert_history_symbol_time", "symbol", "ts_event_ms", "id"),
    Index("alert_history_kind_time", "kind", "ts_event_ms", "id"),
)
# One row per alert and destination; the row is the message, whatever revision it shows.
outbox = _table(
    "outbox",
    "alert_id chat",
    *map(_text, ("alert_id", "chat", "state")),
    *map(_count, ("revision", "sent_revision", "attempts", "repeats")),
    _ms("next_try_ms"),
    _ms("lease_ms", null=True),
    _text("owner", null=True),
    _text("message_id", null=True),
    _text("group_id", null=True),
    _text("last_error", null=True),
    _ms("ts_init_ms"),
    _text("body"),
    Index("outbox_due", "state", "next_try_ms"),
    Index("outbox_chat_time", "chat", "ts_init_ms"),
)

# Trades followed to target, stop or the end of each horizon, with the costs of trading them: directional
# alerts, and both sides of every scheduled evaluation.
alert_outcomes = _outcomes("alert_outcomes", "alert_id", Index("alert_outcomes_due", "state", "due_ms"))
signal_outcomes = _outcomes(
    "signal_outcomes", "trade_id", Index("signal_outcomes_running", "state", "symbol", "ts_init_ms")
)
# The end of each row of `signal_outcomes`, in the order in which it was written: a chain per process.
outcome_ledger = _table(
    "outcome_ledger",
    "chain seq",
    _text("chain"),
    _count("seq"),
    *map(_text, ("trade_id", "horizon", "outcome_hash", "prev_hash", "hash")),
    _ms("ts_init_ms"),
    Index("outcome_ledger_trade", "trade_id", "horizon", unique=True),
)
stream_gaps = _table(
    "stream_gaps",
    "source from_ms",
    _text("source"),
    _ms("from_ms"),
    _ms("to_ms"),
    _text("reason"),
    _ms("ts_init_ms"),
)

probability_log = _table(
    "probability_log",
    "id",
    *map(_text, ("id", "symbol")),
    *map(_ms, ("at_ms", "due_ms")),
    *map(_number, ("horizon_h", "price_usd", "level_usd")),
    _text("side"),
    _number("probability"),
    _text("probability_source"),
    *(
        _number(name, null=True)
        for name in ("closed_form", "distance_atr", "magnet", "fuel", "funding_z", "outcome")
    ),
    _ms("resolved_ms", null=True),
    _ms("ts_init_ms"),
    Index("probability_log_due", "resolved_ms", "due_ms"),
)

watchlist = _table(
    "watchlist",
    "symbol",
    _text("symbol"),
    *map(_flag, ("is_on", "is_removed")),
    _count("position"),
    *map(_ms, ("added_ms", "ts_init_ms")),
)
chat_settings = _table("chat_settings", "chat", _text("chat"), _text("settings"), _ms("ts_init_ms"))
# Keys that the command made: SHA-256 in hexadecimal digits, scopes as `debug+read`.
api_keys = _table(
    "api_keys",
    "name",
    *map(_text, ("name", "digest", "scopes")),
    _ms("created_ms"),
    *(_ms(name, null=True) for name in ("expires_ms", "revoked_ms", "last_used_ms")),
)
# As in `access.AuditEvent`. By time first: it is read newest first and shortened from its other end.
audit_log = _table(
    "audit_log",
    "ts_ms id",
    _ms("ts_ms"),
    *map(_text, ("id", "actor", "action", "outcome", "target")),
    *(_text(name, null=True) for name in ("request_id", "address")),
    _count("times"),
    Index("audit_log_action_time", "action", "ts_ms", "id"),
)
worker_state = _table("worker_state", "key", _text("key"), _text("value"), _ms("ts_init_ms"))

# Which table holds which rows.
TABLE_OF: Mapping[type[stored.MarketRow], Table] = {
    stored.CandleRow: price_ohlc,
    stored.OpenInterestRow: futures_oi_ohlc,
    stored.FundingRow: funding_rate,
    stored.RatioRow: long_short_ratio,
    stored.TakerRow: taker_volume,
    stored.LiquidationRow: liquidations,
    stored.CompositeRow: composite_heatmap,
    stored.AlertRow: alert_history,
    stored.BaselineRow: baselines,
    stored.ProbabilityRow: probability_log,
}
# The time column by which a bulk table is cut into parts and aged out (minutes for tiles, else ms).
TIME_COLUMN: Mapping[str, str] = {
    "price_ohlc": "close_ms",
    "futures_oi_ohlc": "close_ms",
    "funding_rate": "close_ms",
    "long_short_ratio": "close_ms",
    "taker_volume": "close_ms",
    "liquidations": "ts_event_ms",
    "liquidation_heatmap": "ts_min",
    "composite_heatmap": "ts_min",
}
