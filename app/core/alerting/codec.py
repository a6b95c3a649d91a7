"""Alerts and settings as JSON text: what the store keeps, a webhook receives and a Redis channel carries.

One shape for all three (docs/alerts.md, docs/schemas): camelCase, times RFC 3339 in UTC, money USD, shares
fractions. `v` counts incompatible changes of the shape; fields may be added within one. Pure; called by the
store, the delivery and whoever publishes signals.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from app.core.domain.alerts import (
    Alert,
    AlertContext,
    ChatSettings,
    ContextVerdict,
    FilterLevel,
    Language,
    SetupRecord,
    Severity,
)
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

VERSION: Final = 1
AlertId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Points = Annotated[float, msgspec.Meta(ge=0, le=100)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class MalformedText(ValueError):
    """The text is not what this codec writes."""


class LevelsMessage(msgspec.Struct, rename="camel", frozen=True):
    """Prices in USD per coin. LONG: stop < entry < every target; SHORT mirrored."""

    entry: float
    stop: float
    targets: tuple[float, ...]


class RecordMessage(msgspec.Struct, rename="camel", frozen=True):
    """Outcomes of alerts of this kind, direction and tier; shift: points the confidence was moved by."""

    setup: str
    scored: int
    wins: int
    shift: float


class ContextMessage(msgspec.Struct, rename="camel", frozen=True):
    """Funding per 8 h and 1 h change of open interest as fractions, with ranks in the coin's own 30 days."""

    verdict: ContextVerdict
    funding_8h_frac: float | None = msgspec.field(name="funding8hFrac")
    funding_percentile: Share | None
    oi_change_1h_frac: float | None = msgspec.field(name="oiChange1hFrac")
    oi_change_percentile: Share | None
    unknown: tuple[str, ...]


class AlertMessage(msgspec.Struct, rename="camel", frozen=True):
    """One revision of one alert. The same id with a higher revision replaces it.

    side: whose positions were closed; usd: size, summed over windowS seconds; ratio: over the threshold of
    the coin's tier; price: last traded, null when unknown; confidence: after record and context moved
    baseConfidence. evidence: numbers by name, units in the names. follows: id of the cascade of which this is
    the reclaim.
    """

    v: Literal[1]
    id: AlertId
    revision: Annotated[int, msgspec.Meta(ge=1)]
    kind: AlertKind
    symbol: str
    direction: Direction
    severity: Severity
    side: LiquidatedSide | None
    phase: Phase | None
    started_at: Moment
    event_at: Moment
    created_at: Moment
    usd: float
    ratio: float
    window_s: int
    price: float | None
    percentile: Share | None
    confidence: Points
    base_confidence: Points
    record: RecordMessage | None
    context: ContextMessage | None
    levels: LevelsMessage | None
    sources: tuple[AlertKind, ...]
    feeds: tuple[str, ...]
    evidence: dict[str, float]
    is_final: bool
    data_mode: str
    follows: AlertId | None = None


class SettingsText(msgspec.Struct, rename="camel", frozen=True, omit_defaults=False):
    """`ChatSettings` as it is stored; a field that is absent has its default."""

    v: int = VERSION
    chat: str = ""
    severities: tuple[Severity, ...] = tuple(Severity)
    language: Language = Language.EN
    watch: tuple[str, ...] | None = None
    unwatch: tuple[str, ...] = ()
    mute: dict[str, int] = {}
    thresholds: dict[str, float] = {}
    level: FilterLevel = FilterLevel.NORMAL
    min_confidence: float = 70.0
    cooldown_s: int = 300
    hourly_cap: int | None = 50
    quiet_from_min: int | None = None
    quiet_to_min: int | None = None
    is_digest_on: bool = True
    digest_every_min: int | None = None
    is_disabled: bool = False


_alert_decoder = msgspec.json.Decoder(AlertMessage)
_settings_decoder = msgspec.json.Decoder(SettingsText)


def encode_alert(alert: Alert) -> str:
    """The alert as one line of JSON, fields always in the same order."""
    return msgspec.json.encode(alert_message(alert)).decode()


def decode_alert(text: str) -> Alert:
    """The alert again, equal to the one encoded. Raises: MalformedText."""
    try:
        return _alert_of(_alert_decoder.decode(text))
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise MalformedText(f"not an alert: {error}") from error


