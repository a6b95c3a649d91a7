"""Market structure of one timeframe, as it is shown. Prices in USD per coin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import ApiModel, IsoTime, Name
from app.api.schemas.liquidity import Bias, PriceUsd
from app.core.domain.structure import BreakKind, RangePart


class BreakItem(ApiModel):
    """The newest close beyond a structure level."""

    kind: BreakKind = Field(description="BOS: with the trend, CHoCH: against it.")
    direction: Bias = Field(description="bullish: upwards, bearish: downwards.")
    level: PriceUsd
    at: IsoTime = Field(description="Close of the candle that broke it, UTC.")
    margin_atr: float | None = Field(description="Close beyond the level in ATR; higher is clearer.")


class RangeItem(ApiModel):
    """The dealing range between the newest structure high and low."""

    high: PriceUsd
    low: PriceUsd
    position: float = Field(
        ge=0, le=1, description="Place of the close as a fraction of the range; higher is nearer to the high."
    )
    zone: RangePart = Field(description="discount below 0.475, premium above 0.525.")
    deep: bool = Field(description="True in the outermost twentieth.")
    optimal_entry: Literal["long", "short"] | None = Field(description="Where 62 to 79 % are retraced.")


class RetracementItem(ApiModel):
    """How much of the last leg was taken back."""

    leg: Bias = Field(description="bullish: the leg went up.")
    current_pct: float = Field(description="Percent of the leg taken back now; higher is deeper.")
    deepest_pct: float = Field(description="Percent taken back at most; higher is deeper.")


class SweepItem(ApiModel):
    """A level that was traded through lately."""

    kind: Literal["sweep", "run", "sweep_late"] = Field(
        description="sweep: closed back inside, run: beyond, sweep_late: back within 3 candles."
    )
    what: Literal["swing", "pool"] = Field(description="A single swing or equal highs or lows.")
    side: Literal["highs", "lows"] = Field(description="Which side was taken.")
    level: PriceUsd
    at: IsoTime = Field(description="Close of the candle that settled it, UTC.")
    stop_hunt: bool = Field(description="True for a sweep with a long wick on high volume.")


class PreviousItem(ApiModel):
    """High and low of the period before."""

    period: Literal["1d", "1w"] = Field(description="UTC day, or week from Monday.")
    high: PriceUsd
    low: PriceUsd
    partial: bool = Field(description="True when candles of that period are missing.")
    high_broken: bool = Field(description="True when this period has traded above.")
    low_broken: bool = Field(description="True when this period has traded below.")


class SessionItem(ApiModel):
    """A session or kill zone that holds the last closed candle."""

    name: Name = Field(description="Which one.")
    kill_zone: bool = Field(description="True for a kill zone.")
    since: IsoTime = Field(description="When it began, UTC.")
    high: PriceUsd
    low: PriceUsd


class StructureItem(ApiModel):
    """Structure at the last closed candle; null where there is too little history."""

    as_of: IsoTime = Field(description="Close of the last candle, UTC.")
    candles: int = Field(ge=0, description="Number of candles looked at.")
    missing_candles: int = Field(ge=0, description="Number of holes among them.")
    trend: Bias | None = Field(description="Direction of the newest break of structure.")
    last_break: BreakItem | None
    swing_high: float | None = Field(gt=0, description="Price in USD per coin of the newest structure high.")
    swing_low: float | None = Field(gt=0, description="Price in USD per coin of the newest structure low.")
    range: RangeItem | None
    retracement: RetracementItem | None
    sweeps: list[SweepItem] = Field(max_length=5, description="Newest first, those that still stand.")
    previous: list[PreviousItem] = Field(max_length=2, description="Day and week before.")
    sessions: list[SessionItem] = Field(
        max_length=7, description="Sessions that hold the last closed candle."
    )
