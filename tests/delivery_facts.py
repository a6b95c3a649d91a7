"""Alerts of our own making, for the tests of store, outbox and senders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.domain.alerts import Alert, AlertContext, ContextVerdict, SetupRecord, Severity
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

T0_MS = 1_764_892_800_000  # 2025-12-05T00:00Z

_ALERT = Alert(
    id="00000000000000a1",
    revision=1,
    kind=AlertKind.STOP_HUNT,
    symbol="BTC",
    direction=Direction.LONG,
    severity=Severity.URGENT,
    side=LiquidatedSide.LONG,
    phase=Phase.RECLAIM,
    started_ms=T0_MS - 30_000,
    ts_event_ms=T0_MS,
    ts_init_ms=T0_MS + 200,
    usd=9_000_000.0,
    ratio=4.5,
    window_s=30,
    price=96_200.0,
    percentile=0.995,
    confidence=82.5,
    base_confidence=80.0,
    record=SetupRecord("STOP_HUNT LONG tier 1", 41, 24, 2.5),
    context=AlertContext(ContextVerdict.NEUTRAL, 0.0001, 0.6, None, None, ("oi_change_1h",)),
    levels=TradeLevels(96_200.0, 95_100.0, (97_000.0, 98_500.0)),
    sources=(AlertKind.STOP_HUNT, AlertKind.ACCUMULATION),
    feeds=("coinglass",),
    evidence=(("events", 12.0), ("largest_usd", 2_500_000.0)),
    is_final=False,
    data_mode="live",
)


def an_alert(number: int = 1, **changes: Any) -> Alert:
    """Alert number `number`; its id is 16 hex digits that sort by number."""
    return replace(_ALERT, **({"id": f"{number:016x}"} | changes))
