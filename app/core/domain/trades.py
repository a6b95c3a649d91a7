"""Single scheduled signals with a direction and what became of each at one horizon.

Asked for with a `TradeQuery`, stored as `TradeRow`, told as `Trade`. Times are UTC epoch milliseconds, prices
USD per coin, returns fractions of the entry's notional.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.core.domain.outcomes import OutcomeRow
from app.core.domain.signal import Direction
from app.core.domain.stored import Page


class TradeState(StrEnum):
    """How far a trade is."""

    OPEN = "open"  # its horizon is not over, or nobody knows yet how it ended
    SCORED = "scored"
    UNSCORABLE = "unscorable"


class FirstTouch(StrEnum):
    """What the price reached first."""

    TARGET = "target"
    STOP = "stop"
    BOTH = "both"  # within one candle: counts as the stop
    NONE = "none"  # neither within the horizon


@dataclass(frozen=True, slots=True)
class TradeQuery:
    """Which trades, newest first. engine_version: whose; symbol None: all coins; horizon: `15m`, `1h`, `4h`
    or `24h`."""

    engine_version: str
    horizon: str
    symbol: str | None = None
    limit: int = 50
    cursor: str | None = None


class TradeRow(NamedTuple):
    """A stored signal of the schedule with its side's outcome. made_ms: when the answer was there; outcome:
    None while nobody follows it."""

    id: str
    symbol: str
    direction: str
    score: float
    as_of_ms: int
    made_ms: int
    outcome: OutcomeRow | None


@dataclass(frozen=True, slots=True)
class Trade:
    """What became of one signal, as known at a moment.

    id: of the signal. score: 0-100. ends_ms: end of its horizon, counted from the entry (before it: from when
    the signal was made). why: in words why it is open or unscorable, empty where it is scored. Entry, stop
    and target are None before the entry is known; from touch on everything is None unless it is scored.
    funding_frac: paid, negative received; None also where it is not known and so not charged. cost_frac:
    fees, spread and slippage. mfe_frac, mae_frac: best (>= 0) and worst (<= 0) excursion.
    """

    id: str
    symbol: str
    direction: Direction
    score: float
    as_of_ms: int
    ends_ms: int
    state: TradeState
    why: str
    entered_ms: int | None = None
    entry_price: float | None = None
    target_price: float | None = None
    stop_price: float | None = None
    touch: FirstTouch | None = None
    exit_ms: int | None = None
    exit_price: float | None = None
    gross_frac: float | None = None
    cost_frac: float | None = None
    funding_frac: float | None = None
    net_frac: float | None = None
    mfe_frac: float | None = None
    mae_frac: float | None = None
    is_win: bool | None = None


@dataclass(frozen=True, slots=True)
class TradesAnswer:
    """One page of trades, as known at as_of_ms (market time)."""

    as_of_ms: int
    query: TradeQuery
    page: Page[Trade]
