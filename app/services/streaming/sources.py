"""Runs the CoinGlass and the OKX stream and decides which of them counts, so that no event counts twice.

CoinGlass covers all exchanges and counts while it is live; OKX is the reserve, and its events are kept back
for a minute and a half in case CoinGlass turns out to be gone. Prices of both always pass. Without a key OKX
is all there is. Built by bootstrap, read by the pipeline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from app.core.domain.flow import (
    LinkState,
    LinkStatus,
    LiquidationEvent,
    StreamFrame,
    StreamGap,
    TradeEvent,
)
from app.core.stream_ports import EventSource, FrameSink
from app.services.streaming.handover import Handover

E = TypeVar("E", LiquidationEvent, TradeEvent)

# So long CoinGlass may be away before OKX takes its place: a quick reconnect is no change of source.
PATIENCE_S = 3.0
# What OKX sent meanwhile: longer than a half-open connection stays unnoticed.
_KEPT_MS = 90_000
_MAX_KEPT_EVENTS = 100_000
_STEP_BACK_MS = 2_000


class SourceSwitch:
    """Implements `core.stream_ports.EventSource` over two others.

    primary: None without a key. backup_exchange: whose events both report. Frames reach the sink one at a
    time.
    """

    name = "streams"

    def __init__(
        self,
        primary: EventSource | None,
        backup: EventSource,
        *,
        monotonic: Callable[[], float],
        backup_exchange: str = "OKX",
    ) -> None:
        self._primary = primary
        self._backup = backup
        self._monotonic = monotonic
        self._exchange = backup_exchange
        self._liquidations = Handover()
        self._trades = Handover()
        self._is_backup_counting = False
        self._down_since_s: float | None = None
        self._kept: deque[StreamFrame] = deque()
        self._kept_events = 0
        self._backup_gap: StreamGap | None = None
        self._newest_ms = 0
        self._turn = asyncio.Lock()
        self._sink: FrameSink | None = None

    async def run(self, sink: FrameSink) -> None:
        """Deliver frames until cancelled."""
        self._sink = sink
        async with asyncio.TaskGroup() as group:
            if self._primary is None:
                group.create_task(self._backup.run(self._pass_on))
            else:
                group.create_task(self._primary.run(self._from_primary))
                group.create_task(self._backup.run(self._from_backup))

    def watch(self, symbols: Sequence[str]) -> None:
        for source in self._sources():
            source.watch(symbols)

    def status(self) -> LinkStatus:
        """The link whose events count."""
        return next(link for link in self.links() if link.source == self.counting)

    @property
    def counting(self) -> str:
        """Name of the source whose events count now."""
        if self._primary is None or self._is_backup_counting:
            return self._backup.name
        return self._primary.name

    def links(self) -> tuple[LinkStatus, ...]:
        """Both links; a reserve that is live stands by."""
        if self._primary is None:
            return (self._backup.status(),)
        backup = self._backup.status()
        if not self._is_backup_counting and backup.state is LinkState.LIVE:
            backup = replace(backup, state=LinkState.STANDBY)
        return (self._primary.status(), backup)

    def _sources(self) -> tuple[EventSource, ...]:
        return (self._backup,) if self._primary is None else (self._primary, self._backup)

    async def _from_primary(self, frame: StreamFrame) -> None:
        async with self._turn:
            self._note_clock(frame.ts_init_ms)
            at_ms = frame.ts_init_ms
            if self._down_since_s is not None:
                self._is_primary_down()  # two short absences are not one long one
            if self._is_backup_counting and (frame.liquidations or frame.trades):
                self._hand_back_when_live(at_ms)
            liquidations = self._own(frame.liquidations, self._liquidations, at_ms)
            trades = self._own(frame.trades, self._trades, at_ms)
            if (len(liquidations), len(trades)) != (len(frame.liquidations), len(frame.trades)):
                frame = replace(frame, liquidations=liquidations, trades=trades)
            await self._pass_on(frame)

    def _own(self, events: tuple[E, ...], handover: Handover, at_ms: int) -> tuple[E, ...]:
        """The primary's events without those that the backup counted."""
        shared = self._exchange
        return tuple(
            event
            for event in events
            if event.exchange != shared or handover.primary_counts(event.ts_event_ms, at_ms)
        )

    async def _from_backup(self, frame: StreamFrame) -> None:
        async with self._turn:
            self._note_clock(frame.ts_init_ms)
            if frame.gap is not None:
                self._backup_gap = frame.gap
            if not self._is_backup_counting and self._is_primary_down():
                await self._take_over(frame.ts_init_ms)
            counted = self._claimed(frame)
            if not self._is_backup_counting:
                self._keep(frame, counted)
            await self._pass_on(counted)

    def _is_primary_down(self) -> bool:
        if self._primary is None or self._primary.status().state is LinkState.LIVE:
            self._down_since_s = None
            return False
        now_s = self._monotonic()
        if self._down_since_s is None:
            self._down_since_s = now_s
        return now_s - self._down_since_s >= PATIENCE_S

    async def _take_over(self, now_ms: int) -> None:
        """The backup counts from the primary's newest event on, what was kept included."""
        self._is_backup_counting = True
        self._liquidations.begin()
        self._trades.begin()
        self._backup_gap = self._gap_of_switch(now_ms)
        kept, self._kept, self._kept_events = self._kept, deque(), 0
        for frame in kept:
            await self._pass_on(self._claimed(frame))

    def _gap_of_switch(self, now_ms: int) -> StreamGap | None:
        """From the primary's last data on, the other exchanges are missing."""
        last_ms = None if self._primary is None else self._primary.status().last_data_ms
        if self._primary is None or last_ms is None:
            return self._backup_gap
        return StreamGap(self._primary.name, min(last_ms, now_ms), now_ms, "switch")

    def _hand_back_when_live(self, now_ms: int) -> None:
        """Trades alone do not bring the primary back while its liquidations cannot be read."""
        if self._primary is None or self._primary.status().state is not LinkState.LIVE:
            return
        self._is_backup_counting = False
        backup = self._backup.status()
        # A reserve that is away itself claims nothing after its own last word.
        is_there = backup.state is LinkState.LIVE
        until_ms = now_ms if is_there else min(now_ms, backup.last_data_ms or 0)
        self._liquidations.end(until_ms)
        self._trades.end(until_ms)

    def _claimed(self, frame: StreamFrame) -> StreamFrame:
        """What of a frame of the backup counts; its prices always do."""
        at_ms = frame.ts_init_ms
        liquidations = tuple(
            event
            for event in frame.liquidations
            if self._liquidations.backup_counts(event.ts_event_ms, at_ms)
        )
        trades = tuple(
            event for event in frame.trades if self._trades.backup_counts(event.ts_event_ms, at_ms)
        )
        gap = None
        if self._is_backup_counting and (liquidations or trades):
            gap, self._backup_gap = self._backup_gap, None
        return replace(frame, liquidations=liquidations, trades=trades, gap=gap)

    def _keep(self, frame: StreamFrame, counted: StreamFrame) -> None:
        """Remember what did not count; the oldest frames go when they are too old or too many."""
        done = {*counted.liquidations, *counted.trades}
        liquidations = tuple(event for event in frame.liquidations if event not in done)
        trades = tuple(event for event in frame.trades if event not in done)
        if liquidations or trades:
            rest = replace(frame, liquidations=liquidations, trades=trades, ticks=(), gap=None)
            self._kept.append(rest)
            self._kept_events += len(liquidations) + len(trades)
        while self._kept and (
            self._kept_events > _MAX_KEPT_EVENTS or frame.ts_init_ms - self._kept[0].ts_init_ms > _KEPT_MS
        ):
            oldest = self._kept.popleft()
            self._kept_events -= len(oldest.liquidations) + len(oldest.trades)

    def _note_clock(self, now_ms: int) -> None:
        if now_ms < self._newest_ms - _STEP_BACK_MS:
            self._liquidations.step_back(now_ms)
            self._trades.step_back(now_ms)
            # Times of before and after the step cannot be compared.
            self._kept, self._kept_events = deque(), 0
            self._newest_ms = now_ms
        self._newest_ms = max(self._newest_ms, now_ms)

    async def _pass_on(self, frame: StreamFrame) -> None:
        has_events = frame.liquidations or frame.trades or frame.ticks
        if self._sink is not None and (has_events or frame.gap is not None):
            await self._sink(frame)
