"""Counts of the service. Field names are public contract."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime
from app.core.domain.alerts import DropReason
from app.core.domain.context import DataMode
from app.core.domain.stored import StoreState


class DroppedAlerts(ApiModel):
    """Alerts that nobody was told, for one reason."""

    reason: DropReason = Field(description="Why nobody was told.")
    count: int = Field(ge=0, description="Number of alerts.")


class StatsResponse(ApiModel):
    """How much there is. Counts are not outcomes; null is not zero, and whyNull says why."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    since: IsoTime = Field(description="Where the counts of signals and alerts begin: 24 h before.")
    coins_listed: int = Field(ge=0, description="Number of coins in the watchlist.")
    coins_on: int = Field(ge=0, description="Number of coins that are followed.")
    signals_total: int | None = Field(description="Number of stored signals, asked for or scheduled.")
    signals_long: int | None = Field(description="Number of those that were LONG.")
    signals_neutral: int | None = Field(description="Number of those that were NEUTRAL.")
    signals_short: int | None = Field(description="Number of those that were SHORT.")
    alerts_total: int | None = Field(description="Number of alerts, told or not.")
    alerts_kept: int | None = Field(description="Number of those that somebody was told, or was to be.")
    alerts_dropped: list[DroppedAlerts] | None = Field(
        max_length=len(DropReason), description="The others by reason, the largest count first."
    )
    live_clients: int = Field(ge=0, description="Number of connections to the live feed of this process.")
    store_state: StoreState = Field(description="How the database does.")
    store_rows_waiting: int = Field(ge=0, description="Number of rows of this process not yet written.")
    store_oldest_waiting_s: float = Field(ge=0, description="Age of the oldest in seconds; higher is later.")
    store_rows_lost: int = Field(ge=0, description="Number of rows lost since this process started.")
    why_null: Detail | None = Field(description="Why counts are null; null when none is.")
