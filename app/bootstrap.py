"""The composition root: the only place that names concrete adapters and puts the application together.

Reads settings, builds transport, providers, use cases and API, and owns their life: providers learn their
plans and instruments in the background after start, everything is closed at the end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict

from fastapi import FastAPI
from pydantic import SecretStr

from app import __version__
from app.api.app import Lifespan, create_api
from app.api.options import ApiKey, ApiOptions
from app.bootstrap_use_cases import build_services
from app.core.clock import Clock, SystemClock
from app.core.domain.context import DataMode
from app.core.ports import Provider
from app.services.calibration_service import CalibrationService
from app.services.coinglass import CoinGlassProvider
from app.services.coinglass.build import build_provider as build_coinglass
from app.services.coinglass.catalog import CALLS_PER_MINUTE, Plan
from app.services.okx.build import build_provider as build_okx
from app.services.record_service import RecordService
from app.services.sentiment.build import build_alternative_me, build_lunarcrush
from app.services.spot.build import build_provider as build_coinapi
from app.services.storage.retention import Keep
from app.services.storage.store import SqlStore
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState
from app.services.transport.http import CallRecord
from app.services.transport.redact import Redactor
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared import RedisStore
from app.services.transport.shared_limits import SharedQuota
from app.settings import Settings, load_signals_config
from app.telemetry import Metrics, configure_logging

_log = logging.getLogger(__name__)

# Longest that a readiness check may wait for a price; balancers give up after a few seconds.
READY_PROBE_S = 2.0


@dataclass(frozen=True, slots=True)
class Application:
    """One composed application. `providers_started` is set once plans and instruments were asked for."""

    api: FastAPI
    providers: tuple[Provider, ...]
    providers_started: asyncio.Event


class _Common(TypedDict):
    """What every provider is built with."""

    cache: ResourceCache
    observe: Callable[[CallRecord], None]
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None]


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    observe_call: Callable[[CallRecord], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Application:
    """Compose everything from checked settings; nothing runs until the API's lifespan is entered.

    clock: market time (replay and tests bring their own). observe_call: sees every upstream call, besides
    the metrics (benchmarks). sleep: waits for call budgets and retries (tests leap over them).

    Raises:
        SettingsError, ConfigurationError: the signals file or a setting makes no sense.
    """
    clock = clock or SystemClock()
    data_mode = DataMode(settings.data_mode)
    signals = load_signals_config(settings.signals_config)
    metrics = Metrics()
    metrics.describe(data_mode=data_mode, version=__version__)
    configure_logging(
        level=settings.log_level,
        json=settings.env == "prod",
        redact=Redactor(settings.secret_values()).text,
        data_mode=data_mode,
    )
    redis = _redis_link(settings, clock, metrics)
    prefix = f"signals:{data_mode}:"  # live, demo and replay may share a Redis, never an answer or a budget
    cache = ResourceCache(
        now_ms=clock.now_ms,
        shared=RedisStore(redis, prefix=prefix) if redis else None,
        observe=metrics.observe_cache,
        # An old value beats a deadline missed: wait a part of it for the new one, then serve the old.
        patience_s=min(1.5, settings.request_deadline_seconds / 4),
    )

    def observe(call: CallRecord) -> None:
        metrics.observe_call(call)
        if observe_call is not None:
            observe_call(call)

    quota = _shared_coinglass_quota(redis, prefix, clock)
    common = _Common(
        cache=cache,
        observe=observe,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        sleep=sleep,
        on_breaker_change=metrics.observe_breaker,
    )
    coinglass = build_coinglass(
        api_key=_plain(settings.coinglass_api_key),
        base_url=settings.coinglass_base_url,
        exchange_order=settings.exchanges,
        liquidation_exchanges=signals.liquidation_exchanges,
        quota=quota,
        watch=settings.symbols,
        plans_ahead=settings.planner,
        **common,
    )
    providers = _providers(settings, coinglass, common)
    store = SqlStore(
        settings.store_url(),
        data_mode=data_mode,
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        keep=Keep(**settings.retention_days()),
    )
    metrics.watch_store(store.status)
    services, record, calibration = build_services(
        settings, signals, clock, providers, coinglass, redis, metrics, store
    )
    started = asyncio.Event()
    api = create_api(
        _api_options(settings),
        services,
        metrics_text=metrics.metrics_text,
        observe=metrics.observe_request,
        lifespan=_lifespan(providers, cache, quota, redis, started, store, record, calibration),
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
    )
    return Application(api, providers, started)


def settle_memory() -> None:
    """Take what is built by now out of the collector's sight; it lives as long as the process.

    Walking it again and again holds up answers by a tenth of a second, several times a minute under load.
    Called once by a process of ours before it serves.
    """
    gc.collect()
    gc.freeze()


def _redis_link(settings: Settings, clock: Clock, metrics: Metrics) -> RedisLink | None:
    if settings.redis_url is None:
        return None
    return RedisLink(
        settings.redis_url.get_secret_value(),
        monotonic=clock.monotonic_s,
        observe=metrics.observe_redis_fault,
    )


def _shared_coinglass_quota(redis: RedisLink | None, prefix: str, clock: Clock) -> SharedQuota | None:
    """One budget for all processes that use the key and the Redis; None: the adapter keeps its own."""
    if redis is None:
        return None
    smallest = CALLS_PER_MINUTE[Plan.HOBBYIST]  # until the account says more
    return SharedQuota("coinglass", redis, calls=smallest, prefix=prefix, monotonic=clock.monotonic_s)


def _providers(
    settings: Settings,
    coinglass: CoinGlassProvider,
    common: _Common,
) -> tuple[Provider, ...]:
    return (
        coinglass,
        build_okx(base_url=settings.okx_base_url, **common),
        build_coinapi(api_key=_plain(settings.coinapi_key), base_url=settings.coinapi_base_url, **common),
        build_lunarcrush(
            api_key=_plain(settings.lunarcrush_api_key),
            base_url=settings.lunarcrush_base_url,
            calls_per_minute=settings.lunarcrush_per_minute,
            **common,
        ),
        build_alternative_me(base_url=settings.alternative_me_base_url, **common),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _api_options(settings: Settings) -> ApiOptions:
    return ApiOptions(
        public_url=settings.public_url or f"http://localhost:{settings.port}",
        data_mode=DataMode(settings.data_mode),
        version=__version__,
        env=settings.env,
        api_keys=tuple(
            ApiKey.from_plain(key.name, key.key.get_secret_value(), key.scopes) for key in settings.api_keys
        ),
        cors_origins=settings.cors_origins,
        trusted_proxy_hops=settings.trusted_proxy_hops,
        rate_limit_per_minute=settings.rate_limit_per_minute,
    )


def _lifespan(
    providers: tuple[Provider, ...],
    cache: ResourceCache,
    quota: SharedQuota | None,
    redis: RedisLink | None,
    started: asyncio.Event,
    store: SqlStore,
    record: RecordService,
    calibration: CalibrationService,
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Not awaited: a provider that hangs at start must not keep the process from living.
        store.start()
        running = [asyncio.create_task(record.run()), asyncio.create_task(calibration.run())]
        starting = asyncio.create_task(_start(providers, started))
        try:
            yield
        finally:
            starting.cancel()
            for task in running:
                task.cancel()
            await asyncio.gather(starting, *running, return_exceptions=True)
            await record.settle()
            await store.close()
            await cache.aclose()
            await asyncio.gather(*(provider.close() for provider in providers))
            if quota is not None:
                await quota.settled()
            if redis is not None:
                await redis.aclose()

    return lifespan


async def _start(providers: tuple[Provider, ...], started: asyncio.Event) -> None:
    ended = await asyncio.gather(*(provider.start() for provider in providers), return_exceptions=True)
    for provider, error in zip(providers, ended, strict=True):
        if isinstance(error, Exception):
            # A bug in one adapter: the others go on, and this one learns what it can on demand.
            _log.error("provider failed to start", extra={"provider": provider.name}, exc_info=error)
    started.set()
    _log.info("providers started", extra={"states": {p.name: p.status().state.value for p in providers}})
