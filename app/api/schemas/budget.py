"""Answer of `/coinglass/status`."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name
from app.core.domain.context import DataMode
from app.core.domain.status import ProviderState

MAX_ROWS = 100


class BudgetItem(ApiModel):
    """One resource that is kept fresh."""

    endpoint: Name = Field(description="Which endpoint.")
    params: Detail = Field(description="What is asked for.")
    demand: float = Field(ge=0, description="Number of questions lately, halved every ten minutes.")
    watched: bool = Field(description="Whether it belongs to a coin of the watchlist.")
    age_s: float | None = Field(
        ge=0, description="Seconds since it was fetched; higher is older; null without one."
    )
    min_period_s: float = Field(ge=0, description="Seconds between renewals upstream; higher is slower.")
    period_s: float | None = Field(
        ge=0, description="Seconds between calls that are aimed at; higher is slower; null: with each bar."
    )
    due_s: float = Field(ge=0, description="Seconds until it may be asked again; higher is slower.")
    outcome: Name = Field(description="ok, waiting, or the error of the last call.")


class BudgetResponse(ApiModel):
    """How the calls of the CoinGlass key are spent."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    provider: Name = Field(description="Whose budget it is.")
    state: ProviderState = Field(description="not_configured: there is no key and no budget.")
    plan: Name | None = Field(description="Plan of the key; null when not known.")
    calls_limit: int | None = Field(description="Number of calls a minute; null without a key.")
    calls_used: int | None = Field(description="Number of calls in the running minute; null without a key.")
    calls_left: int | None = Field(description="Number of calls left in it; null without a key.")
    calls_reserved: int | None = Field(description="Number of calls a minute kept for questions.")
    planned_per_minute: float | None = Field(
        ge=0, description="Number of calls a minute that may be made ahead of questions; null: none are."
    )
    efficiency: float | None = Field(
        ge=0,
        le=1,
        description="Ideal over achieved mean age of what is asked ahead, a fraction; higher is better, 1 at "
        "most (questions renew values too); null until everything is in its second period.",
    )
    next_poll_s: float | None = Field(ge=0, description="Seconds until the next call; higher is slower.")
    resources: list[BudgetItem] = Field(max_length=MAX_ROWS, description="Most wanted first.")
    total: int = Field(ge=0, description="Number of resources in all.")
    truncated: bool = Field(description="True when there are more than shown.")
