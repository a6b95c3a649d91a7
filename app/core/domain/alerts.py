"""Alerts as the service keeps, judges and delivers them.

An alert is one episode of one coin. It keeps its id while it grows (`revision` counts up), so that one
message shows its final size. Money USD, shares fractions, confidence 0-100, times UTC epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide


class Severity(StrEnum):
    URGENT = "urgent"  # exempt from the hourly cap
    WATCH = "watch"
    INFO = "info"


class ContextVerdict(StrEnum):
    """What funding and open interest say of the alert's direction."""

    FAVORABLE = "FAVORABLE"
    NEUTRAL = "NEUTRAL"
    UNFAVORABLE = "UNFAVORABLE"


@dataclass(frozen=True, slots=True)
class AlertContext:
    """The market around an alert. note: one sentence; percentiles 0..1 of the coin's own 30 days, None where
    unknown (then the verdict is NEUTRAL and `unknown` names what was missing)."""

    verdict: ContextVerdict
    funding_8h_frac: float | None
    funding_percentile: float | None
    oi_change_1h_frac: float | None
    oi_change_percentile: float | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetupRecord:
    """What became of alerts of this kind, direction and tier so far. wins / scored: first touch of the
    target.

    shift: points the confidence was moved by it, 0 below 30 outcomes.
    """

    setup: str
    scored: int
    wins: int
    shift: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, all of it: what is stored, sent and shown.

    id: 16 hex digits of kind, coin and episode: the same episode is the same alert in every process, for
    ever.
    sources: detectors that agree, heaviest first. base_confidence: before record and context moved it.
    feeds: upstream streams its events came from. is_final: it will not grow any more. follows: id of the
    cascade's alert, where this is its reclaim.
    """

    id: str
    revision: int
    kind: AlertKind
    symbol: str
    direction: Direction
    severity: Severity
    side: LiquidatedSide | None
    phase: Phase | None
    started_ms: int
    ts_event_ms: int
    ts_init_ms: int
    usd: float
    ratio: float
    window_s: int
    price: float | None
    percentile: float | None
    confidence: float
    base_confidence: float
    record: SetupRecord | None
    context: AlertContext | None
    levels: TradeLevels | None
    sources: tuple[AlertKind, ...]
    feeds: tuple[str, ...]
    evidence: tuple[tuple[str, float], ...]
    is_final: bool
    data_mode: str
    follows: str | None = None


class DropReason(StrEnum):
    """Why an alert was not sent, in the order in which the gate asks."""

    NO_PRICE = "no_price"
    BAD_LEVELS = "bad_levels"
    NOT_WATCHED = "not_watched"
    MUTED = "muted"
    CONTEXT = "context"
    LOW_CONFIDENCE = "low_confidence"
    BELOW_THRESHOLD = "below_threshold"  # of the chat, in USD
    NO_CHANGE = "no_change"
    FLIP = "flip"  # the opposite of what was said less than 60 s ago
    EXPIRED = "expired"  # too old to act on by the time it could be sent
    QUIET_HOURS = "quiet_hours"
    HOURLY_CAP = "hourly_cap"
    NO_CHAT = "no_chat"  # kept and shown; nobody is there to be told


class FilterLevel(StrEnum):
    """How much the market's context decides: strict sends FAVORABLE only, normal blocks UNFAVORABLE,
    permissive sends all."""

    STRICT = "strict"
    NORMAL = "normal"
    PERMISSIVE = "permissive"


class Language(StrEnum):
    EN = "en"
    ID = "id"


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What one destination wants to hear. chat: `telegram:-100123`, `webhook`, `redis`.

    severities: which go here. watch None: the watchlist of the service, else these coins only; mute: coin (or
    `*`) to the time until which it is silent. thresholds: least USD by coin (or `*`). quiet_from_min and
    quiet_to_min: minutes of the UTC day between which only urgent ones pass, None for never. hourly_cap None:
    no cap (other systems). is_disabled: the chat threw the bot out.
    """

    chat: str
    severities: frozenset[Severity] = frozenset(Severity)
    language: Language = Language.EN
    watch: frozenset[str] | None = None
    unwatch: frozenset[str] = frozenset()
    mute: Mapping[str, int] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    level: FilterLevel = FilterLevel.NORMAL
    min_confidence: float = 70.0
    cooldown_s: int = 300
    hourly_cap: int | None = 50
    quiet_from_min: int | None = None
    quiet_to_min: int | None = None
    is_digest_on: bool = True
    digest_every_min: int | None = None  # a summary on a schedule, None for never
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate decided of one alert. reason: why nobody is told; None when it was kept.

    chats: destinations to tell, in the order of their settings; dropped: the reason of each that is not.
    is_edit: chats that were told before are to see the new revision in the same message.
    """

    alert: Alert
    reason: DropReason | None
    chats: tuple[str, ...]
    dropped: Mapping[str, DropReason]
    is_edit: bool = False


class DeliveryState(StrEnum):
    """What became of one message to one chat."""

    PENDING = "pending"
    SENDING = "sending"  # claimed; a kill now leaves it open whether it was sent
    SENT = "sent"
    FAILED = "failed"  # refused for good; the reason stands beside it
    UNCERTAIN = "uncertain"  # sent twice without an answer: not tried again


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox: an alert to one destination.

    revision: newest to be shown; sent_revision: last that was, 0 before the first. message_id: of the message
    that is edited. repeats: how often it was sent without knowing whether the time before arrived. body: the
    alert as JSON text (`core.alerting.codec`). group: alerts that share one message (a digest), else "".
    """

    alert_id: str
    chat: str
    state: DeliveryState
    revision: int
    sent_revision: int
    attempts: int
    repeats: int
    next_try_ms: int
    message_id: str | None
    body: str
    group: str = ""
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert of the history with its fate. drop_reason: why nobody was told, None when it was kept."""

    alert: Alert
    drop_reason: DropReason | None
    dropped_chats: Mapping[str, DropReason]
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts, newest first. None: all. limit 1..500."""

    symbol: str | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None
    is_kept: bool | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """How much waits. oldest_ms: since when the oldest is due, None when nothing waits."""

    pending: int
    sending: int
    failed: int
    uncertain: int
    oldest_ms: int | None
