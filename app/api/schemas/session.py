"""The login of the dashboard: what is sent, and who one is."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.api.auth import MAX_KEY_CHARS
from app.api.options import Scope
from app.api.schemas.base import ApiModel, Detail, Name
from app.core.domain.context import DataMode


class SessionRequest(ApiModel):
    """A login. More fields are ignored, so that no refusal repeats what was sent."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    token: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_KEY_CHARS, pattern=r"^[!-~]+$"),
    ] = Field(description="DASHBOARD_TOKEN, or an API key.", repr=False)


class SignalThreshold(ApiModel):
    """Where one mode says LONG and SHORT."""

    long: float = Field(gt=50, lt=100, description="LONG from this score up, in points.")
    short: float = Field(gt=0, lt=50, description="SHORT from this score down, in points.")


class SignalThresholds(ApiModel):
    """The thresholds this service gives its signals by."""

    conservative: SignalThreshold
    balanced: SignalThreshold
    aggressive: SignalThreshold


class SessionResponse(ApiModel):
    """Who is asking, and what they may do."""

    signed_in: bool = Field(description="True when read answers are given: by a login, a key, or to all.")
    login_required: bool = Field(description="False where everything is open to everybody.")
    name: Name | None = Field(description="Name of the key or token; null without one.")
    scopes: list[Scope] = Field(max_length=3, description="What the caller may do.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    version: Name = Field(description="Version of the service.")
    live: bool = Field(description="Whether pages of the address this was asked under may open /ws.")
    live_reason: Detail | None = Field(description="Why not, and which setting decides; null when they may.")
    thresholds: SignalThresholds | None = Field(
        description="Thresholds of the signals by mode; null for who may not read."
    )
