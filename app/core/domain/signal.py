"""The engine's answer: factor scores, composite, confidence and reasons, as plain values.

No rounding here; the API rounds. Directions are LONG / NEUTRAL / SHORT everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.domain.context import DataMode
from app.core.domain.liquidity import EnhancedSMCZone, LevelSource, Setup
from app.core.domain.market import Price
from app.core.domain.quality import Reading
from app.core.domain.symbol import Symbol


class Direction(StrEnum):
    LONG = "LONG"
    NEUTRAL = "NEUTRAL"
    SHORT = "SHORT"


class Mode(StrEnum):
    """Threshold sets; every conservative signal is also balanced, every balanced one aggressive."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"


class FactorName(StrEnum):
    LIQUIDATIONS = "liquidations"
    FUNDING = "funding"
    MOMENTUM = "momentum"
    LONG_SHORT = "long_short"
    SMART_MONEY = "smart_money"
    OI_TREND = "oi_trend"
    SOCIAL = "social"
    FEAR_GREED = "fear_greed"


class FactorStatus(StrEnum):
    OK = "ok"
    STALE = "stale"  # had it, too old: shown, flagged and counted as missing
    MISSING = "missing"


class Basis(StrEnum):
    """How evidence became a score: rank in its own history, or the absolute scale when history is short."""

    RANK = "rank"
    ABSOLUTE = "absolute"


@dataclass(frozen=True, slots=True)
class FactorScore:
    """One factor.

    v: -1 bearish .. +1 bullish; 0 when not `ok`. score = 50 + 50 v, so a missing factor is exactly 50.
    evidence: the raw x (unit in `evidence_unit`); percentile: share of own history below x, 0..1, or None.
    history_n: points ranked against. detail: why it is stale or missing, or "" when ok.
    sentence: one sentence for a trader that agrees with the sign of v ("" when not ok).
    metrics: every sub-computation by name, for `debug=true` (units in the names).
    """

    name: FactorName
    weight: float
    v: float
    status: FactorStatus
    provider: str | None
    ts_event_ms: int | None
    basis: Basis | None
    evidence: float | None
    evidence_unit: str
    percentile: float | None
    history_n: int
    detail: str
    sentence: str
    metrics: tuple[tuple[str, float], ...] = field(default=())

    @property
    def score(self) -> float:
        """0 bearish, 50 neutral, 100 bullish."""
        return 50.0 + 50.0 * self.v


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number with where it came from and when it happened (UTC epoch ms)."""

    value: float
    provider: str
    ts_event_ms: int


class ConfidenceLevel(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Confidence:
    """confidence = 100 c (a + m) / 2 with coverage c, agreement a, strength m, each 0..1."""

    score: float
    level: ConfidenceLevel
    agreement: float
    strength: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Confluence:
    """What Smart Money zones over liquidation clusters say beside a score: the best confluent zone.

    direction: LONG for a bullish zone, SHORT for a bearish one; score 0-100; setup: the plan around it, None
    with a reason in `no_setup`. source, meaning: of the liquidation levels.
    """

    timeframe: str
    direction: Direction
    score: float
    zone: EnhancedSMCZone
    source: LevelSource
    provider: str
    as_of_ms: int
    setup: Setup | None
    no_setup: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A scored, explained answer for one coin at one moment.

    score: 0-100; coverage: 0..1 share of weight with fresh data; reasons: up to three sentences, strongest
    first; reason: one line; missing: (input, why) for every factor that did not count;
    confluence: None with its reason in `no_confluence`; one that points the other way has lowered the level
    of confidence by one.
    probability: calibrated chance that a trade in this direction wins at the record's horizon, 0..1; None
    with its reason in `no_probability`.
    price_stale: the price is older than allowed, so the direction was forced to NEUTRAL.
    probability: chance, 0..1, that a trade in the direction wins within four hours after costs; None with its
    reason in `no_probability`.
    open_interest_usd: None when nobody has it or it is too old; funding and social stay shown when stale,
    because their factors carry age and status, and this one has no factor of its own.
    """

    symbol: Symbol
    as_of_ms: int
    data_mode: DataMode
    mode: Mode
    direction: Direction
    score: float
    confidence: Confidence
    coverage: float
    price: Reading[Price]
    price_stale: bool
    funding_8h_frac: float | None
    open_interest_usd: Figure | None
    social_score: float | None
    factors: tuple[FactorScore, ...]
    reasons: tuple[str, ...]
    reason: str
    missing: tuple[tuple[str, str], ...]
    engine_version: str
    confluence: Confluence | None = None
    no_confluence: str = ""
    probability: float | None = None
    no_probability: str = ""
