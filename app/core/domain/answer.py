"""What the use cases answer: plain values that the API renders and nobody computes on any further.

Owns the shapes only. Built by `app.services`, rendered by `app.api.schemas`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.market import MarketReading
from app.core.domain.signal import Signal
from app.core.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class SignalAnswer:
    """A signal with the context it was computed from.

    elapsed_ms: milliseconds from question to answer on the process clock, upstream calls included.
    """

    signal: Signal
    context: EnhancedSignalContext
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class MarketExtra:
    """One group of figures beyond the factor inputs, or why it could not be had.

    readings: empty exactly when `error` is set. ts_event_ms / ts_init_ms: when it happened / when this
    service learned it, UTC epoch ms, None when `error` is set. error: an error code such as `timeout`, else
    None; detail: that error in words, "" when there is none.
    """

    provider: str
    group: str
    readings: tuple[MarketReading, ...]
    ts_event_ms: int | None
    ts_init_ms: int | None
    error: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class MarketAnswer:
    """Everything known about one coin, raw: the factor inputs plus what providers add beside them."""

    symbol: Symbol
    context: EnhancedSignalContext
    extras: tuple[MarketExtra, ...]


class ProbeStatus(StrEnum):
    """How one premium capability answered. `not_in_plan` and `not_configured` are states, not faults."""

    OK = "ok"
    NOT_IN_PLAN = "not_in_plan"
    NOT_CONFIGURED = "not_configured"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One premium capability, tried alone.

    latency_ms: from ask to answer, cache included. error: code and words of the failure, None when ok.
    readings: what it answered, empty when it did not. ts_event_ms: UTC epoch ms, None when not ok.
    """

    name: str
    provider: str
    endpoint: str
    status: ProbeStatus
    latency_ms: float
    error: str | None
    readings: tuple[MarketReading, ...]
    ts_event_ms: int | None
