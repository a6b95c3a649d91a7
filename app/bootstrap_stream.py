"""The streaming worker, put together over the ground of a process. A part of `bootstrap`.

Names the adapters of streams and bus. One process does everything by default; with Redis the same parts are
spread over roles: `ingest` owns the sockets, `detect` analyses partitions, `deliver` sends.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from app.bootstrap_base import Base
from app.bootstrap_messages import Bot, build_bot, build_chats, build_messengers, dashboard_url
from app.bootstrap_poller import build_poller
from app.bootstrap_use_cases import UseCases
from app.core.alerting.desk import AlertDesk
from app.core.alerting.policy import GateRules
from app.core.chat_ports import ServiceReport
from app.core.clock import SystemClock
from app.core.domain.flow import Finding, LinkStatus
from app.core.domain.market_figures import LevelFigures
from app.core.domain.partition import Partitioning
from app.core.domain.symbol import Symbol
from app.core.errors import ConfigurationError
from app.core.flow.engine import FlowEngine, Scope
from app.core.flow.identify import Identifier
from app.core.flow.market import MAX_FIGURES_AGE_MS
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink, bus_prefix
from app.services.bus.streams import RedisFrameLog
from app.services.chat_pace import SharedPace
from app.services.coinglass.stream import CoinGlassStream, keyed_socket
from app.services.okx.stream import OkxStream, public_socket
from app.services.streaming.announcer import Announcer, AnnouncerParts
from app.services.streaming.baselines import Baselines
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
from app.services.streaming.poller import Poller
from app.services.streaming.sources import SourceSwitch
from app.services.streaming.stages import Stages
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.watcher import Watcher
from app.services.streaming.worker import Past, StreamWorker, WorkerParts

# Every partition's detectors in one process, or one of them.
_WHOLE = -1
# A stop has ten seconds in all.
STOP_S = 6.0


class Role(StrEnum):
    """What a worker process does."""

    ALL = "all"
    INGEST = "ingest"
    DETECT = "detect"
    DELIVER = "deliver"


@dataclass(slots=True)
class StreamProcess:
    """One worker, ready to be run. bot: None where nobody can ask. closers: called after it has ended."""

    worker: StreamWorker
    bot: Bot | None
    closers: Sequence[Callable[[], Awaitable[None]]]

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
        self.book = build_chats(base)
        self.messengers = build_messengers(base)
        self.delivery = self._delivery()
        self.keeper = AlertKeeper(base.store.alerts, on_stored=self.delivery.wake, clock=base.clock)
        self.levels: dict[str, LevelFigures] = {}
        self.pipelines: dict[int, Pipeline] = {}
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
            switch = self._switch()
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
        return StreamProcess(worker, bot, self.closers)

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
        )

    # --- where events come from -----------------------------------------------------------------------------

    def _switch(self) -> SourceSwitch:
        settings, base = self.base.settings, self.base
        key = settings.coinglass_api_key
        pause_s = settings.ws_reconnect_seconds
        primary = CoinGlassStream(
            keyed_socket(
                settings.coinglass_ws_url, key.get_secret_value() if key else None, reconnect_s=pause_s
            ),
            channel=settings.coinglass_liquidations_channel,
            exchanges=settings.exchanges,
            pairs=base.coinglass.stream_pairs,
            least_usd=lambda symbol: base.flow.tier(symbol).large_usd / 5,
            now_ms=base.clock.now_ms,
        )
        backup = OkxStream(
            public_socket(settings.okx_ws_url, reconnect_s=pause_s),
            contract_values=base.okx.contract_values,
            now_ms=base.clock.now_ms,
        )
        return SourceSwitch(primary if key else None, backup, monotonic=base.clock.monotonic_s)

    def _feed(self, switch: SourceSwitch) -> Callable[[], Awaitable[None]]:
        """Straight into the analysis of this process, or onto the bus for those of others."""
        if self.role is Role.ALL:
            self.stages.add("company", self.company.run)
            pipeline = self.pipelines[_WHOLE] = self._pipeline(_WHOLE)
            return partial(switch.run, pipeline.handle)
        link, log, leases = self._bus()
        ingest = FrameIngest(
            log, leases, switch.run, partitioning=self.partitioning, now_ms=self.base.clock.now_ms
        )
        self.closers.append(link.aclose)
        return _until_cancelled(ingest.run, ingest.stop)

    def _detect(self) -> Callable[[], Awaitable[None]]:
        link, log, leases = self._bus()
        worker = PartitionWorker(
            log,
            leases,
            self._handler,
            partitions=tuple(self.partitioning.all),
            now_ms=self.base.clock.now_ms,
            monotonic=self.base.clock.monotonic_s,
        )
        self.closers.append(link.aclose)
        return _until_cancelled(worker.run, worker.stop)

    def _bus(self) -> tuple[BusLink, RedisFrameLog, RedisLeases]:
        url = self.base.settings.redis_url
        if url is None:
            raise ConfigurationError("REDIS_URL: the bus needs it")
        link = BusLink(url.get_secret_value())
        prefix = bus_prefix(self.base.prefix)
        # Leases are of wall time whatever the market's clock says.
        log = RedisFrameLog(link, prefix=prefix, now_ms=SystemClock().now_ms)
        return link, log, RedisLeases(link, prefix=prefix, owner=self.name)

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
        self.pipelines.pop(partition, None)

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
        base, is_replay = self.base, self.base.settings.data_mode == "replay"
        options = DeliveryOptions(
            owner=self.name,
            data_mode=base.settings.data_mode,
            # Alone, whoever had something in hands before this start is dead; others may live.
            takes_over=f"{Role.ALL}-" if self.role is Role.ALL else None,
            dashboard_url=dashboard_url(base.settings),
            wall_ms=SystemClock().now_ms if is_replay else None,
        )
        return DeliveryService(
            base.store.alerts,
            self.messengers.senders,
            chats=self.book,
            addresses=ChatAddresses(base.store.state),
            clock=base.clock,
            options=options,
        )

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


def _until_cancelled(
    run: Callable[[], Awaitable[None]], stop: Callable[[], None]
) -> Callable[[], Awaitable[None]]:
    """A loop that ends by itself after `stop`: being cancelled, it is given the time to do so."""

    async def loop() -> None:
        task = asyncio.ensure_future(run())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            stop()
            # Not in time (Redis answers nothing): it is cut off, and what it held is free when leases end.
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await task
            raise

    return loop
