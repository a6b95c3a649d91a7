"""Alerts and verdicts for tests of outcomes. Not a test module."""

from __future__ import annotations

from app.core.domain.alerts import Alert, DropReason, GateVerdict, Severity
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

HOUR_MS = 3_600_000
T0_MS = 500_000 * HOUR_MS


def alert(
    name: str = "a",
    *,
    symbol: str = "BTC",
    direction: Direction = Direction.LONG,
    price: float | None = 100.0,
    levels: TradeLevels | None = None,
    made_ms: int = T0_MS,
    kind: AlertKind = AlertKind.STOP_HUNT,
) -> Alert:
    return Alert(
        id=name,
        revision=1,
        kind=kind,
        symbol=symbol,
        direction=direction,
        severity=Severity.WATCH,
        side=LiquidatedSide.LONG,
        phase=Phase.RECLAIM,
        started_ms=made_ms - 60_000,
        ts_event_ms=made_ms - 300,
        ts_init_ms=made_ms,
        usd=3e6,
        ratio=1.5,
        window_s=30,
        price=price,
        percentile=None,
        confidence=75.0,
        base_confidence=75.0,
        record=None,
        context=None,
        levels=levels,
        sources=(kind,),
        feeds=("okx",),
        evidence=(),
        is_final=False,
        data_mode="live",
    )


def verdict(one: Alert, reason: DropReason | None = None) -> GateVerdict:
    return GateVerdict(one, reason, (), {})
