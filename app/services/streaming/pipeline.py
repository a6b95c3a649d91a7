"""From a frame to an alert: identify, keep, analyse, judge, store, wake the delivery. No debounce.

Owns the order of these steps and the counts of what went through them. The arithmetic is `core.flow`'s, the
judgement `core.alerting`'s; what is stored is written behind `MarketWriter` and `AlertStore`. Called by the
sources (one frame at a time), by the poller (findings) and by the clock (`tick`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.alerting.desk import AlertDesk
from app.core.clock import Clock
from app.core.domain.alerts import GateVerdict, StoredAlert
from app.core.domain.flow import Finding, FlowSnapshot, PipelineStatus, StreamFrame, StreamGap
from app.core.domain.market_figures import LevelFigures
from app.core.domain.stored import LiquidationRow
from app.core.errors import StorageUnavailable
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.core.store_ports import MarketWriter
from app.core.stream_ports import AlertStore, GapLog, LiquidationTail
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.price_choice import PriceChoice

_log = logging.getLogger(__name__)

# Windows reach back this far, and so does what the gate remembers.
REMEMBER_MS = 86_400_000


class Outcomes(Protocol):
    """Follows alerts to what became of them."""

    def take(self, verdicts: Iterable[GateVerdict]) -> None: ...

    def restore(self, stored: Iterable[StoredAlert]) -> None: ...

    def on_price(self, symbol: str, price: float, ts_ms: int) -> None: ...


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What the pipeline is made of. Engine, identifier and desk are its own, the rest the process shares.

    market: where rows are kept, None where somebody else keeps them. is_patient: frames wait while the
    store's buffer is full, instead of rows being turned away.
    """

    engine: FlowEngine
    identifier: Identifier
    desk: AlertDesk
    keeper: AlertKeeper
    market: MarketWriter | None
    gaps: GapLog
    outcomes: Outcomes
    is_patient: bool = False


