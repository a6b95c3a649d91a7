"""Keys and the audit log as admins see them. Field names are public contract."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.options import Scope
from app.api.schemas.base import DETAIL_CHARS, ApiModel, Detail, IsoTime, Name
from app.api.schemas.history import CURSOR_CHARS
from app.core.domain.access import MAX_KEYS, AuditAction, AuditOutcome, KeyState

MAX_EVENTS = 200
# Those of the environment, of which there are a few.
MAX_LISTED = MAX_KEYS + 200


class KeyItem(ApiModel):
    """One key. Neither its text nor its digest is ever shown."""

    name: Name = Field(description="Name of the key: what limits and the audit log know it by.")
    source: Literal["environment", "database"] = Field(
        description="environment: of API_KEYS; database: made by the command app.keys."
    )
    state: KeyState = Field(description="What it is good for now.")
    scopes: list[Scope] = Field(max_length=3, description="What it may do.")
    created: IsoTime | None = Field(description="When it was made; null for one of the environment.")
    expires: IsoTime | None = Field(description="First moment it is not accepted; null for never.")
    revoked: IsoTime | None = Field(description="When it was revoked; null unless it was.")
    last_used: IsoTime | None = Field(
        description="Last request that carried it, to the minute; null for never and for the environment's."
    )


class KeysResponse(ApiModel):
    """Every key there is."""

    timestamp: IsoTime = Field(description="When this answer was made; real time, UTC.")
    items: list[KeyItem] = Field(max_length=MAX_LISTED, description="Of the environment first, then by name.")


class AuditItem(ApiModel):
    """One row of the audit log."""

    at: IsoTime = Field(description="When it happened first; real time, UTC.")
    actor: Detail = Field(
        description="key:NAME, session:NAME, chat:ID, cli:USER, stranger, anyone (a service without keys), "
        "or many (refusals from more addresses than are told apart)."
    )
    action: AuditAction = Field(description="What was done or tried.")
    outcome: AuditOutcome = Field(description="done or refused.")
    target: str = Field(
        max_length=DETAIL_CHARS, description="A coin, the name of a key, a route; may be empty."
    )
    times: int = Field(ge=1, description="How many of the same there were within the minute.")
    request_id: Name | None = Field(description="X-Request-ID of the first of them; null without one.")
    address: Name | None = Field(description="Address it was counted under; null without one.")


class AuditResponse(ApiModel):
    """One page of the audit log, newest first."""

    timestamp: IsoTime = Field(description="When this answer was made; real time, UTC.")
    items: list[AuditItem] = Field(max_length=MAX_EVENTS, description="Newest first.")
    next: str | None = Field(
        max_length=CURSOR_CHARS, description="Cursor of the next page; null on the last one."
    )
