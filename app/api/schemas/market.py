"""Answers of `/market/{symbol}` and `/debug/premium/{symbol}`: raw figures with source, age and unit."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import AgeS, ApiModel, Detail, IsoTime, Name, RawValue, SymbolText
from app.api.schemas.signal_debug import InputItem
from app.core.domain.answer import ProbeStatus
from app.core.domain.context import DataMode
from app.core.domain.quality import MissingReason

MAX_GROUPS = 40
MAX_READINGS = 50


class ExtraGroup(ApiModel):
    """Figures of one provider beyond the inputs of the signal, or why there are none."""

    provider: Name = Field(description="Who was asked.")
    group: Name = Field(description="What the figures are about.")
    as_of: IsoTime | None = Field(description="Close of the newest bar or time of the event, UTC.")
    age_s: AgeS | None
    readings: list[RawValue] = Field(max_length=MAX_READINGS, description="The figures; empty on error.")
    error: MissingReason | None = Field(description="Why there are none; null when there are.")
    detail: Detail = Field(description="The error in words; empty when the figures are there.")


class MarketResponse(ApiModel):
    """Everything known about one coin, unscored."""

    symbol: SymbolText
    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    as_of: IsoTime = Field(description="Market time the inputs were complete, UTC; ages count back from it.")
    inputs: list[InputItem] = Field(max_length=12, description="The inputs of the signal.")
    extras: list[ExtraGroup] = Field(max_length=MAX_GROUPS, description="What providers know beside them.")
    truncated: bool = Field(
        description="True when figures were left out because the answer would be too long."
    )


class PremiumItem(ApiModel):
    """One premium capability, tried alone."""

    name: Name = Field(description="Which capability.")
    provider: Name = Field(description="Who was asked.")
    endpoint: Name = Field(description="Our name of the upstream resource.")
    status: ProbeStatus = Field(description="ok, not_in_plan, not_configured or failed.")
    latency_ms: float = Field(
        ge=0, description="Milliseconds from ask to answer, cache included; higher is slower."
    )
    error: MissingReason | None = Field(description="Why it did not answer; null when ok.")
    detail: Detail = Field(description="The error in words; empty when ok.")
    as_of: IsoTime | None = Field(description="Time of the newest figure, UTC; null when there is none.")
    readings: list[RawValue] = Field(max_length=MAX_READINGS, description="The figures; empty unless ok.")


class PremiumResponse(ApiModel):
    """Every premium capability of one coin, tried one by one."""

    symbol: SymbolText
    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    results: list[PremiumItem] = Field(max_length=MAX_GROUPS, description="One per capability.")
