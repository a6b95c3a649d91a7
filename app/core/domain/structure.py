"""Market structure of one timeframe as it stands at the last closed candle. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BreakKind(StrEnum):
    """With the trend, or against it."""

    BOS = "BOS"
    CHOCH = "CHoCH"


class RangePart(StrEnum):
    """Where price stands in its dealing range."""

    DISCOUNT = "discount"
    EQUILIBRIUM = "equilibrium"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class StructureBreak:
    """The newest close beyond a structure level. at_ms: close of the bar that broke it."""

    kind: BreakKind
    is_up: bool
    level_usd: float
    at_ms: int
    margin_atr: float | None


@dataclass(frozen=True, slots=True)
class DealingRange:
    """pos_frac: 0 at the low, 1 at the high. ote: +1 where a long would find 62..79 % retraced, -1 a
    short."""

    high_usd: float
    low_usd: float
    pos_frac: float
    part: RangePart
    is_deep: bool
    ote: int


@dataclass(frozen=True, slots=True)
class Retracement:
    """How much of the last leg was taken back, percent of its length."""

    is_up_leg: bool
    current_pct: float
    deepest_pct: float


@dataclass(frozen=True, slots=True)
class SweepEvent:
    """A level that was traded through lately. kind: sweep, run, sweep_late; what: swing or pool."""

    kind: str
    what: str
    is_high: bool
    level_usd: float
    at_ms: int
    is_stop_hunt: bool


@dataclass(frozen=True, slots=True)
class PeriodLevels:
    """High and low of the period before. is_partial: bars of it are missing."""

    period: str
    high_usd: float
    low_usd: float
    is_partial: bool
    high_broken: bool
    low_broken: bool


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session or kill zone that holds the last closed bar; high and low so far."""

    name: str
    is_kill_zone: bool
    start_ms: int
    high_usd: float
    low_usd: float


@dataclass(frozen=True, slots=True)
class StructureState:
    """Everything above; None where there is not enough history to say. trend: +1 up, -1 down, None unknown.

    as_of_ms: close of the last candle; bars: how many were looked at; missing_bars: holes among them.
    """

    as_of_ms: int
    bars: int
    missing_bars: int
    atr_usd: float | None
    trend: int | None
    last_break: StructureBreak | None
    swing_high_usd: float | None
    swing_low_usd: float | None
    range: DealingRange | None
    retracement: Retracement | None
    sweeps: tuple[SweepEvent, ...]
    previous: tuple[PeriodLevels, ...]
    sessions: tuple[SessionState, ...]