class Pipeline:
    """One process's analysis. `handle` is the sink of the sources."""

    def __init__(self, parts: PipelineParts, *, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._touched: set[str] = set()
        self._prices = PriceChoice()
        self._fates: Counter[str] = Counter()
        self._findings = 0
        self._trades = self._ticks = 0
        self._lag_ms: int | None = None
        self._pause: StreamGap | None = None  # since the last start, until its stream brings data again

    async def restore(self, tail: LiquidationTail, alerts: AlertStore) -> bool:
        """Windows and the gate's memory again from the store; False when it could not be asked."""
        since_ms = self._clock.now_ms() - REMEMBER_MS
        try:
            rows, known = await tail.since(since_ms), await alerts.recent(since_ms)
        except StorageUnavailable as error:
            _log.error("the stream starts without its past", extra={"why": str(error)})
            return False
        await self.restore_from(rows, known)
        if rows:
            newest = max(rows, key=lambda row: row.ts_init_ms)
            self._pause = StreamGap(newest.source, newest.ts_init_ms, self._clock.now_ms(), "start")
            await self.record_gap(self._pause)
        return True

    async def restore_from(self, rows: Sequence[LiquidationRow], known: Sequence[StoredAlert]) -> None:
        """The same from what was read already. Rows oldest first."""
        parts = self._parts
        await asyncio.to_thread(parts.engine.restore, rows, self._clock.now_ms())
        parts.identifier.remember(rows)
        parts.desk.restore(known)
        parts.outcomes.restore(known)

    async def handle(self, frame: StreamFrame) -> None:
        """Everything one frame says, up to stored alerts. Returns when it is dealt with.

        Rows go behind the alerts they led to: after a kill, stored rows are the past and tell nothing anew.
        """
        if frame.gap is not None:
            await self.record_gap(frame.gap)
        if self._pause is not None and frame.source == self._pause.source:
            await self._end_pause(self._pause, frame.ts_init_ms)
        frame = self._parts.identifier.in_time(frame)
        rows, findings = self._analyse(frame, self._clock.now_ms())
        if frame.ticks or frame.trades:
            for symbol, price, at_ms in self._prices.choose(frame.ticks, frame.trades):
                self._parts.outcomes.on_price(symbol, price, at_ms)
        try:
            await self.judge(findings)
        finally:
            await self._keep_rows(rows)

    def replay(self, frame: StreamFrame) -> None:
        """A frame that was dealt with before a restart: only windows and ids change."""
        if frame.gap is not None:
            self.note_gap(frame.gap)
        # Time stands where it stood: an idle partition would else see its own past as late.
        self._analyse(self._parts.identifier.in_time(frame), frame.ts_init_ms)

    def note_gap(self, gap: StreamGap) -> None:
        """Windows that reach back into it are not whole."""
        self._parts.engine.note_gap(gap)

    async def record_gap(self, gap: StreamGap) -> None:
        """The same, and kept in the store."""
        self.note_gap(gap)
        try:
            await self._parts.gaps.add_gap(gap)
        except StorageUnavailable as error:
            _log.error("a gap was not recorded", extra={"why": str(error), "source": gap.source})

    async def _end_pause(self, pause: StreamGap, first_ms: int) -> None:
        """The stream is back after a restart: until now its events may be missing."""
        self._pause = None
        await self.record_gap(pause._replace(to_ms=max(first_ms, pause.to_ms)))

    async def _keep_rows(self, rows: Sequence[LiquidationRow]) -> None:
        """Into the buffer of the store; where frames can wait for it (on the bus) none is turned away."""
        market = self._parts.market
        if market is None or not rows:
            return
        if self._parts.is_patient:
            await market.put_all(rows)
        else:
            market.put(rows)

    def _analyse(self, frame: StreamFrame, now_ms: int) -> tuple[Sequence[LiquidationRow], list[Finding]]:
        """New rows of the frame, and what the detectors say of everything in it."""
        parts = self._parts
        rows: Sequence[LiquidationRow] = ()
        findings: list[Finding] = []
        if frame.liquidations:
            rows = parts.identifier.identify(frame)
            self._note_rows(rows, frame.ts_init_ms)
            findings += parts.engine.on_liquidations(rows, now_ms)
        if frame.trades:
            self._trades += len(frame.trades)
            self._touched.update([trade.symbol for trade in frame.trades])
            findings += parts.engine.on_trades(frame.trades, now_ms)
        if frame.ticks:
            self._ticks += len(frame.ticks)
            self._touched.update([tick.symbol for tick in frame.ticks])
            findings += parts.engine.on_ticks(frame.ticks, now_ms)
        return rows, findings

    async def tick(self) -> None:
        """Time passes without events too: phases end, verdicts fall due."""
        await self.judge(self._parts.engine.advance(self._clock.now_ms()))

    async def judge(self, findings: Sequence[Finding]) -> None:
        """The one way of every finding, streamed or polled: gate, store, delivery."""
        if not findings:
            return
        self._findings += len(findings)
        verdicts = self._parts.desk.consider(findings, now_ms=self._clock.now_ms())
        if not verdicts:
            return
        for verdict in verdicts:
            self._fates[verdict.reason or ("edited" if verdict.is_edit else "kept")] += 1
        self._parts.outcomes.take(verdicts)
        await self._parts.keeper.keep(verdicts)

    def symbols(self) -> Sequence[str]:
        """Coins that had an event within a day."""
        return self._parts.engine.symbols()

    def take_changed(self, *, everything: bool) -> list[str]:
        """Coins that had an event since the last call, or every coin, in a fixed order."""
        symbols = sorted(self._parts.engine.symbols() if everything else self._touched)
        self._touched.clear()
        return symbols

    def snapshots(self, symbols: Sequence[str]) -> list[FlowSnapshot]:
        """Their aggregates now; a coin that was evicted meanwhile has none."""
        now_ms, engine = self._clock.now_ms(), self._parts.engine
        found = (engine.snapshot(symbol, now_ms) for symbol in symbols)
        return [snapshot for snapshot in found if snapshot is not None]

    def note_market(self, figures: LevelFigures) -> None:
        """What levels of this coin are built from."""
        self._parts.engine.note_market(
            figures.symbol,
            atr=figures.atr_1h_usd,
            below=figures.below,
            above=figures.above,
            as_of_ms=figures.as_of_ms,
        )

    def status(self) -> PipelineStatus:
        counters = self._parts.engine.counters()
        identifier = self._parts.identifier
        return PipelineStatus(
            started_ms=self._started_ms,
            events=counters["events"],
            duplicates=identifier.duplicates,
            late_events=counters["late"],
            skewed_events=identifier.skewed,
            trades=self._trades,
            symbols=counters["symbols"],
            findings=self._findings,
            alerts=dict(self._fates),
            lag_ms=self._lag_ms,
            ticks=self._ticks,
        )

    def _note_rows(self, rows: Sequence[LiquidationRow], arrived_ms: int) -> None:
        if rows:
            self._touched.update([row.symbol for row in rows])
            self._lag_ms = arrived_ms - max([row.ts_event_ms for row in rows])
