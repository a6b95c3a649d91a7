"""Where forced orders wait and where Smart Money zones lie: the shapes of the liquidity answers.

Built by `core.confluence`, shown by the liquidity routes. Prices in USD, volumes in USD of an ESTIMATE or of
what happened (the source says which); distances in ATR of the asked timeframe, positive above the price;
probabilities 0..1. None is "nothing to say", and a reason stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.derivatives import PositionSide

TIMEFRAMES = ("5m", "15m", "30m", "1h", "4h", "1d")
DEFAULT_TIMEFRAME = "1h"


class LevelSource(StrEnum):
    """Where liquidation levels come from."""

    COINGLASS_MAP = "coinglass_map"
    COINGLASS_HEATMAP = "coinglass_heatmap"
    ESTIMATE = "estimate"
    STREAMED = "streamed"


# What a level of each source is, in words for the answer.
LEVEL_MEANINGS = {
    LevelSource.COINGLASS_MAP: "CoinGlass's model of where leveraged positions would be closed by force",
    LevelSource.COINGLASS_HEATMAP: "CoinGlass's model of pending liquidations, newest column of its heatmap",
    LevelSource.ESTIMATE: (
        "own estimate from open interest that came in at each hour's price, at assumed leverages: relative, "
        "not counted money"
    ),
    LevelSource.STREAMED: (
        "liquidations that happened at these prices in the last 24 h, not pending ones: where leverage was"
    ),
}


@dataclass(frozen=True, slots=True)
class Level:
    """One liquidation level. side: LONG below the price (forced sells), SHORT above it (forced buys)."""

    price_usd: float
    usd: float
    side: PositionSide
    leverage: float | None = None


@dataclass(frozen=True, slots=True)
class LiquidationZone:
    """A cluster of levels. price_usd: weighted mean; near_usd: edge that faces the price.

    strength: volume over the largest cluster's, 0-100; magnet: share of the distance-weighted fuel of all
    clusters, 0-100, sums to 100: where fuel is, not where price goes.
    """

    side: PositionSide
    price_usd: float
    low_usd: float
    high_usd: float
    near_usd: float
    volume_usd: float
    strength: float
    distance_atr: float
    magnet: float


class ZoneKind(StrEnum):
    """What a Smart Money zone is."""

    ORDER_BLOCK = "order_block"
    BREAKER = "breaker"
    FAIR_VALUE_GAP = "fair_value_gap"
    INVERSE_GAP = "inverse_fair_value_gap"
    LIQUIDITY_POOL = "liquidity_pool"
    PREVIOUS_LEVEL = "previous_level"


class ZoneState(StrEnum):
    """How used a zone is."""

    UNTOUCHED = "untouched"
    TOUCHED = "touched"
    HALF_FILLED = "half_filled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SmcZone:
    """A zone as it stands now. is_bullish: which way it acts (a breaker acts against its origin).

    label: for a trader ("equal lows, 3 touches"). known_ms: close of the bar at which it could be known.
    """

    kind: ZoneKind
    is_bullish: bool
    top_usd: float
    bottom_usd: float
    state: ZoneState
    label: str
    formed_ms: int
    known_ms: int


@dataclass(frozen=True, slots=True)
class ConfluenceParts:
    """Factors of a confluence score, each 0..1; gap_atr: distance of zone and cluster."""

    overlap: float
    volume: float
    quality: float
    proximity: float
    agreement: float
    gap_atr: float


@dataclass(frozen=True, slots=True)
class EnhancedSMCZone:
    """A zone with the liquidations beside it.

    liquidation_confluence: a cluster of the right side within half an ATR. cluster, parts and
    confluence_score (0-100) belong to the best cluster; None where there are no clusters at all.
    """

    zone: SmcZone
    liquidation_confluence: bool
    cluster: LiquidationZone | None
    parts: ConfluenceParts | None
    confluence_score: float | None

    @property
    def liquidation_volume_usd(self) -> float | None:
        """Volume of the best cluster."""
        return None if self.cluster is None else self.cluster.volume_usd


class ProbabilitySource(StrEnum):
    """Where a probability comes from."""

    HIT_RATE_TABLE = "hitRateTable"
    CLOSED_FORM = "closedForm"
    CALIBRATED = "calibrated"


@dataclass(frozen=True, slots=True)
class SweepProbability:
    """Chance that price trades at `level_usd` within `horizon_h` hours.

    probability: None with `reason` where nothing can be said. n: windows the figure was measured on (0 for a
    formula). closed_form: the driftless random walk's answer, beside it for comparison.
    """

    level_usd: float
    side: PositionSide
    distance_atr_1h: float | None
    horizon_h: float
    probability: float | None
    source: ProbabilitySource
    n: int
    closed_form: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VolumeConfirmation:
    """USD traded in candles that closed the setup's way, over all USD of the last `bars` candles, 0..1."""

    usd_frac: float
    is_confirmed: bool
    bars: int


class EntryKind(StrEnum):
    """How a setup gets in: an order that waits in the zone, or the close that reclaimed it after a sweep."""

    LIMIT = "limit"
    RECLAIM = "reclaim"


@dataclass(frozen=True, slots=True)
class Target:
    """A price to take profit at, and reward over risk there."""

    price_usd: float
    reward_risk: float


@dataclass(frozen=True, slots=True)
class Setup:
    """A plan: entry, stop and targets around one confluent zone. Long: stop < entry < targets; short
    mirrored.

    p_fill: chance that the entry trades within the horizon, fill_source: where it comes from, None when the
    entry is to be had now and nothing is foretold; p_target, p_stop: chance from the entry that the
    first target trades before the stop within it, and the other way; expectancy_r: p_target rr - p_stop,
    about 0 before fees for any geometry unless a term has shown an edge. risk_score: 100 p_stop.
    p_target and p_stop are a model's and nobody has verified them. probability: calibrated chance that the
    plan wins once filled, 0..1; None with its reason in `no_probability`. invalidation: what ends it.
    """

    is_long: bool
    entry_kind: EntryKind
    entry_usd: float
    stop_usd: float
    targets: tuple[Target, ...]
    risk_atr: float
    confluence: EnhancedSMCZone
    horizon_h: float
    p_fill: float
    fill_source: ProbabilitySource | None
    p_target: float
    p_stop: float
    expectancy_r: float
    risk_score: float
    volume: VolumeConfirmation | None
    invalidation: tuple[str, ...]
    probability: float | None
    no_probability: str
