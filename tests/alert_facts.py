"""Findings, alerts and chats that tests of alerting start from; each test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.alerting.codec import encode_alert
from app.core.alerting.desk import AlertDesk
from app.core.domain.alerts import (
    Alert,
    AlertContext,
    ChatSettings,
    ContextVerdict,
    Delivery,
    DeliveryState,
    GateVerdict,
    SetupRecord,
    Severity,
    StoredAlert,
)
from app.core.domain.flow import AlertKind, Finding, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

NOW_MS = 1_764_936_000_000  # 2025-12-05 12:00:00 UTC
CHAT = "telegram:-1001"

_CASCADE = Finding(
    kind=AlertKind.STOP_HUNT,
    symbol="BTC",
    direction=Direction.NEUTRAL,
    episode="e1",
    burst="b1",
    started_ms=NOW_MS - 20_000,
    ts_event_ms=NOW_MS - 1_000,
    usd=6_000_000.0,
    ratio=3.0,
    window_s=30,
    price=96_200.0,
    confidence=80.0,
    side=LiquidatedSide.LONG,
    phase=Phase.BUILDING,
)

_ALERT = Alert(
    id="0123456789abcdef",
    revision=1,
    kind=AlertKind.STOP_HUNT,
    symbol="BTC",
    direction=Direction.LONG,
    severity=Severity.WATCH,
    side=LiquidatedSide.LONG,
    phase=Phase.RECLAIM,
    started_ms=NOW_MS - 30_000,
    ts_event_ms=NOW_MS - 3_000,
    ts_init_ms=NOW_MS - 2_000,
    usd=12_000_000.0,
    ratio=6.0,
    window_s=30,
    price=96_200.0,
    percentile=0.993,
    confidence=82.0,
    base_confidence=81.25,
    record=SetupRecord("STOP_HUNT:LONG:1", 60, 33, 0.75),
    context=AlertContext(ContextVerdict.NEUTRAL, 0.0001, 0.5, 0.012, 0.7),
    levels=TradeLevels(96_200.0, 95_238.0, (97_162.0, 98_124.0)),
    sources=(AlertKind.STOP_HUNT, AlertKind.ACCUMULATION),
    feeds=("coinglass",),
    evidence=(("events", 41.0), ("side_share_frac", 1.0)),
    is_final=True,
    data_mode="live",
)


def finding(**changes: Any) -> Finding:
    """A BTC cascade of $6M of longs, building, unless changed."""
    return replace(_CASCADE, **changes)


def alert(**changes: Any) -> Alert:
    """A reclaimed cascade of BTC longs with levels, unless changed."""
    return replace(_ALERT, **changes)


def chat(name: str = CHAT, **changes: Any) -> ChatSettings:
    return replace(ChatSettings(chat=name), **changes)


def desk(*chats: ChatSettings, **changes: Any) -> AlertDesk:
    """A desk in live mode; BTC is tier 1, everything else tier 3."""
    given: dict[str, Any] = {
        "tier_of": lambda symbol: 1 if symbol == "BTC" else 3,
        "data_mode": "live",
        "chats": lambda: chats,
        "feeds": lambda _finding: ("coinglass",),
    }
    return AlertDesk(**{**given, **changes})


def stored(verdict: GateVerdict, before: StoredAlert | None = None) -> StoredAlert:
    """What the store holds after a verdict, as `AlertStore.keep` describes it."""
    rows = {row.chat: row for row in before.deliveries} if before else {}
    for name in verdict.chats:
        rows[name] = Delivery(
            alert_id=verdict.alert.id,
            chat=name,
            state=DeliveryState.SENT,
            revision=verdict.alert.revision,
            sent_revision=verdict.alert.revision,
            attempts=1,
            repeats=0,
            next_try_ms=0,
            message_id="7",
            body=encode_alert(verdict.alert),
        )
    return StoredAlert(verdict.alert, verdict.reason, verdict.dropped, tuple(rows.values()))
