"""Answers of the health routes and of the index."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name
from app.core.domain.context import DataMode
from app.core.domain.status import DependencyState, ProviderState, ReadyStatus


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class LiveResponse(ApiModel):
    """The process is up."""

    status: Literal["ok"] = Field(description="Constant: the process answers.")


class PlannerItem(ApiModel):
    """What is asked of a provider ahead of questions."""

    resources: int = Field(ge=0, description="Number of resources that are kept fresh.")
    calls_per_minute: float = Field(ge=0, description="Number of calls a minute that may be spent on them.")
    efficiency: float | None = Field(
        ge=0,
        le=1,
        description="Ideal over achieved mean age of what is asked ahead, a fraction; higher is better, 1 at "
        "most (questions renew values too); null until everything is in its second period.",
    )
    next_poll_s: float | None = Field(
        ge=0, description="Seconds until the next call; higher is later, so older data; null without any."
    )


class ProviderItem(ApiModel):
    """One provider right now."""

    provider: Name = Field(description="Which provider.")
    state: ProviderState = Field(description="not_configured and unused are states, not faults.")
    last_success: IsoTime | None = Field(description="Last successful call, UTC; null before the first.")
    last_error: Detail | None = Field(description="Last error in words; null when there was none.")
    breaker: BreakerState = Field(description="Whether the provider is asked at the moment.")
    plan: Name | None = Field(description="Plan of the key; null when not known.")
    quota_left: int | None = Field(
        description="Number of calls left in the current window; null when the provider states none."
    )
    quota_limit: int | None = Field(
        description="Number of calls allowed per window; null when the provider states none."
    )
    not_in_plan: list[Name] = Field(max_length=200, description="Resources the plan lacks.")
    planner: PlannerItem | None = Field(description="What is asked ahead; null where nothing is.")


class DependencyItem(ApiModel):
    """One dependency that is not a market-data provider."""

    name: Name = Field(description="Which dependency.")
    state: DependencyState = Field(description="ok, starting or down.")
    detail: Detail = Field(description="Why, in words; empty when ok.")


class HealthResponse(ApiModel):
    """Whether answers can be given, and what they stand on."""

    status: ReadyStatus = Field(
        description="ok, degraded (a price, not everything) or unavailable (no price)."
    )
    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    price_ok: bool = Field(description="True while at least one price source can be asked.")
    providers: list[ProviderItem] = Field(max_length=20, description="Every market-data provider.")
    dependencies: list[DependencyItem] = Field(max_length=20, description="Cache, store and the like.")


class RouteItem(ApiModel):
    """One route of this service."""

    method: Literal["GET"] = Field(description="HTTP method.")
    path: Name = Field(description="Path template.")
    description: Detail = Field(description="What it answers.")


class IndexResponse(ApiModel):
    """What this service is and where to go."""

    name: Name = Field(description="Name of the service.")
    version: Name = Field(description="Version of the service.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    disclaimer: Detail = Field(description="What the answers are not.")
    routes: list[RouteItem] = Field(max_length=100, description="Every route.")
