"""What every process is made of, web or worker: clock, metrics, caches, providers, store.

A part of `bootstrap`. Names the concrete adapters of the providers; nothing runs until `running` is entered.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from pydantic import SecretStr

from app import __version__
from app.alerts_config import AlertsConfig, load_alerts_config
from app.api.options import ApiKey
from app.api.request_context import request_names
from app.bootstrap_telemetry import build_tracing, watch_ground
from app.core.clock import Clock, SystemClock
from app.core.domain.context import DataMode
from app.core.domain.flow_config import FlowConfig, Tier
from app.core.ports import Provider
from app.core.stream_ports import WarmCache
from app.services.audit_trail import AuditTrail
from app.services.bus.warm import RedisWarmCache
from app.services.coinglass import CoinGlassProvider
from app.services.coinglass.build import build_provider as build_coinglass
from app.services.coinglass.catalog import CALLS_PER_MINUTE, Plan
from app.services.coinglass.parse import PROVIDER as COINGLASS
from app.services.okx.build import build_provider as build_okx
from app.services.okx.provider import OkxProvider
from app.services.sentiment.build import build_alternative_me, build_lunarcrush
from app.services.sentiment.client import LUNARCRUSH
from app.services.spot.build import build_provider as build_coinapi
from app.services.storage.retention import Keep
from app.services.storage.store import SqlStore
from app.services.storage.warm import StoreWarmCache
from app.services.streaming.alert_context import alert_names
from app.services.streaming.stages import Stages
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState
from app.services.transport.connection import Waits
from app.services.transport.http import CallRecord
from app.services.transport.redact import Redactor
from app.services.transport.shared import RedisStore
from app.services.transport.shared_limits import SharedQuota
from app.services.watchlist import Watchlist
from app.settings import ApiKey as GivenKey
from app.settings import Settings, SignalsConfig, load_signals_config
from app.telemetry import configure_logging
from app.telemetry_audit import AuditMetrics
from app.telemetry_metrics import Metrics

if TYPE_CHECKING:
    from app.services.transport.redis_link import RedisLink
    from app.telemetry_tracing import Tracing

_log = logging.getLogger(__name__)


class _Common(TypedDict):
    """What every provider is built with."""

    cache: ResourceCache
    observe: Callable[[CallRecord], None]
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    waits: Waits
    sleep: Callable[[float], Awaitable[None]]
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None]


@dataclass(frozen=True, slots=True)
class Base:
    """The ground of one process. prefix: of every key in Redis: live, demo and replay never meet there.

    stages: all of this process, for its metrics; the first one are the loops of the ground itself. quotas: by
    provider, those that are counted in Redis.
    """

    settings: Settings
    signals: SignalsConfig
    alerts: AlertsConfig
    flow: FlowConfig
    clock: Clock
    metrics: Metrics
    prefix: str
    redis: RedisLink | None
    cache: ResourceCache
    quotas: Mapping[str, SharedQuota]
    coinglass: CoinGlassProvider
    okx: OkxProvider
    providers: tuple[Provider, ...]
    store: SqlStore
    watchlist: Watchlist
    warm: WarmCache
    providers_started: asyncio.Event
    audit: AuditTrail
    stages: list[Stages]
    tracing: Tracing | None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Store, watchlist and providers from their start to their end.

        Nothing is awaited at the start: a provider that hangs must not keep the process from living.
        """
        self.store.start()
        tasks = [
            asyncio.create_task(_start(self.providers, self.providers_started)),
            asyncio.create_task(self.stages[0].run()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.audit.settle()
            await self.store.close()
            await self.cache.aclose()
            await asyncio.gather(*(provider.close() for provider in self.providers))
            await asyncio.gather(*(quota.settled() for quota in self.quotas.values()))
            if self.redis is not None:
                await self.redis.aclose()
            if self.tracing is not None:
                await self.tracing.close()


def build_base(
    settings: Settings,
    *,
    clock: Clock | None = None,
    observe_call: Callable[[CallRecord], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    plans_ahead: bool = True,
) -> Base:
    """Compose from checked settings.

    clock: market time (replay and tests bring their own). observe_call: sees every upstream call, besides
    the metrics (benchmarks). sleep: waits for call budgets and retries (tests leap over them). plans_ahead:
    False in a process beside one that already asks CoinGlass ahead of questions.

    Raises:
        SettingsError, ConfigurationError: the signals file or a setting makes no sense.
    """
    clock = clock or SystemClock()
    data_mode = DataMode(settings.data_mode)
    signals = load_signals_config(settings.signals_config)
    alerts = load_alerts_config(settings.alerts_config)
    metrics = Metrics(monotonic=clock.monotonic_s)
    metrics.describe(data_mode=data_mode, version=__version__)
    configure_logging(
        level=settings.log_level,
        json=settings.logs_json(),
        redact=Redactor(settings.secret_values()).text,
        data_mode=data_mode,
        work=lambda: {**request_names(), **alert_names()},
    )
    redis = _redis_link(settings, clock, metrics)
    prefix = f"signals:{data_mode}:"  # live, demo and replay may share a Redis, never an answer or a budget
    cache = ResourceCache(
        now_ms=clock.now_ms,
        shared=RedisStore(redis, prefix=prefix) if redis else None,
        observe=metrics.upstream.observe_cache,
        # An old value beats a deadline missed: wait a part of it for the new one, then serve the old.
        patience_s=min(1.5, settings.request_deadline_seconds / 4),
    )

    tracing = build_tracing(
        settings.otel_exporter_otlp_endpoint,
        version=__version__,
        data_mode=settings.data_mode,
        on_failure=metrics.process.note_unsent_traces,
    )

    def observe(call: CallRecord) -> None:
        metrics.upstream.observe_call(call)
        if tracing is not None:
            tracing.observe_call(call)
        if observe_call is not None:
            observe_call(call)

    quotas = _shared_quotas(settings, redis, prefix, clock)
    common = _Common(
        cache=cache,
        observe=observe,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        waits=Waits(settings.connect_timeout_seconds, settings.read_timeout_seconds),
        sleep=sleep,
        on_breaker_change=metrics.upstream.observe_breaker,
    )
    coinglass = build_coinglass(
        api_key=_plain(settings.coinglass_api_key),
        base_url=settings.coinglass_base_url,
        exchange_order=settings.exchanges,
        liquidation_exchanges=signals.liquidation_exchanges,
        quota=quotas.get(COINGLASS),
        watch=settings.symbols,
        plans_ahead=settings.planner and plans_ahead,
        **common,
    )
    okx = build_okx(base_url=settings.okx_base_url, **common)
    providers = _providers(settings, coinglass, okx, quotas.get(LUNARCRUSH), common)
    store = SqlStore(
        settings.store_url(),
        data_mode=data_mode,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        keep=Keep(**settings.retention_days()),
        observe_batch=metrics.store.observe_batch,
    )
    watchlist = Watchlist(configured=settings.symbols, store=store.state, now_ms=clock.now_ms)
    watchlist.subscribe(coinglass.watch)
    stages = [Stages(monotonic=clock.monotonic_s)]
    stages[0].add("watchlist", watchlist.run)
    audit = AuditTrail(store.audit, wall_ms=wall_ms, observe=AuditMetrics(metrics.registry).observe)
    stages[0].add("audit", audit.run)
    watch_ground(metrics, providers=providers, store=store, stages=stages, clock=clock)
    return Base(
        settings=settings,
        signals=signals,
        alerts=alerts,
        flow=flow_config(alerts),
        clock=clock,
        metrics=metrics,
        prefix=prefix,
        redis=redis,
        cache=cache,
        quotas=quotas,
        coinglass=coinglass,
        okx=okx,
        providers=providers,
        store=store,
        watchlist=watchlist,
        warm=_warm_cache(settings, redis, prefix, clock, store),
        providers_started=asyncio.Event(),
        stages=stages,
        tracing=tracing,
        audit=audit,
    )


def accepted_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """The keys of `API_KEYS`, as whoever compares them holds them."""
    return tuple(map(_accepted, settings.api_keys))


def _accepted(key: GivenKey) -> ApiKey:
    if key.at_rest is not None:
        return ApiKey.from_digest(key.name, key.at_rest, key.scopes)
    return ApiKey.from_plain(key.name, key.key.get_secret_value(), key.scopes)


def wall_ms() -> int:
    """UTC epoch milliseconds of the real world, in which keys expire and people act; a replay's market has a
    time of its own."""
    return time.time_ns() // 1_000_000


def settle_memory() -> None:
    """Take what is built by now out of the collector's sight; it lives as long as the process.

    Walking it again and again holds up answers by a tenth of a second, several times a minute under load.
    Called once by a process of ours before it serves.
    """
    gc.collect()
    gc.freeze()


def flow_config(alerts: AlertsConfig) -> FlowConfig:
    """Tiers and detectors of the alerts file."""
    tiers = alerts.tiers
    return FlowConfig(
        tier_1=Tier(**tiers.tier_1.model_dump()),
        tier_2=Tier(**tiers.tier_2.model_dump()),
        tier_3=Tier(**tiers.tier_3.model_dump()),
        tier_1_coins=frozenset(tiers.tier_1_coins),
        tier_2_coins=frozenset(tiers.tier_2_coins),
        **alerts.detectors.model_dump(),
    )


def _redis_link(settings: Settings, clock: Clock, metrics: Metrics) -> RedisLink | None:
    if settings.redis_url is None:
        return None
    from app.services.transport.redis_link import RedisLink  # who has no Redis starts without its library

    return RedisLink(
        settings.redis_url.get_secret_value(),
        timeout_s=settings.redis_timeout_seconds,
        monotonic=clock.monotonic_s,
        observe=metrics.upstream.observe_redis_fault,
    )


def _warm_cache(
    settings: Settings, redis: RedisLink | None, prefix: str, clock: Clock, store: SqlStore
) -> WarmCache:
    """Rolling windows of the worker: in memory where it is this process, else over Redis or the database."""
    memory = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    if redis is None and settings.runs_worker_embedded():
        return memory
    if redis is None:
        return StoreWarmCache(store.state, memory=memory, now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    return RedisWarmCache(
        redis, prefix=prefix, memory=memory, now_ms=clock.now_ms, monotonic=clock.monotonic_s
    )


def _shared_quotas(
    settings: Settings, redis: RedisLink | None, prefix: str, clock: Clock
) -> Mapping[str, SharedQuota]:
    """One budget for all processes that use a key and the Redis, where a key has a plan of calls a minute.
    Empty without Redis: each adapter keeps its own."""
    if redis is None:
        return {}
    # What a CoinGlass account may, it says itself: the smallest plan until then.
    plans = {COINGLASS: CALLS_PER_MINUTE[Plan.HOBBYIST], LUNARCRUSH: settings.lunarcrush_per_minute}
    return {
        name: SharedQuota(name, redis, calls=calls, prefix=prefix, monotonic=clock.monotonic_s)
        for name, calls in plans.items()
    }


def _providers(
    settings: Settings,
    coinglass: CoinGlassProvider,
    okx: OkxProvider,
    social_quota: SharedQuota | None,
    common: _Common,
) -> tuple[Provider, ...]:
    return (
        coinglass,
        okx,
        build_coinapi(api_key=_plain(settings.coinapi_key), base_url=settings.coinapi_base_url, **common),
        build_lunarcrush(
            api_key=_plain(settings.lunarcrush_api_key),
            base_url=settings.lunarcrush_base_url,
            calls_per_minute=settings.lunarcrush_per_minute,
            quota=social_quota,
            **common,
        ),
        build_alternative_me(base_url=settings.alternative_me_base_url, **common),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


async def _start(providers: tuple[Provider, ...], started: asyncio.Event) -> None:
    ended = await asyncio.gather(*(provider.start() for provider in providers), return_exceptions=True)
    for provider, error in zip(providers, ended, strict=True):
        if isinstance(error, Exception):
            # A bug in one adapter: the others go on, and this one learns what it can on demand.
            _log.error("provider failed to start", extra={"provider": provider.name}, exc_info=error)
    started.set()
    _log.info("providers started", extra={"states": {p.name: p.status().state.value for p in providers}})
