"""Stored alerts as models: rounding, ISO times, and destinations without their ids. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.schemas import alerts as schema
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.core.domain.alerts import (
    Alert,
    AlertContext,
    AlertQuery,
    Delivery,
    DeliveryState,
    DropReason,
    SetupRecord,
    StoredAlert,
)
from app.core.domain.context import DataMode
from app.core.domain.flow import TradeLevels
from app.core.domain.stored import Page

_USD_DIGITS = 6
_OPEN = frozenset({DeliveryState.PENDING, DeliveryState.SENDING})


def alerts(
    page: Page[StoredAlert], query: AlertQuery, *, now_ms: int, data_mode: DataMode
) -> schema.AlertsResponse:
    """One page, newest first."""
    return schema.AlertsResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=query.symbol,
        items=[item(found, now_ms) for found in page.rows],
        next=page.cursor,
        note=_note(page, query),
    )


def alert(found: StoredAlert, *, now_ms: int) -> schema.AlertResponse:
    """One alert with all that stands behind it."""
    body = found.alert
    return schema.AlertResponse(
        timestamp=iso_utc(now_ms),
        alert=item(found, now_ms),
        sources=list(body.sources[: schema.MAX_NAMES]),
        feeds=[clip(feed, NAME_CHARS) for feed in body.feeds[: schema.MAX_NAMES]],
        evidence=[
            schema.EvidenceItem(name=clip(name, NAME_CHARS), value=significant(value))
            for name, value in body.evidence[: schema.MAX_EVIDENCE]
        ],
        context=None if body.context is None else _context(body.context),
        record=None if body.record is None else _record(body.record),
        dropped=_dropped(found.dropped_chats),
        deliveries=[_delivery(one) for one in found.deliveries[: schema.MAX_DELIVERIES]],
    )


def destination(chat: str) -> str:
    """The kind of a destination and nothing else: `telegram:-100123` -> `telegram`."""
    return clip(chat.partition(":")[0], NAME_CHARS)


def _note(page: Page[StoredAlert], query: AlertQuery) -> str | None:
    if page.rows or query.cursor is not None:
        return None
    narrowed = (query.symbol, query.kind, query.severity, query.is_kept, query.from_ms, query.to_ms)
    if any(value is not None for value in narrowed):
        return "no alert fits these filters"
    return "no alert is stored: the worker has not run, or has found nothing yet"


def item(found: StoredAlert, now_ms: int) -> schema.AlertItem:
    """One alert as lists show it."""
    body = found.alert
    return schema.AlertItem(
        id=body.id,
        revision=body.revision,
        kind=body.kind,
        symbol=body.symbol,
        direction=body.direction,
        severity=body.severity,
        side=body.side,
        phase=body.phase,
        started=iso_utc(body.started_ms),
        as_of=iso_utc(body.ts_event_ms),
        age_s=age_s(now_ms, body.ts_event_ms),
        learned_s=places((body.ts_init_ms - body.ts_event_ms) / 1000, 3),
        usd=significant(body.usd, _USD_DIGITS),
        ratio=significant(body.ratio, _USD_DIGITS),
        window_s=body.window_s,
        price_usd=None if body.price is None else significant(body.price),
        percentile_frac=_share(body.percentile),
        confidence=places(body.confidence, 1),
        base_confidence=places(body.base_confidence, 1),
        levels=None if body.levels is None else _levels(body.levels),
        final=body.is_final,
        follows=body.follows,
        kept=found.drop_reason is None,
        drop_reason=found.drop_reason,
        data_mode=_mode(body),
    )


def _mode(body: Alert) -> DataMode:
    return DataMode(body.data_mode)


def _levels(levels: TradeLevels) -> schema.AlertLevelsItem:
    return schema.AlertLevelsItem(
        entry_usd=significant(levels.entry),
        stop_usd=significant(levels.stop),
        stop_distance_pct=_percent(levels.stop, levels.entry),
        targets=[
            schema.AlertTargetItem(price_usd=significant(price), distance_pct=_percent(price, levels.entry))
            for price in levels.targets[: schema.MAX_TARGETS]
        ],
    )


def _percent(price: float, entry: float) -> float:
    """Signed: 101 against 100 -> 1.0."""
    return places((price / entry - 1) * 100, 2)


def _context(context: AlertContext) -> schema.AlertContextItem:
    return schema.AlertContextItem(
        verdict=context.verdict,
        funding8h_frac=_number(context.funding_8h_frac),
        funding_percentile_frac=_share(context.funding_percentile),
        oi_change1h_frac=_number(context.oi_change_1h_frac),
        oi_change_percentile_frac=_share(context.oi_change_percentile),
        unknown=[clip(name, NAME_CHARS) for name in context.unknown[: schema.MAX_NAMES]],
    )


def _record(record: SetupRecord) -> schema.SetupRecordItem:
    return schema.SetupRecordItem(
        setup=clip(record.setup, NAME_CHARS),
        scored=record.scored,
        wins=record.wins,
        shift=places(record.shift, 2),
    )


def _dropped(chats: Mapping[str, DropReason]) -> list[schema.DroppedItem]:
    counted = Counter((destination(chat), reason) for chat, reason in chats.items())
    return [
        schema.DroppedItem(destination=kind, reason=reason, count=count)
        for (kind, reason), count in sorted(counted.items())[: schema.MAX_DELIVERIES]
    ]


def _delivery(one: Delivery) -> schema.DeliveryItem:
    return schema.DeliveryItem(
        destination=destination(one.chat),
        state=one.state,
        revision=one.revision,
        sent_revision=one.sent_revision,
        attempts=one.attempts,
        repeats=one.repeats,
        next_try=iso_utc(one.next_try_ms) if one.state in _OPEN else None,
        error=None if one.last_error is None else clip(_masked(one.last_error, one.chat), DETAIL_CHARS),
    )


def _masked(text: str, chat: str) -> str:
    """An error without the id of the chat it names."""
    kind, _, name = chat.partition(":")
    hidden = text.replace(chat, kind)
    return hidden.replace(name, "...") if name else hidden


def _number(value: float | None) -> float | None:
    return None if value is None else significant(value)


def _share(value: float | None) -> float | None:
    return None if value is None else places(value, 4)
