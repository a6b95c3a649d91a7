"""Answers of the catalogue routes: what CoinGlass offers, and what one endpoint answered."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name
from app.core.domain.context import DataMode
from app.core.domain.quality import CacheState, MissingReason


class ParameterItem(ApiModel):
    """One query parameter of an endpoint."""

    name: Name = Field(description="Name of the parameter.")
    type: Name = Field(description="string, integer or number.")
    required: bool = Field(description="Whether it has to be sent.")
    form: Name | None = Field(description="coin (BTC) or pair (BTCUSDT) for symbols, else null.")
    choices: list[Name] = Field(max_length=40, description="Allowed values; empty when any will do.")
    maximum: int | None = Field(description="Largest number; null when there is none.")
    default: Name | None = Field(description="What is taken when it is not sent.")
    example: Detail = Field(description="A value that is answered with rows, or the values in words.")


class EndpointItem(ApiModel):
    """One endpoint of the provider."""

    id: Name = Field(description="Our name of it, for /coinglass/endpoints/{id}.")
    group: Name = Field(description="What it is about.")
    about: Detail = Field(description="What it answers.")
    parameters: list[ParameterItem] = Field(max_length=20, description="What it takes.")
    plans: dict[str, str] = Field(description="Plan to yes, no, from 4h (bars of that size up), not stated.")
    cheapest_plan: Name | None = Field(description="Smallest plan that has it; null when not stated.")
    update_s: float | None = Field(
        description="Seconds between renewals at the provider; 0 is real time; null when not stated."
    )
    units: list[Name] = Field(max_length=30, description="Units of its figures.")
    available: bool = Field(description="Whether the key of this service may ask for it now.")
    why_not: MissingReason | None = Field(description="Why it may not; null when it may.")


class EndpointsResponse(ApiModel):
    """The catalogue, or the part that was asked for."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    items: list[EndpointItem] = Field(max_length=400, description="The endpoints.")
    total: int = Field(ge=0, description="Number of endpoints shown.")


class CatalogResponse(ApiModel):
    """What one endpoint answered."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    endpoint: Name = Field(description="Which endpoint.")
    provider: Name = Field(description="Who answered.")
    plan: Name | None = Field(description="Plan of the key; null when not known.")
    as_of: IsoTime = Field(
        description="When this service fetched the answer, UTC; how old the figures are says `newestAt`."
    )
    age_s: float = Field(ge=0, description="Seconds since it was fetched; higher is older.")
    newest_at: IsoTime | None = Field(
        description="Time of the newest row as CoinGlass stamps it: of a bar its OPEN (the typed routes give "
        "the close). Null where rows carry no time."
    )
    cache: CacheState = Field(description="miss, hit or stale.")
    raw: bool = Field(description="True: as the provider sent it. False: with units in the names.")
    data: Any = Field(
        description="The figures. Names end in their unit: Usd, Base (coins), Pct (percent), Frac, Ms, H. "
        "`time` of a bar is its OPEN. Rows keep the provider's order; the first page holds the newest."
    )
    rows: int = Field(ge=0, description="Number of rows in all.")
    truncated: bool = Field(description="True when there are more rows than shown.")
    next: str | None = Field(
        max_length=20,
        description="Cursor of the rest, older rows where they carry a time; null when all is shown.",
    )
