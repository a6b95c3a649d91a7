"""Answers of the alert routes. A destination is named by its kind alone: a chat's id is nobody else's.

Field names are public contract: added to, not renamed. Times are ISO-8601 UTC.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import ApiModel, Detail, IsoTime, Name, SymbolText
from app.api.schemas.history import CURSOR_CHARS
from app.core.domain.alerts import ContextVerdict, DeliveryState, DropReason, Severity
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind, Phase
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

MAX_ALERTS = 50
MAX_TARGETS = 5
MAX_EVIDENCE = 40
MAX_NAMES = 12
MAX_DELIVERIES = 50

AlertId = Annotated[
    str,
    Field(max_length=16, pattern=r"^[0-9a-f]{1,16}$", description="The same for the same episode for ever."),
]
PercentileFrac = Annotated[
    float | None,
    Field(
        ge=0, le=1, description="Fraction of the coin's own 30 days below it; higher is rarer, null unknown."
    ),
]


class AlertTargetItem(ApiModel):
    """A price to take profit at."""

    price_usd: float = Field(gt=0, description="Price in USD.")
    distance_pct: float = Field(description="Percent from the entry; positive is above it.")


class AlertLevelsItem(ApiModel):
    """Entry, stop and targets; LONG: stop below entry below targets, SHORT mirrored."""

    entry_usd: float = Field(gt=0, description="Price in USD to enter at.")
    stop_usd: float = Field(gt=0, description="Price in USD at which the idea is wrong.")
    stop_distance_pct: float = Field(description="Percent from entry to stop; negative is below it.")
    targets: list[AlertTargetItem] = Field(max_length=MAX_TARGETS, description="Nearest first.")


class AlertContextItem(ApiModel):
    """What funding and open interest said of the direction."""

    verdict: ContextVerdict
    funding8h_frac: float | None = Field(
        description="Funding per 8 h as a fraction; positive: longs pay shorts. Null unknown."
    )
    funding_percentile_frac: PercentileFrac
    oi_change1h_frac: float | None = Field(
        description="Change of open interest over 1 h as a fraction; positive is growth, null unknown."
    )
    oi_change_percentile_frac: PercentileFrac
    unknown: list[Name] = Field(max_length=MAX_NAMES, description="What was not known.")


class SetupRecordItem(ApiModel):
    """What became of alerts like this one so far."""

    setup: Name = Field(description="Kind, direction and class of coin.")
    scored: int = Field(ge=0, description="Number of them with an outcome.")
    wins: int = Field(
        ge=0,
        description="Number of them that earned more than their costs within 4 h.",
    )
    shift: float = Field(
        description="Points the confidence was moved by it; positive is up, 0 below 30 outcomes."
    )


class EvidenceItem(ApiModel):
    """One figure behind the alert."""

    name: Name = Field(description="What was measured; the name ends in its unit.")
    value: float = Field(description="The figure, in the unit that `name` ends in.")


class AlertItem(ApiModel):
    """One alert with its fate."""

    id: AlertId
    revision: int = Field(ge=1, description="Number of times it was said, each larger or nearer its end.")
    kind: AlertKind
    symbol: SymbolText
    direction: Direction
    severity: Severity
    side: LiquidatedSide | None = Field(description="Whose positions were closed, null where none were.")
    phase: Phase | None = Field(description="Where a cascade stands, null for other kinds.")
    started: IsoTime = Field(description="When the episode began.")
    as_of: IsoTime = Field(description="Newest event in it.")
    age_s: float = Field(ge=0, description="Seconds since that event; higher is older.")
    learned_s: float = Field(description="Seconds from that event to its arrival here; higher is slower.")
    usd: float = Field(ge=0, description="Size in USD, larger is more; 0 for kinds without a size.")
    ratio: float = Field(ge=0, description="Size in multiples of the class's threshold; larger is more.")
    window_s: int = Field(
        ge=0, description="Seconds it was summed over, larger is longer; 0 for a single deed."
    )
    price_usd: float | None = Field(gt=0, description="Price in USD of the last trade, null without one.")
    percentile_frac: PercentileFrac
    confidence: float = Field(ge=0, le=100, description="Points, 0 to 100; higher is surer.")
    base_confidence: float = Field(
        ge=0, le=100, description="Points before record and context moved it; higher is surer."
    )
    levels: AlertLevelsItem | None = Field(description="Null where the kind has none.")
    final: bool = Field(description="True when it will not grow any more.")
    follows: AlertId | None = Field(description="Of a reclaim: the alert of its cascade, null for others.")
    kept: bool = Field(description="True when somebody was told, or was to be.")
    drop_reason: DropReason | None = Field(description="Why nobody was told, null when it was kept.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")


class AlertsResponse(ApiModel):
    """One page of alerts, newest first."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText | None = Field(description="The coin asked for, null for all.")
    items: list[AlertItem] = Field(max_length=MAX_ALERTS, description="Newest first.")
    next: str | None = Field(
        max_length=CURSOR_CHARS, description="Cursor of the next page, null on the last one."
    )
    note: Detail | None = Field(description="Why a first page is empty, null otherwise.")


class DroppedItem(ApiModel):
    """Destinations of one kind that were not told, for one reason."""

    destination: Name = Field(description="Kind of destination, such as telegram.")
    reason: DropReason
    count: int = Field(ge=1, description="Number of destinations.")


class DeliveryItem(ApiModel):
    """One message to one destination."""

    destination: Name = Field(description="Kind of destination, such as telegram.")
    state: DeliveryState
    revision: int = Field(ge=0, description="Number of the newest revision to be shown.")
    sent_revision: int = Field(ge=0, description="Number of the last one that was, 0 before the first.")
    attempts: int = Field(ge=0, description="Number of attempts.")
    repeats: int = Field(ge=0, description="Number of attempts made without knowing of the one before.")
    next_try: IsoTime | None = Field(description="When it is tried next, null when it is not.")
    error: Detail | None = Field(description="What went wrong last, null when nothing did.")


class AlertResponse(ApiModel):
    """One alert with all that stands behind it."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    alert: AlertItem
    sources: list[AlertKind] = Field(
        max_length=MAX_NAMES, description="Detectors that agree, heaviest first."
    )
    feeds: list[Name] = Field(max_length=MAX_NAMES, description="Upstream streams of its events.")
    evidence: list[EvidenceItem] = Field(max_length=MAX_EVIDENCE, description="Figures behind it.")
    context: AlertContextItem | None = Field(description="Null where the market was not looked at.")
    record: SetupRecordItem | None = Field(description="Null where no outcome is known.")
    dropped: list[DroppedItem] = Field(
        max_length=MAX_DELIVERIES, description="Destinations that were not told."
    )
    deliveries: list[DeliveryItem] = Field(
        max_length=MAX_DELIVERIES, description="Messages, one for each destination."
    )
