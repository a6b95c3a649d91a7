"""The use cases of the application, put together over its adapters. A part of `bootstrap`, split off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from app.api.deps import ApiServices
from app.bootstrap_base import Base
from app.bootstrap_live import flow_of, live_of
from app.bootstrap_record import record_of, record_stages
from app.bootstrap_telemetry import count_signal
from app.core.alerting.signal_message import encode_signal
from app.core.clock import Clock
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig, MaxAge, Thresholds
from app.core.domain.heatmap import AbsentPart
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import Candles, LiquidationHistory, Series
from app.core.domain.signal import FactorName, Mode, Signal
from app.core.domain.status import DependencyState, DependencyStatus
from app.core.domain.stored import StoreState, Trigger
from app.core.domain.symbol import Symbol
from app.core.errors import ConfigurationError
from app.core.heatmap.composite import Swings
from app.core.ports import Fetched, Provider
from app.services.alert_service import AlertService
from app.services.bus.channels import RedisChannels
from app.services.bus.signals import SignalChannel
from app.services.calibration_service import CalibrationService, CandlesNow
from app.services.charts.heatmap_png import HeatmapPngPainter
from app.services.charts.zones_png import ZonePngPainter
from app.services.coin_service import CoinService
from app.services.context_service import ContextService, IsFresh, SourceOrder
from app.services.derivatives_service import DerivativesService
from app.services.export_service import ExportService
from app.services.health_service import HealthService
from app.services.heatmap_service import HeatmapService, SwingsNow
from app.services.history_recorder import HistoryRecorder
from app.services.history_service import HistoryService
from app.services.liquidity_service import LiquidityService
from app.services.open_interest_replay import OpenInterestReplay
from app.services.record_service import RecordService
from app.services.signal_service import SignalService, resolver
from app.services.stats_service import StatsService
from app.services.storage.store import SqlStore
from app.services.streaming.minute_interest import MinuteInterest
from app.services.streaming.stages import Stages
from app.services.streaming.stream_source import NAME as STREAM
from app.services.streaming.stream_source import StreamSource, interest_sources
from app.services.streaming.tile_shelf import TileShelf
from app.services.symbol_service import SymbolService
from app.settings import Settings, SignalsConfig

if TYPE_CHECKING:
    from app.services.transport.redis_link import RedisLink

# Longest that a readiness check may wait for a price; balancers give up after a few seconds.
READY_PROBE_S = 2.0
Resolve: TypeAlias = Callable[[str], Symbol]


@dataclass(frozen=True, slots=True)
class UseCases:
    """The use cases of one process. record, calibration, channel, recording: to be run beside the rest
    (`running`).

    dependencies: what readiness looks at besides providers; a worker in the same process adds itself.
    """

    api: ApiServices
    contexts: ContextService
    record: RecordService
    calibration: CalibrationService
    resolve: Resolve
    stream: StreamSource
    heatmap: HeatmapService
    candles: CandlesNow
    dependencies: list[Callable[[], DependencyStatus]]
    channel: SignalChannel | None
    recording: Stages

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The logs and the channel while it lasts; the last bars are handed to the store at its end."""
        loops = (self.record.run, self.calibration.run, self.recording.run)
        tasks = [asyncio.create_task(loop()) for loop in loops]
        if self.channel is not None:
            tasks.append(asyncio.create_task(self.channel.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stream.close()
            await self.record.settle()


def build_use_cases(base: Base) -> UseCases:
    """The use cases over the adapters that were built.

    Raises:
        ConfigurationError: the signals file names a provider that does not exist.
    """
    settings, clock, providers, store = base.settings, base.clock, base.providers, base.store
    engine = engine_config(base.signals)
    order = {
        Capability(name): names
        for name, names in base.signals.source_order(
            replay=settings.data_mode == DataMode.REPLAY.value
        ).items()
    }
    _check_names(order, providers)
    stream = _stream(base)
    contexts = _contexts(settings, engine, order, clock, providers, stream)
    recorder = HistoryRecorder(store.market)
    channel = _channel(base)

    def on_signal(signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        count_signal(base.metrics, signal, context)
        if channel is not None:
            channel.tell(encode_signal(signal))
        record.keep(signal, context, trigger)

    async def candles(symbol: Symbol, interval: str) -> Candles | None:
        return await liquidity.candles(symbol, interval)

    calibration = CalibrationService(
        writer=store.market, log=store.probabilities, candles=candles, clock=clock
    )

    def on_answer(answer: LiquidityAnswer) -> None:
        calibration.keep(answer)
        record.keep_bars(answer.context)

    async def swings(symbol: Symbol) -> Swings | AbsentPart:
        return await liquidity.swings(symbol)

    heatmap = _heatmap(base, contexts, resolver(providers), swings)
    derivatives = _derivatives(base, heatmap, resolver(providers), stream)
    liquidity = LiquidityService(
        contexts=contexts,
        derivatives=derivatives,
        resolve=resolver(providers),
        engine=engine,
        painter=ZonePngPainter(),
        clock=clock,
        on_answer=on_answer,
    )
    kept = record_of(base, resolver(providers), engine)
    use_cases = SignalService(
        contexts=contexts,
        providers=providers,
        engine=engine,
        clock=clock,
        deadline_s=settings.request_deadline_seconds,
        on_signal=on_signal,
        liquidity=liquidity,
        chance=kept.chances.of,
    )
    resolve = use_cases.resolve
    dependencies = _dependencies(store, base.redis)
    record = RecordService(log=store.signals, recorder=recorder, resolve=resolve)
    alerts = AlertService(store.alerts, resolve=resolve)
    live = live_of(base, use_cases, alerts, record)
    services = ApiServices(
        signals=use_cases,
        market=use_cases,
        derivatives=derivatives,
        catalog=base.coinglass.catalog(),
        budget=base.coinglass,
        health=HealthService(
            providers=providers,
            price_providers=order[Capability.PRICE],
            dependencies=dependencies,
            data_mode=DataMode(settings.data_mode),
            try_price=lambda: contexts.price(_first_coin(base), READY_PROBE_S),
        ),
        heatmap=heatmap,
        liquidity=liquidity,
        history=HistoryService(store.bars, resolve=resolve),
        replay=OpenInterestReplay(bars=store.bars, upstream=derivatives, recorder=recorder, clock=clock),
        record=record,
        exports=ExportService(store.exports, resolve=resolve),
        flow=flow_of(base, base.warm, resolve),
        alerts=alerts,
        track=kept.track,
        symbols=SymbolService(providers),
        live=live,
        coins=CoinService(base.watchlist, resolve=resolve),
        stats=StatsService(
            watchlist=base.watchlist,
            signals=kept.track,
            alerts=store.alerts,
            store=store,
            clock=clock,
            live_clients=lambda: live.demand.listeners,
        ),
        candles=liquidity,
        audit=base.audit,
    )
    recording = record_stages(base, kept, use_cases.scheduled, candles)
    base.stages.append(recording)
    return UseCases(
        api=services,
        contexts=contexts,
        record=record,
        calibration=calibration,
        resolve=resolve,
        stream=stream,
        heatmap=heatmap,
        candles=candles,
        dependencies=dependencies,
        channel=channel,
        recording=recording,
    )


def _channel(base: Base) -> SignalChannel | None:
    """Where signals are published; None unless that is wanted."""
    if base.redis is None or not base.settings.alert_channels:
        return None
    return SignalChannel(RedisChannels(base.redis, prefix=base.prefix))


def _stream(base: Base) -> StreamSource:
    """What the worker streams, offered before calls."""
    return StreamSource(
        base.warm,
        record=base.store.liquidations,
        gaps=base.store.alerts,
        interest=interest_sources(source for provider in base.providers for source in provider.sources()),
        clock=base.clock,
        # A day to sum over before the first point, and the points to rank the newest in.
        min_hours=24 + base.signals.history.min_history_points,
    )


def _contexts(
    settings: Settings,
    engine: EngineConfig,
    order: Mapping[Capability, tuple[str, ...]],
    clock: Clock,
    providers: tuple[Provider, ...],
    stream: StreamSource,
) -> ContextService:
    found = [source for provider in providers for source in provider.sources()]
    return ContextService(
        sources=SourceOrder.build(order, [*found, *stream.sources()]),
        clock=clock,
        data_mode=DataMode(settings.data_mode),
        deadline_s=settings.request_deadline_seconds,
        is_fresh=_freshness(engine.max_age),
    )


def _heatmap(base: Base, contexts: ContextService, resolve: Resolve, swings: SwingsNow) -> HeatmapService:
    return HeatmapService(
        store=base.store.tiles,
        resolve=resolve,
        price=lambda symbol: contexts.price(symbol, READY_PROBE_S),
        swings=swings,
        painter=HeatmapPngPainter(),
        clock=base.clock,
        data_mode=DataMode(base.settings.data_mode),
        interest=MinuteInterest(base.store.bars),
        published=TileShelf(base.warm).read,
    )


def _first_coin(base: Base) -> Symbol:
    """Of the watchlist; one has to be asked for also when somebody switched all of them off."""
    return Symbol((*base.watchlist.symbols(), *base.settings.symbols)[0])


def _derivatives(
    base: Base, heatmap: HeatmapService, resolve: Resolve, stream: StreamSource
) -> DerivativesService:
    views = [source for provider in base.providers for source in provider.views()]
    return DerivativesService(
        # The own record is asked last: it says what happened, providers estimate what may.
        sources=[*views, heatmap.view_source()],
        resolve=resolve,
        clock=base.clock,
        deadline_s=base.settings.request_deadline_seconds,
        watch=lambda: [Symbol(coin) for coin in base.watchlist.symbols()],
        shortcuts=stream.views(),
    )


def _dependencies(store: SqlStore, redis: RedisLink | None) -> list[Callable[[], DependencyStatus]]:
    found: list[Callable[[], DependencyStatus]] = [lambda: _store_status(store)]
    if redis is not None:
        found.append(lambda: _redis_status(redis))
    return found


def _check_names(order: Mapping[Capability, tuple[str, ...]], providers: tuple[Provider, ...]) -> None:
    """A source order that names nobody would silently lose a fallback.

    Raises:
        ConfigurationError: a name in `[sources]` that no adapter has.
    """
    unknown = {name for names in order.values() for name in names} - {p.name for p in providers} - {STREAM}
    if unknown:
        raise ConfigurationError(f"[sources] names providers that do not exist: {', '.join(sorted(unknown))}")


_STORE_STATES: Mapping[StoreState, DependencyState] = {
    StoreState.OK: DependencyState.OK,
    StoreState.STARTING: DependencyState.STARTING,
    StoreState.FULL: DependencyState.DOWN,
    StoreState.DOWN: DependencyState.DOWN,
    StoreState.REFUSED: DependencyState.DOWN,
}


def _store_status(store: SqlStore) -> DependencyStatus:
    status = store.status()
    state = _STORE_STATES[status.state]
    notes = []
    if state is DependencyState.DOWN:
        notes.append(status.detail)
        if status.buffered_rows:
            notes.append(f"{status.buffered_rows} rows wait, the oldest {status.oldest_buffered_s:.0f} s")
    lost = status.lost_rows + status.rejected_rows
    if lost:
        notes.append(f"{lost} rows lost since the start")
    return DependencyStatus("store", state, "; ".join(notes))


def _redis_status(redis: RedisLink) -> DependencyStatus:
    if not redis.is_down:
        return DependencyStatus("redis", DependencyState.OK, "")
    detail = "not answering; this process works from its own memory"
    return DependencyStatus("redis", DependencyState.DOWN, detail)


def engine_config(signals: SignalsConfig) -> EngineConfig:
    return EngineConfig(
        weights={FactorName(name): weight for name, weight in signals.weights},
        thresholds={Mode(name): Thresholds(pair.long, pair.short) for name, pair in signals.thresholds},
        min_coverage_frac=signals.min_coverage_frac,
        max_age=MaxAge(**signals.max_age.model_dump()),
        scales=AbsoluteScales(**signals.scales.model_dump()),
        **signals.history.model_dump(),
    )


def _freshness(max_age: MaxAge) -> IsFresh:
    """The engine's own age limits, so that a stale first choice makes way for a fresh second one."""

    def is_fresh(capability: Capability, fetched: Fetched[object], now_ms: int) -> bool:
        value = fetched.value
        interval_ms = value.interval_ms if isinstance(value, Candles | Series | LiquidationHistory) else 0
        return now_ms - fetched.ts_event_ms <= max_age.limit_ms(capability, interval_ms)

    return is_fresh
