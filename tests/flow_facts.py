"""Snapshots, reports and stored alerts with values of our own, for tests of use cases and routes.

`mirrored` swaps long and short, buy and sell everywhere, for mirror tests. Not a test module.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from app.core.domain.alerts import (
    Alert,
    AlertContext,
    AlertQuery,
    ContextVerdict,
    Delivery,
    DeliveryState,
    DropReason,
    OutboxDepth,
    SetupRecord,
    Severity,
    StoredAlert,
)
from app.core.domain.flow import (
    AlertKind,
    CascadeNow,
    FlowSnapshot,
    LinkState,
    LinkStatus,
    LiquidationWindow,
    Phase,
    PipelineStatus,
    StreamGap,
    TradeLevels,
    TradeWindow,
)
from app.core.domain.flow_answer import StreamReport
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide, Page
from app.core.errors import StorageUnavailable
from tests.stored_facts import read_cursor, write_cursor

NOW_MS = 1_772_000_000_000
WINDOWS_S = (10, 30, 60, 300, 3_600, 86_400)


def liquidations(long_usd: float = 300_000.0, short_usd: float = 100_000.0) -> tuple[LiquidationWindow, ...]:
    """Windows that grow with their length."""
    return tuple(
        LiquidationWindow(window_s, long_usd * n, short_usd * n, 3 * n, n, long_usd / 2, 95_000.0, 96_500.0)
        for n, window_s in enumerate(WINDOWS_S, start=1)
    )


def snapshot(
    symbol: str = "BTC",
    *,
    as_of_ms: int = NOW_MS - 1_000,
    covered_since_ms: int = NOW_MS - 86_400_000 - 60_000,
    source: str = "coinglass",
    price: float | None = 96_200.5,
    price_ms: int | None = NOW_MS - 2_000,
    price_exchange: str | None = "Binance",
    windows: tuple[LiquidationWindow, ...] | None = None,
    trades: tuple[TradeWindow, ...] = (
        TradeWindow(60, 70_000.0, 30_000.0, 8, 4, 3, 0),
        TradeWindow(300, 120_000.0, 100_000.0, 20, 18, 2, 1),
    ),
    trades_since_ms: int | None = NOW_MS - 120_000,
    cascade: CascadeNow | None = None,
) -> FlowSnapshot:
    return FlowSnapshot(
        symbol=symbol,
        tier=1 if symbol in {"BTC", "ETH"} else 3,
        as_of_ms=as_of_ms,
        newest_event_ms=as_of_ms - 500,
        covered_since_ms=covered_since_ms,
        source=source,
        price=price,
        price_ms=price_ms,
        large_usd=10_000.0,
        liquidations=liquidations() if windows is None else windows,
        trades=trades,
        trades_covered_since_ms=trades_since_ms,
        cascade=cascade,
        price_exchange=price_exchange,
    )


CASCADE = CascadeNow(LiquidatedSide.LONG, Phase.PEAK, NOW_MS - 45_000, 2_600_000.0, 41, 95_100.0)


def mirrored(found: FlowSnapshot) -> FlowSnapshot:
    """The same with long and short, buy and sell exchanged."""
    return dataclasses.replace(
        found,
        liquidations=tuple(
            dataclasses.replace(
                one,
                long_usd=one.short_usd,
                short_usd=one.long_usd,
                long_events=one.short_events,
                short_events=one.long_events,
            )
            for one in found.liquidations
        ),
        trades=tuple(
            dataclasses.replace(
                one,
                buy_usd=one.sell_usd,
                sell_usd=one.buy_usd,
                buys=one.sells,
                sells=one.buys,
                large_buys=one.large_sells,
                large_sells=one.large_buys,
            )
            for one in found.trades
        ),
    )


def report(worker: str = "worker", *, as_of_ms: int = NOW_MS - 2_000) -> StreamReport:
    return StreamReport(
        worker=worker,
        as_of_ms=as_of_ms,
        links=(
            LinkStatus(
                "coinglass",
                LinkState.LIVE,
                "",
                NOW_MS - 60_000,
                NOW_MS - 300,
                1_200,
                9_000,
                {"bad_side": 2, "bad_price": 5},
                1,
                1,
            ),
            LinkStatus("okx", LinkState.STANDBY, "coinglass counts", None, None, 0, 0, {}, 0, 0),
        ),
        pipeline=PipelineStatus(
            NOW_MS - 600_000, 9_000, 12, 3, 1, 40_000, 210, 17, {"kept": 2, "low_confidence": 9}, 140
        ),
        gaps=(
            StreamGap("coinglass", NOW_MS - 90_000, NOW_MS - 80_000, "start"),
            StreamGap("coinglass", NOW_MS - 50_000, NOW_MS - 40_000, "drop"),
        ),
        outbox=OutboxDepth(1, 0, 2, 0, NOW_MS - 4_000),
        alarms=("okx: nothing for 120 s",),
        notes=("BTC: heatmap: missing: swing_proximity",),
    )


def alert(
    number: int = 1,
    *,
    kind: AlertKind = AlertKind.STOP_HUNT,
    symbol: str = "BTC",
    severity: Severity = Severity.URGENT,
    direction: Direction = Direction.LONG,
    evidence: tuple[tuple[str, float], ...] = (("liquidated_30s_usd", 2_600_000.0), ("side_share_frac", 0.9)),
) -> Alert:
    return Alert(
        id=f"{number:016x}",
        revision=2,
        kind=kind,
        symbol=symbol,
        direction=direction,
        severity=severity,
        side=LiquidatedSide.LONG,
        phase=Phase.RECLAIM,
        started_ms=NOW_MS - 90_000 - number * 1_000,
        ts_event_ms=NOW_MS - 30_000 - number * 1_000,
        ts_init_ms=NOW_MS - 29_850 - number * 1_000,
        usd=2_612_345.678,
        ratio=1.306,
        window_s=30,
        price=95_400.0,
        percentile=None,
        confidence=81.25,
        base_confidence=76.25,
        record=SetupRecord("STOP_HUNT LONG tier 1", 40, 25, 2.5),
        context=AlertContext(ContextVerdict.FAVORABLE, -0.0001, 0.04, 0.012, 0.7, ()),
        levels=TradeLevels(95_400.0, 94_900.0, (96_200.0, 97_000.0)),
        sources=(AlertKind.STOP_HUNT, AlertKind.ACCUMULATION),
        feeds=("coinglass",),
        evidence=evidence,
        is_final=False,
        data_mode="demo",
    )


def stored(
    body: Alert, *, drop_reason: DropReason | None = None, deliveries: tuple[Delivery, ...] = ()
) -> StoredAlert:
    dropped = {"telegram:-100777": DropReason.MUTED, "telegram:-100778": DropReason.MUTED}
    return StoredAlert(body, drop_reason, dropped, deliveries)


def delivery(chat: str = "telegram:-100123", *, error: str | None = None) -> Delivery:
    return Delivery(
        alert_id=f"{1:016x}",
        chat=chat,
        state=DeliveryState.PENDING,
        revision=2,
        sent_revision=1,
        attempts=2,
        repeats=0,
        next_try_ms=NOW_MS + 3_000,
        message_id="77",
        body="{}",
        last_error=error,
    )


class FakeAlerts:
    """The history of alerts in a list, newest first. A page of one hands out a cursor."""

    def __init__(self, *rows: StoredAlert) -> None:
        self.rows: Sequence[StoredAlert] = rows
        self.queries: list[AlertQuery] = []
        self.is_down = False

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        self._check()
        self.queries.append(query)
        found = [row for row in self.rows if query.symbol in {None, row.alert.symbol}]
        start = read_cursor(query.cursor)
        stop = start + query.limit
        return Page(tuple(found[start:stop]), write_cursor(stop) if stop < len(found) else None)

    async def counts(self, since_ms: int) -> Mapping[DropReason | None, int]:
        self._check()
        return Counter(row.drop_reason for row in self.rows if row.alert.ts_event_ms >= since_ms)

    async def one(self, alert_id: str) -> StoredAlert | None:
        self._check()
        return next((row for row in self.rows if row.alert.id == alert_id), None)

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")