def encode_settings(settings: ChatSettings) -> str:
    """The settings as one line of JSON; sets and mappings sorted, so that equal settings are equal text."""
    return msgspec.json.encode(
        SettingsText(
            chat=settings.chat,
            severities=tuple(item for item in Severity if item in settings.severities),
            language=settings.language,
            watch=None if settings.watch is None else tuple(sorted(settings.watch)),
            unwatch=tuple(sorted(settings.unwatch)),
            mute=dict(sorted(settings.mute.items())),
            thresholds=dict(sorted(settings.thresholds.items())),
            level=settings.level,
            min_confidence=settings.min_confidence,
            cooldown_s=settings.cooldown_s,
            hourly_cap=settings.hourly_cap,
            quiet_from_min=settings.quiet_from_min,
            quiet_to_min=settings.quiet_to_min,
            is_digest_on=settings.is_digest_on,
            digest_every_min=settings.digest_every_min,
            is_disabled=settings.is_disabled,
        )
    ).decode()


def decode_settings(text: str) -> ChatSettings:
    """The settings again; unknown fields are left out, absent ones are defaults. Raises: MalformedText."""
    try:
        held = _settings_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise MalformedText(f"not settings of a chat: {error}") from error
    return ChatSettings(
        chat=held.chat,
        severities=frozenset(held.severities),
        language=held.language,
        watch=None if held.watch is None else frozenset(held.watch),
        unwatch=frozenset(held.unwatch),
        mute=held.mute,
        thresholds=held.thresholds,
        level=held.level,
        min_confidence=held.min_confidence,
        cooldown_s=held.cooldown_s,
        hourly_cap=held.hourly_cap,
        quiet_from_min=held.quiet_from_min,
        quiet_to_min=held.quiet_to_min,
        is_digest_on=held.is_digest_on,
        digest_every_min=held.digest_every_min,
        is_disabled=held.is_disabled,
    )


def alert_message(alert: Alert) -> AlertMessage:
    """The shape that is written. A price that is no number is written as null: unknown."""
    price = alert.price
    return AlertMessage(
        v=VERSION,
        id=alert.id,
        revision=alert.revision,
        kind=alert.kind,
        symbol=alert.symbol,
        direction=alert.direction,
        severity=alert.severity,
        side=alert.side,
        phase=alert.phase,
        started_at=to_time(alert.started_ms),
        event_at=to_time(alert.ts_event_ms),
        created_at=to_time(alert.ts_init_ms),
        usd=alert.usd,
        ratio=alert.ratio,
        window_s=alert.window_s,
        price=price if price is None or math.isfinite(price) else None,
        percentile=alert.percentile,
        confidence=alert.confidence,
        base_confidence=alert.base_confidence,
        record=_record_message(alert.record),
        context=_context_message(alert.context),
        levels=_levels_message(alert.levels),
        sources=alert.sources,
        feeds=alert.feeds,
        evidence=dict(alert.evidence),
        is_final=alert.is_final,
        data_mode=alert.data_mode,
        follows=alert.follows,
    )


def to_time(ms: int) -> datetime:
    """UTC epoch milliseconds as a time, exact to the millisecond."""
    return _EPOCH + timedelta(milliseconds=ms)


def _to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _record_message(record: SetupRecord | None) -> RecordMessage | None:
    if record is None:
        return None
    return RecordMessage(record.setup, record.scored, record.wins, record.shift)


def _levels_message(levels: TradeLevels | None) -> LevelsMessage | None:
    return None if levels is None else LevelsMessage(levels.entry, levels.stop, levels.targets)


def _context_message(context: AlertContext | None) -> ContextMessage | None:
    if context is None:
        return None
    return ContextMessage(
        verdict=context.verdict,
        funding_8h_frac=context.funding_8h_frac,
        funding_percentile=context.funding_percentile,
        oi_change_1h_frac=context.oi_change_1h_frac,
        oi_change_percentile=context.oi_change_percentile,
        unknown=context.unknown,
    )


def _alert_of(held: AlertMessage) -> Alert:
    return Alert(
        id=held.id,
        revision=held.revision,
        kind=held.kind,
        symbol=held.symbol,
        direction=held.direction,
        severity=held.severity,
        side=held.side,
        phase=held.phase,
        started_ms=_to_ms(held.started_at),
        ts_event_ms=_to_ms(held.event_at),
        ts_init_ms=_to_ms(held.created_at),
        usd=held.usd,
        ratio=held.ratio,
        window_s=held.window_s,
        price=held.price,
        percentile=held.percentile,
        confidence=held.confidence,
        base_confidence=held.base_confidence,
        record=None if held.record is None else SetupRecord(*msgspec.structs.astuple(held.record)),
        context=None if held.context is None else AlertContext(*msgspec.structs.astuple(held.context)),
        levels=None if held.levels is None else TradeLevels(*msgspec.structs.astuple(held.levels)),
        sources=held.sources,
        feeds=held.feeds,
        evidence=tuple(held.evidence.items()),
        is_final=held.is_final,
        data_mode=held.data_mode,
        follows=held.follows,
    )
