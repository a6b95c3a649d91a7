"""The streaming worker, put together over the ground of a process. A part of `bootstrap`.

Names the adapters of streams and bus. One process does everything by default; with Redis the same parts are
spread over roles: `ingest` owns the sockets, `detect` analyses partitions, `deliver` sends.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from app.bootstrap_base import Base
from app.bootstrap_messages import Bot, build_bot, build_chats, build_messengers, dashboard_url
from app.bootstrap_poller import build_poller
from app.bootstrap_sources import Bus, build_bus, build_switch, until_cancelled
from app.bootstrap_telemetry import watch_stream
from app.bootstrap_use_cases import UseCases
from app.bootstrap_worker_view import WorkerView
from app.core.alerting.desk import AlertDesk
from app.core.alerting.policy import GateRules
from app.core.chat_ports import ServiceReport
from app.core.clock import SystemClock
from app.core.domain.flow import Finding, LinkStatus
from app.core.domain.market_figures import LevelFigures
from app.core.domain.partition import Partitioning
from app.core.domain.status import DependencyStatus
from app.core.domain.symbol import Symbol
from app.core.errors import ConfigurationError
from app.core.flow.engine import FlowEngine, Scope
from app.core.flow.identify import Identifier
from app.core.flow.market import MAX_FIGURES_AGE_MS
from app.services.chat_pace import SharedPace
from app.services.streaming.announcer import Announcer, AnnouncerParts
from app.services.streaming.baselines import Baselines
from app.services.streaming.bus_backlog import BusBacklog
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.company import Company
from app.services.streaming.delivery import DeliveryOptions, DeliveryService
from app.services.streaming.feeds import feeds_of
from app.services.streaming.funding_paid import PaidFunding
from app.services.streaming.ingest import FrameIngest
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.outcome_tracker import OutcomeTracker
from app.services.streaming.partition_handler import PartitionHandler
from app.services.streaming.partitions import PartitionWorker
from app.services.streaming.pipeline import Pipeline, PipelineParts
from app.services.streaming.pipeline_totals import PipelineTotals
from app.services.streaming.poller import Poller
from app.services.streaming.sources import SourceSwitch
from app.services.streaming.stages import Stages
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.watcher import Watcher
from app.services.streaming.worker import Past, StreamWorker, WorkerParts

# Every partition's detectors in one process, or one of them.
_WHOLE = -1


class Role(StrEnum):
    """What a worker process does."""

    ALL = "all"
    INGEST = "ingest"
    DETECT = "detect"
    DELIVER = "deliver"


@dataclass(slots=True)
class StreamProcess:
    """One worker, ready to be run. bot: None where nobody can ask. closers: called after it has ended.
    health: of its parts, for who supervises it."""

    worker: StreamWorker
    bot: Bot | None
    closers: Sequence[Callable[[], Awaitable[None]]]
    health: Callable[[], tuple[DependencyStatus, ...]]

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self.worker.run()
        finally:
            for close in self.closers:
                await close()


def build_stream(base: Base, use_cases: UseCases, role: Role = Role.ALL) -> StreamProcess:
    """The worker of one process.

    Raises:
        ConfigurationError: a role without Redis, or a bot that cannot be reached as configured.
    """
    return _Builder(base, use_cases, role).build()


class _Builder:
    """Holds what the parts of one process share while they are put together."""

    def __init__(self, base: Base, use_cases: UseCases, role: Role) -> None:
        if role is not Role.ALL and base.settings.redis_url is None:
            raise ConfigurationError(f"--role {role}: roles meet over Redis; set REDIS_URL")
        self.base, self.use_cases, self.role = base, use_cases, role
        self.name = f"{role}-{os.getpid()}-{secrets.token_hex(3)}"
        self.stages = Stages(monotonic=base.clock.monotonic_s)
        base.stages.append(self.stages)
        self.book = build_chats(base)
        self.messengers = build_messengers(base)
        self.delivery = self._delivery()
        self.keeper = AlertKeeper(base.store.alerts, on_stored=self.delivery.wake, clock=base.clock)
        self.levels: dict[str, LevelFigures] = {}
        self.pipelines: dict[int, Pipeline] = {}
        self.totals = PipelineTotals()
        self.backlog: BusBacklog | None = None
        self.ingest: FrameIngest | None = None
        self.detect: PartitionWorker | None = None
        self.partitioning = Partitioning()
        self.outcomes = OutcomeTracker(
            store=base.store.outcomes,
            candles=use_cases.candles,
            clock=base.clock,
            tier_of=base.flow.tier_of,
            atr_of=self._atr_of,
            funding=PaidFunding(base.okx, monotonic=base.clock.monotonic_s),
        )
        self.poller = self._poller()
        self.company = Company(self.name, base.store.state)
        self.closers: list[Callable[[], Awaitable[None]]] = [*self.messengers.closers]

    def build(self) -> StreamProcess:
        loops: dict[str, Callable[[], Awaitable[None]]] = {"chats": self.book.run}
        links: Callable[[], tuple[LinkStatus, ...]] = tuple
        if self.role in (Role.ALL, Role.INGEST):
            switch = build_switch(self.base)
            links = switch.links
            watcher = Watcher(watch=switch.watch, listed=self.base.watchlist.symbols, warm=self.base.warm)
            self.base.watchlist.subscribe(watcher.wake)
            loops |= {"sources": self._feed(switch), "watch": watcher.run}
        if self.role in (Role.ALL, Role.DETECT):
            loops |= {"poll": self.poller.run, "outcomes": self.outcomes.run, "hours": self._baselines().run}
        if self.role is Role.DETECT:
            loops["detect"] = self._detect()
        worker = StreamWorker(self._parts(loops, links))
        bot = None
        if self.role in (Role.ALL, Role.DELIVER):
            worker.add("announce", self._announcer().run)
            bot = self._bot(worker)
        if bot is not None:
            worker.add("bot", bot.run)
        view = self._view(worker, links)
        watch_stream(self.base.metrics, view.figures, self.base.clock)
        return StreamProcess(worker, bot, self.closers, view.health)

    def _view(self, worker: StreamWorker, links: Callable[[], tuple[LinkStatus, ...]]) -> WorkerView:
        return WorkerView(
            worker=worker,
            links=links,
            keeper=self.keeper,
            delivery=self.delivery if self.role in (Role.ALL, Role.DELIVER) else None,
            backlog=self.backlog,
            ingest=self.ingest,
            detect=self.detect,
            dependencies=tuple(self.use_cases.dependencies),
            wall_ms=self._wall_ms,
        )

    def _parts(
        self, loops: dict[str, Callable[[], Awaitable[None]]], links: Callable[[], tuple[LinkStatus, ...]]
    ) -> WorkerParts:
        store = self.base.store
        return WorkerParts(
            name=self.name,
            pipelines=self.pipelines,
            keeper=self.keeper,
            delivery=self.delivery if self.role in (Role.ALL, Role.DELIVER) else None,
            warm=self.base.warm,
            past=Past(store.opened, store.tail, store.alerts, store.alerts),
            stages=self.stages,
            clock=self.base.clock,
            links=links,
            notes=lambda: (*self.base.settings.message_notes(), *self.poller.notes()),
            alarms=self.company.alarms,
            loops=loops,
            is_clock=self.role is Role.ALL,
            speed=self.base.settings.market_speed(),
            totals=self.totals,
        )

    # --- where events come from -----------------------------------------------------------------------------

    def _feed(self, switch: SourceSwitch) -> Callable[[], Awaitable[None]]:
        """Straight into the analysis of this process, or onto the bus for those of others."""
        if self.role is Role.ALL:
            self.stages.add("company", self.company.run)
            pipeline = self.pipelines[_WHOLE] = self._pipeline(_WHOLE)
            return partial(switch.run, pipeline.handle)
        bus = self._bus()
        self.ingest = ingest = FrameIngest(
            bus.log, bus.leases, switch.run, partitioning=self.partitioning, now_ms=self.base.clock.now_ms
        )
        return until_cancelled(ingest.run, ingest.stop)

    def _detect(self) -> Callable[[], Awaitable[None]]:
        bus = self._bus()
        self.detect = worker = PartitionWorker(
            bus.log,
            bus.leases,
            self._handler,
            partitions=tuple(self.partitioning.all),
            now_ms=self.base.clock.now_ms,
            monotonic=self.base.clock.monotonic_s,
        )
        return until_cancelled(worker.run, worker.stop)

    def _bus(self) -> Bus:
        bus = build_bus(self.base, self.name)
        self.closers.append(bus.link.aclose)
        self.backlog = BusBacklog(bus.log)
        self.stages.add("backlog", self.backlog.run)
        return bus

    # --- analysis -------------------------------------------------------------------------------------------

    def _handler(self, partition: int) -> PartitionHandler:
        store, pipeline = self.base.store, self._pipeline(partition)
        return PartitionHandler(
            pipeline,
            is_ours=partial(self._is_of, partition),
            tail=store.tail,
            alerts=store.alerts,
            market=store.market,
            keeper=self.keeper,
            clock=self.base.clock,
            on_filled=partial(self.pipelines.__setitem__, partition, pipeline),
            on_close=partial(self._forget, partition),
        )

    def _forget(self, partition: int) -> None:
        pipeline = self.pipelines.pop(partition, None)
        if pipeline is not None:
            self.totals.end(pipeline.status())

    def _is_of(self, partition: int, symbol: str) -> bool:
        """The market's own partition sees every coin."""
        return partition == self.partitioning.market or self.partitioning.of(symbol) == partition

    def _pipeline(self, partition: int) -> Pipeline:
        scope = Scope.BOTH
        if partition != _WHOLE:
            scope = Scope.MARKET if partition == self.partitioning.market else Scope.COINS
        engine = FlowEngine(self.base.flow, scope=scope)
        parts = PipelineParts(
            engine=engine,
            identifier=Identifier(),
            desk=self._desk(engine),
            keeper=self.keeper,
            # The market's partition holds what the others store.
            market=None if scope is Scope.MARKET else self.base.store.market,
            gaps=self.base.store.alerts,
            outcomes=self.outcomes,
            is_patient=partition != _WHOLE,
        )
        pipeline = Pipeline(parts, clock=self.base.clock)
        for figures in self.levels.values():
            if partition in (_WHOLE, self.partitioning.of(figures.symbol)):
                pipeline.note_market(figures)
        return pipeline

    def _desk(self, engine: FlowEngine) -> AlertDesk:
        gate = self.base.alerts.gate.model_dump()
        urgent_ratio = gate.pop("urgent_ratio")
        return AlertDesk(
            tier_of=self.base.flow.tier_of,
            data_mode=self.base.settings.data_mode,
            chats=self.book.all,
            context=self.poller.alert_context,
            records=self.outcomes.records,
            feeds=lambda finding: feeds_of(engine, finding, self.base.clock.now_ms()),
            rules=GateRules(**gate),
            urgent_ratio=urgent_ratio,
        )

    def _poller(self) -> Poller:
        return build_poller(
            self.base,
            self.use_cases,
            config=self.base.flow,
            watched=self._polled_coins,
            on_findings=self._judge_polled,
            on_levels=self._note_levels,
        )

    def _polled_coins(self) -> list[Symbol]:
        return [Symbol(coin) for coin in self.base.watchlist.symbols() if self._pipeline_of(coin) is not None]

    def _pipeline_of(self, symbol: str) -> Pipeline | None:
        """The one that judges this coin in this process."""
        whole = self.pipelines.get(_WHOLE)
        return whole if whole is not None else self.pipelines.get(self.partitioning.of(symbol))

    async def _judge_polled(self, findings: Sequence[Finding], _now_ms: int) -> None:
        for finding in findings:
            pipeline = self._pipeline_of(finding.symbol)
            if pipeline is not None:
                await pipeline.judge([finding])

    def _note_levels(self, figures: LevelFigures) -> None:
        self.levels[figures.symbol] = figures
        pipeline = self._pipeline_of(figures.symbol)
        if pipeline is not None:
            pipeline.note_market(figures)

    def _atr_of(self, symbol: str) -> float | None:
        figures = self.levels.get(symbol)
        if figures is None or self.base.clock.now_ms() - figures.as_of_ms > MAX_FIGURES_AGE_MS:
            return None
        return figures.atr_1h_usd

    # --- who is told ----------------------------------------------------------------------------------------

    def _delivery(self) -> DeliveryService:
        base = self.base
        options = DeliveryOptions(
            owner=self.name,
            data_mode=base.settings.data_mode,
            # Alone, whoever had something in hands before this start is dead; others may live.
            takes_over=f"{Role.ALL}-" if self.role is Role.ALL else None,
            dashboard_url=dashboard_url(base.settings),
            wall_ms=self._wall_ms,
            observe=base.metrics.deliveries.observe_delivery,
        )
        return DeliveryService(
            base.store.alerts,
            self.messengers.senders,
            chats=self.book,
            addresses=ChatAddresses(base.store.state),
            clock=base.clock,
            options=options,
        )

    def _wall_ms(self) -> int:
        """The time of due messages and leases: in a replay the market's runs at another speed."""
        clock = SystemClock() if self.base.settings.data_mode == "replay" else self.base.clock
        return clock.now_ms()

    def _announcer(self) -> Announcer:
        base = self.base
        parts = AnnouncerParts(
            reports=StatusBoard(base.warm, now_ms=base.clock.now_ms, speed=base.settings.market_speed()).read,
            chats=self.book.all,
            tell=self.delivery.notify,
            alerts=base.store.alerts,
            state=base.store.state,
            clock=base.clock,
            data_mode=base.settings.data_mode,
        )
        return Announcer(parts)

    def _baselines(self) -> Baselines:
        def symbols() -> list[str]:
            return sorted({coin for one in self.pipelines.values() for coin in one.symbols()})

        store, clock = self.base.store, self.base.clock
        return Baselines(reader=store.liquidations, writer=store.market, symbols=symbols, clock=clock)

    def _bot(self, worker: StreamWorker) -> Bot | None:
        """Pushed updates reach the web process: a worker beside it leaves the conversation to that one."""
        settings = self.base.settings
        if settings.telegram_mode == "webhook" and not settings.runs_worker_embedded():
            return None

        async def report() -> ServiceReport:
            told = await worker.report()
            ready = await self.use_cases.api.health.ready()
            return ServiceReport(ready, told.links, told.pipeline, told.outbox, told.alarms)

        pace = SharedPace(self.delivery.pacer)
        return build_bot(self.base, self.use_cases, self.book, report, pace)
