"""Candles of one coin for charts. Field names are public contract."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from app.api.schemas.base import AgeS, ApiModel, Detail, IsoTime, Name, SymbolText
from app.api.schemas.derivatives import Base, PriceUsd
from app.core.domain.context import DataMode
from app.core.domain.quality import MissingReason

MAX_CANDLES = 1_000
TimeframeWord: TypeAlias = Literal["5m", "15m", "30m", "1h", "4h", "1d"]


class ChartCandle(ApiModel):
    """One closed candle."""

    time: IsoTime = Field(description="Close of the bar, UTC.")
    open: PriceUsd
    high: PriceUsd
    low: PriceUsd
    close: PriceUsd
    volume_base: Base | None


class CandlesMissing(ApiModel):
    """Why there is no candle."""

    reason: MissingReason = Field(description="Why there is none.")
    detail: Detail = Field(description="The same in words.")


class CandlesResponse(ApiModel):
    """Closed candles of one coin and size, oldest first."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText
    timeframe: TimeframeWord = Field(description="Size of the candles.")
    source: Name | None = Field(description="Provider of the candles; null without any.")
    exchange: Name | None = Field(description="Exchange that traded them; null without any.")
    as_of: IsoTime | None = Field(description="Close of the newest candle, UTC; null without any.")
    age_s: AgeS | None
    candles: list[ChartCandle] = Field(max_length=MAX_CANDLES, description="Oldest first.")
    missing: CandlesMissing | None
