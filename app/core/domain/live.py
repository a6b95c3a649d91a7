"""What a live view of the market shows, as plain values: a coin's stream, its evaluation, the sums.

Shapes only. Gathered by `services.live_service`, rendered by the API. Money USD, shares fractions, times UTC
epoch milliseconds; an age is the reader's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.flow import CascadeNow
from app.core.domain.flow_answer import FlowState, TradeShare, WindowShare
from app.core.domain.signal import Signal


@dataclass(frozen=True, slots=True)
class LiveQuote:
    """One coin as it is streamed. source: upstream stream; exchange: where `price` was traded, None unknown.

    liquidations_*: None where the stream keeps no such window. flow_5m: None unless trades are streamed.
    cascade: under way now; None also where the stream is too old to say so.
    """

    symbol: str
    price: float | None
    price_ms: int | None
    source: str
    exchange: str | None
    liquidations_1h: WindowShare | None
    liquidations_24h: WindowShare | None
    flow_5m: TradeShare | None
    cascade: CascadeNow | None
    as_of_ms: int


@dataclass(frozen=True, slots=True)
class LiveFault:
    """Why something is not shown: a stable code, and words."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class LiveCard:
    """The newest evaluation of one coin, in balanced mode; exactly one of `signal` and `fault` is set.

    change_24h_frac: of the price against the close of the hour 24 h before, None unless that one is known.
    funding_ms: when the funding of the signal was so.
    """

    symbol: str
    signal: Signal | None
    change_24h_frac: float | None
    funding_ms: int | None
    fault: LiveFault | None


@dataclass(frozen=True, slots=True)
class SideSums:
    """Liquidations of all coins in one window. coins: those with any; is_whole: nothing is missing."""

    long_usd: float
    short_usd: float
    coins: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Mood:
    """The fear & greed index, 0-100, and its publisher's word for it (`extreme_fear` ... `extreme_greed`)."""

    value: float
    label: str
    ts_event_ms: int


@dataclass(frozen=True, slots=True)
class LiveMarket:
    """Every coin together. coins_seen: published lately by the worker; state, reason: of the stream.

    mood: None until a context has it. as_of_ms: the newest figure in it.
    """

    mood: Mood | None
    liquidations_1h: SideSums
    liquidations_24h: SideSums
    coins_seen: int
    state: FlowState
    reason: str
    as_of_ms: int
