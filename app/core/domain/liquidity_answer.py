"""What the liquidity use case answers about one coin and timeframe. Shapes only; `liquidity` has the
parts."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.liquidity import (
    EnhancedSMCZone,
    LevelSource,
    LiquidationZone,
    Setup,
    SweepProbability,
)
from app.core.domain.market import Candles, Price
from app.core.domain.quality import Missing, Reading
from app.core.domain.structure import StructureState
from app.core.domain.symbol import Symbol


@dataclass(frozen=True, slots=True)
class LiquidityMap:
    """Liquidation clusters around the price. bias: -1 all fuel below, +1 all above.

    as_of_ms: when the newest figure behind it happened; provider: who was asked. probabilities: chances to
    trade at clusters and Smart Money liquidity, nearest first.
    """

    source: LevelSource
    provider: str
    as_of_ms: int
    clusters: tuple[LiquidationZone, ...]
    bias: float
    probabilities: tuple[SweepProbability, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that could not be had or said, and why, in words."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class LiquidityAnswer:
    """Structure, zones, clusters and plans of one coin and timeframe.

    zones: best confluence first (nearest first where nothing could be scored). liquidity: None with a `Lack`
    of that name. refused: zones that were looked at for a plan and why they have none. atr_usd: of the
    timeframe; atr_1h_usd: what probabilities are measured in. stale: why the inputs are too old to act upon,
    or "".
    """

    symbol: Symbol
    timeframe: str
    as_of_ms: int
    data_mode: DataMode
    price: Reading[Price]
    candles: Reading[Candles] | Missing
    context: EnhancedSignalContext
    structure: StructureState | None
    atr_usd: float | None
    atr_1h_usd: float | None
    zones: tuple[EnhancedSMCZone, ...]
    liquidity: LiquidityMap | None
    setups: tuple[Setup, ...]
    refused: tuple[Lack, ...]
    lacking: tuple[Lack, ...]
    stale: str = ""
