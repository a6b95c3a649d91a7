"""What is said about stored alerts: the details behind one, a coin's newest with their fate.

Reads what the gate and the outbox wrote down and judges nothing. Called by `chat_service`.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.alerting.phrases import WITH_THRESHOLD
from app.core.chat_ports import Inquiries
from app.core.domain.alerts import Alert, AlertContext, AlertQuery, StoredAlert
from app.core.domain.formatting import (
    format_signed_percent,
    format_small_signed_percent,
    format_usd,
    format_usd_compact,
)
from app.core.domain.signal import Direction
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.core.stream_ports import Message
from app.services.chat_text import Markup, Voice, clean, fault_text, message

RECENT = 3
MAX_EVIDENCE = 24


@dataclass(frozen=True, slots=True)
class AlertAnswers:
    """Answers out of the history of alerts."""

    on: Inquiries

    async def details(self, voice: Voice, chat: str, alert_id: str) -> Message:
        """Evidence of one alert and what became of it in this chat. Raises: StorageUnavailable."""
        stored = None if self.on.alerts is None else await self.on.alerts.one(alert_id)
        if stored is None:
            return message([voice.say("details.unknown", id=alert_id)])
        alert = stored.alert
        lines = [_title(voice, alert), *_size(voice, alert), *_confidence(voice, alert)]
        lines += _context(voice, alert.context)
        lines.append(voice.say("details.feeds", feeds=", ".join(alert.feeds) or "-"))
        lines += [_evidence(voice, name, value) for name, value in alert.evidence[:MAX_EVIDENCE]]
        lines.append(_fate(voice, stored, chat))
        lines.append(voice.say("details.id", id=alert.id, revision=alert.revision))
        return message(lines, footer=voice.footer())

    async def recent(self, voice: Voice, chat: str, symbol: Symbol) -> list[Markup]:
        """A coin's newest alerts with their fate in this chat, one line each."""
        if self.on.alerts is None:
            return []
        try:
            page = await self.on.alerts.page(AlertQuery(symbol=symbol.base, limit=RECENT))
        except StorageUnavailable as error:
            return [fault_text(voice, error) or Markup()]
        if not page.rows:
            return [voice.say("recent.none")]
        return [voice.say("recent.title"), *(_recent(voice, stored, chat) for stored in page.rows)]


def _title(voice: Voice, alert: Alert) -> Markup:
    key = "details.title" if alert.direction is not Direction.NEUTRAL else "details.title_neutral"
    kind = voice.say(f"kind.{alert.kind.value}")
    return voice.title(key, coin=alert.symbol, kind=kind, direction=alert.direction.value)


def _size(voice: Voice, alert: Alert) -> list[Markup]:
    size = format_usd_compact(alert.usd)
    window = voice.span(alert.window_s)
    lines = []
    if alert.usd > 0:  # a funding rate has no size
        known = "_threshold" if alert.kind in WITH_THRESHOLD else ""
        key = f"details.size{known}" if alert.window_s > 0 else "details.size_only"
        lines.append(voice.say(key, usd=size, window=window, ratio=f"{alert.ratio:.3g}"))
    if alert.side is not None:
        lines.append(voice.say(f"liq.cascade_{alert.side.value.lower()}"))
    if alert.percentile is not None:
        lines.append(voice.say("details.percentile", percent=f"{alert.percentile * 100:.1f}"))
    price = voice.say("details.no_price") if alert.price is None else format_usd(alert.price)
    lines.append(voice.say("details.price", price=price, ago=voice.ago(alert.ts_event_ms)))
    return lines


def _confidence(voice: Voice, alert: Alert) -> list[Markup]:
    shown, base = f"{alert.confidence:.0f}", f"{alert.base_confidence:.0f}"
    lines = [voice.say("details.confidence", shown=shown, base=base)]
    if alert.sources:
        kinds = ", ".join(voice.say(f"kind.{kind.value}") for kind in alert.sources)
        lines.append(voice.say("details.sources", kinds=Markup(kinds)))
    if alert.record is not None:
        shift = f"{alert.record.shift:+.0f}"
        values = {"wins": alert.record.wins, "n": alert.record.scored, "shift": shift}
        lines.append(voice.say("details.record", **values))
    return lines


def _context(voice: Voice, context: AlertContext | None) -> list[Markup]:
    if context is None:
        return [voice.say("details.no_context")]
    lines = [voice.say(f"context.{context.verdict.value}")]
    if context.funding_8h_frac is not None:
        rate = format_small_signed_percent(context.funding_8h_frac)
        lines.append(voice.say("context.funding", rate=rate, rank=_rank(context.funding_percentile)))
    if context.oi_change_1h_frac is not None:
        change = format_signed_percent(context.oi_change_1h_frac, 2)
        lines.append(voice.say("context.oi", change=change, rank=_rank(context.oi_change_percentile)))
    if context.unknown:
        lines.append(voice.say("context.unknown", names=", ".join(context.unknown)))
    return lines


def _rank(percentile: float | None) -> str:
    return "-" if percentile is None else f"{percentile * 100:.0f}"


def _evidence(voice: Voice, name: str, value: float) -> Markup:
    return voice.say("details.evidence", name=clean(name, 60), value=f"{value:,.6g}")


def _fate(voice: Voice, stored: StoredAlert, chat: str) -> Markup:
    """What became of it in this chat: sent, waiting, left out, or kept for the record only."""
    sent = next((one for one in stored.deliveries if one.chat == chat), None)
    if sent is not None:
        return voice.say("fate.delivery", state=voice.say(f"delivery.{sent.state.value}"))
    reason = stored.dropped_chats.get(chat, stored.drop_reason)
    if reason is None:
        return voice.say("fate.elsewhere")
    return voice.say("fate.dropped", reason=voice.say(f"drop.{reason.value}"))


def _recent(voice: Voice, stored: StoredAlert, chat: str) -> Markup:
    alert = stored.alert
    return voice.say(
        "recent.line",
        kind=voice.say(f"kind.{alert.kind.value}"),
        usd=format_usd_compact(alert.usd),
        ago=voice.ago(alert.ts_event_ms),
        fate=_fate(voice, stored, chat),
    )
