"""Pieces of the liquidity answers: clusters, zones, odds, plans. Field names are public contract: added to,
not renamed. Prices in USD per coin, volumes in USD, distances in ATR of the timeframe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import SENTENCE_CHARS, ApiModel, Detail, IsoTime, Name
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import EntryKind, LevelSource, ProbabilitySource, ZoneKind, ZoneState

MAX_CLUSTERS = 12
MAX_ZONES = 8
MAX_LEVELS = 10
MAX_SETUPS = 4

Timeframe = Literal["5m", "15m", "30m", "1h", "4h", "1d"]
Bias = Literal["bullish", "bearish"]
PriceUsd = Annotated[float, Field(gt=0, description="Price in USD per coin.")]
Frac = Annotated[float, Field(ge=0, le=1, description="Fraction from 0 to 1; higher is more.")]
Chance = Annotated[
    float | None,
    Field(ge=0, le=1, description="Chance as a fraction from 0 to 1; higher is likelier, null when unknown."),
]


PlanProbability = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="Calibrated chance of a filled plan to win as a fraction; higher is likelier, null "
        "unless proven on later data.",
    ),
]


class LackItem(ApiModel):
    """Something that could not be had or said."""

    what: Name = Field(description="What is lacking.")
    why: Detail = Field(description="Why, in words.")


class LevelsItem(ApiModel):
    """Where the liquidation levels come from and what they are."""

    source: LevelSource = Field(description="Kind of source.")
    provider: Name = Field(description="Provider of the figures behind the levels.")
    meaning: str = Field(max_length=SENTENCE_CHARS, description="What a level of this source is.")
    age_s: float = Field(ge=0, description="Age of the newest figure in seconds; higher is older.")


class LiquidationZoneItem(ApiModel):
    """A cluster of liquidation levels."""

    price: PriceUsd
    low: PriceUsd
    high: PriceUsd
    near: float = Field(gt=0, description="Price in USD per coin of the edge that faces the market.")
    volume: float = Field(ge=0, description="Volume in USD, as `levels` means it; larger is more.")
    side: PositionSide = Field(description="LONG: longs are closed there by force, sold; SHORT: bought.")
    strength: float = Field(
        ge=0, le=100, description="Volume in percent of the largest cluster's; higher is more."
    )
    magnet: float = Field(
        ge=0,
        le=100,
        description="Share of all distance-weighted fuel in percent; higher is more, no forecast.",
    )
    distance_atr: float = Field(description="Distance of `near` in ATR; positive above the price.")


class ConfluencePartsItem(ApiModel):
    """Factors of a confluence score, multiplied with their weights."""

    overlap: Frac
    volume: Frac
    quality: Frac
    proximity: Frac
    agreement: Frac
    gap_atr: float = Field(ge=0, description="Distance of zone and cluster in ATR; larger is further apart.")


class EnhancedSMCZoneItem(ApiModel):
    """A Smart Money zone with the liquidations beside it."""

    kind: ZoneKind = Field(description="What the zone is.")
    direction: Bias = Field(description="bullish: demand below, bearish: supply above.")
    label: Name = Field(description="The zone in words.")
    top: PriceUsd
    bottom: PriceUsd
    state: ZoneState = Field(description="How used it is at the last closed candle.")
    formed_at: IsoTime = Field(description="Close of the candle it lies on, UTC.")
    known_at: IsoTime = Field(description="Close of the candle at which it could be known, UTC.")
    liquidation_confluence: bool = Field(description="True with a cluster of its side within 0.5 ATR.")
    liquidation_volume: float | None = Field(
        ge=0, description="Volume of the best cluster in USD; larger is more, null without clusters."
    )
    liquidation_price: float | None = Field(
        gt=0, description="Price in USD per coin, the mean of that cluster; null without clusters."
    )
    confluence_score: float | None = Field(
        ge=0, le=100, description="Points from 0 to 100; higher is more, null when nothing could be scored."
    )
    parts: ConfluencePartsItem | None = Field(description="What the score is made of.")


class SweepProbabilityItem(ApiModel):
    """Chance that price trades at a level."""

    level: PriceUsd
    side: PositionSide = Field(description="LONG: below the price, SHORT: above it.")
    distance_atr_1h: float | None = Field(ge=0, description="Distance in ATR of 1h; higher is further.")
    within_4h: Chance
    within_24h: Chance
    source: ProbabilitySource = Field(description="hitRateTable: measured share of past levels so far away.")
    n_4h: int = Field(ge=0, description="Number of past windows behind the 4 h figure.")
    n_24h: int = Field(ge=0, description="Number of past windows behind the 24 h figure.")
    closed_form_4h: Chance
    closed_form_24h: Chance
    reason: Detail | None = Field(description="Why a figure is null; null when none is.")


class TargetItem(ApiModel):
    """A price to take profit at."""

    price: PriceUsd
    reward_risk: float = Field(description="Reward in multiples of the risk; higher is better.")


class VolumeConfirmationItem(ApiModel):
    """Did dollars trade the setup's way?"""

    usd_share: Frac
    confirmed: bool = Field(description="True when more than half did.")
    candles: int = Field(ge=1, description="Number of candles looked at.")


class SetupItem(ApiModel):
    """A plan around one confluent zone. Market data, not advice."""

    side: PositionSide = Field(description="LONG or SHORT.")
    entry_kind: EntryKind = Field(
        description="limit: an order in the zone; reclaim: the close after a sweep."
    )
    entry: PriceUsd
    stop: PriceUsd
    targets: list[TargetItem] = Field(max_length=3, description="Nearest first.")
    risk_atr: float = Field(ge=0, description="Entry to stop in ATR; higher is wider.")
    confluence_score: float = Field(ge=0, le=100, description="Points of the zone, 0 to 100; higher is more.")
    zone: Name = Field(description="The zone in words.")
    horizon_h: float = Field(gt=0, description="Number of hours that the chances below hold for.")
    fill_probability: Frac
    fill_source: ProbabilitySource | None = Field(
        description="Where the chance of a fill comes from; null when the entry is to be had now."
    )
    target_probability: float = Field(
        ge=0,
        le=1,
        description="Driftless walk's chance as a fraction that the target comes first, unverified; higher "
        "is likelier.",
    )
    stop_probability: float = Field(
        ge=0,
        le=1,
        description="Driftless walk's chance as a fraction that the stop comes first, unverified; higher is "
        "riskier.",
    )
    expectancy_r: float = Field(
        description="Gain of that walk in multiples of the risk, unverified; positive is more. Without fees."
    )
    risk_score: float = Field(
        ge=0,
        le=100,
        description="That walk's chance in percent that the stop comes first, unverified; higher is riskier.",
    )
    probability: PlanProbability
    probability_reason: Detail | None = Field(description="Why `probability` is null; null when it is not.")
    volume_confirmation: VolumeConfirmationItem | None = Field(description="null when volume is unknown.")
    invalidation: list[Detail] = Field(max_length=6, description="What ends the plan.")
