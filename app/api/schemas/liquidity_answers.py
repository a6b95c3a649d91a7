"""Answers of the liquidity routes. Field names are public contract: added to, not renamed."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import (
    REASON_CHARS,
    SENTENCE_CHARS,
    AgeS,
    ApiModel,
    IsoTime,
    Name,
    Sentence,
    SymbolText,
)
from app.api.schemas.liquidity import (
    MAX_CLUSTERS,
    MAX_LEVELS,
    MAX_SETUPS,
    MAX_ZONES,
    EnhancedSMCZoneItem,
    LackItem,
    LevelsItem,
    LiquidationZoneItem,
    SetupItem,
    SweepProbabilityItem,
    Timeframe,
)
from app.api.schemas.structure import StructureItem
from app.core.domain.context import DataMode
from app.core.domain.market import PriceKind
from app.core.domain.signal import FactorName, FactorStatus


class FrameResponse(ApiModel):
    """What every liquidity answer carries."""

    symbol: SymbolText
    timeframe: Timeframe = Field(description="Size of the candles looked at.")
    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    as_of: IsoTime = Field(description="Market time the inputs were complete, UTC; ages count back from it.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    price: float = Field(gt=0, description="Price in USD per coin; `priceKind` says which price it is.")
    price_kind: PriceKind = Field(description="Which price it is.")
    price_source: Name = Field(description="Provider of the price.")
    price_age_s: AgeS
    candles_source: Name | None = Field(description="Provider of the candles; null when nobody had them.")
    candle_close: IsoTime | None = Field(description="Close of the newest candle, UTC.")
    atr: float | None = Field(ge=0, description="ATR(14) of the timeframe in USD; higher is more volatile.")
    missing: list[LackItem] = Field(max_length=12, description="What could not be had or said, and why.")


class LiquidityMapResponse(FrameResponse):
    """Liquidation clusters, the zones beside them, and the odds of their being reached."""

    levels: LevelsItem | None = Field(description="Where the levels come from; null when there are none.")
    bias: float | None = Field(
        ge=-1, le=1, description="Fuel above minus below as a fraction of all; positive is more above."
    )
    confluent_levels: list[EnhancedSMCZoneItem] = Field(
        max_length=MAX_ZONES, description="Zones with a cluster of their side within 0.5 ATR, best first."
    )
    liquidity_magnets: list[LiquidationZoneItem] = Field(
        max_length=MAX_CLUSTERS, description="The 12 strongest clusters, strongest magnet first."
    )
    sweep_probabilities: list[SweepProbabilityItem] = Field(
        max_length=MAX_LEVELS, description="Chances to trade at clusters and pools, nearest level first."
    )


class LiquidationClustersResponse(FrameResponse):
    """Liquidation clusters by price, with the sums of both sides."""

    levels: LevelsItem | None = Field(description="Where the levels come from; null when there are none.")
    long_volume: float | None = Field(
        ge=0, description="USD of longs closed by force below the price within 10 ATR; larger is more."
    )
    short_volume: float | None = Field(
        ge=0, description="USD of shorts closed by force above the price within 10 ATR; larger is more."
    )
    clusters: list[LiquidationZoneItem] = Field(
        max_length=MAX_CLUSTERS, description="The strongest, highest price first."
    )


class ConfluenceAnalysisResponse(FrameResponse):
    """Structure, the best zones with their liquidations, and what they say together."""

    sentence: str = Field(max_length=REASON_CHARS, description="What stands out, in one line.")
    levels: LevelsItem | None = Field(description="Where the levels come from; null when there are none.")
    bias: float | None = Field(
        ge=-1, le=1, description="Fuel above minus below as a fraction of all; positive is more above."
    )
    structure: StructureItem | None
    zones: list[EnhancedSMCZoneItem] = Field(max_length=MAX_ZONES, description="Best confluence first.")


class TradingOpportunitiesResponse(FrameResponse):
    """Plans with entry, stop, targets and odds; none is an answer, too. Market data, not advice."""

    levels: LevelsItem | None = Field(description="Where the levels come from; null when there are none.")
    opportunities: list[SetupItem] = Field(max_length=MAX_SETUPS, description="Best confluence first.")
    refused: list[LackItem] = Field(
        max_length=MAX_SETUPS, description="Confluent zones without a plan, and why."
    )
    note: Sentence = Field(description="How the odds were made.")


class SentimentPartItem(ApiModel):
    """One of the five inputs."""

    name: FactorName = Field(description="Which input.")
    score: float = Field(ge=0, le=100, description="Points, 0 bearish, 50 neutral, 100 bullish.")
    weight: float = Field(
        ge=0, le=100, description="Share of the score in points of 100; higher counts more."
    )
    status: FactorStatus = Field(description="ok, stale (too old to count) or missing (counts 50).")
    sentence: str = Field(max_length=SENTENCE_CHARS, description="The input in words; why it does not count.")


class MarketSentimentResponse(FrameResponse):
    """Sentiment out of funding, open interest, ratios, liquidations and fear & greed."""

    score: float = Field(ge=0, le=100, description="Points, 0 bearish, 50 neutral, 100 bullish.")
    label: Name = Field(description="bearish, leaning bearish, neutral, leaning bullish or bullish.")
    coverage: float = Field(
        ge=0, le=1, description="Fraction of the weight with fresh data; higher is better."
    )
    parts: list[SentimentPartItem] = Field(max_length=5, description="All five inputs.")


class SmartMoneyResponse(FrameResponse):
    """Zones and structure of one timeframe."""

    structure: StructureItem | None
    zones: list[EnhancedSMCZoneItem] = Field(max_length=MAX_ZONES, description="Best confluence first.")
