"""The composition root: the only place that names concrete adapters and puts the application together.

Takes the ground of `bootstrap_base`, puts use cases and API on it and owns their life: everything is closed
at the end, in the order in which nothing is used any more.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from fastapi import FastAPI

from app import __version__
from app.api.app import Lifespan, create_api
from app.api.options import ApiKey, ApiOptions
from app.bootstrap_base import Base, build_base
from app.bootstrap_stream import StreamProcess, build_stream
from app.bootstrap_use_cases import UseCases, build_use_cases
from app.core.clock import Clock
from app.core.domain.context import DataMode
from app.core.ports import Provider
from app.services.transport.http import CallRecord
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Application:
    """One composed application. `providers_started` is set once plans and instruments were asked for."""

    api: FastAPI
    providers: tuple[Provider, ...]
    providers_started: asyncio.Event


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    observe_call: Callable[[CallRecord], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Application:
    """Compose the web process from checked settings; nothing runs until the API's lifespan is entered.

    Arguments as of `build_base`.

    Raises:
        SettingsError, ConfigurationError: the signals file or a setting makes no sense.
    """
    base = build_base(settings, clock=clock, observe_call=observe_call, sleep=sleep)
    use_cases = build_use_cases(base)
    stream = build_stream(base, use_cases) if settings.runs_worker_embedded() else None
    webhook = stream.bot.webhook if stream is not None and stream.bot is not None else None
    api = create_api(
        _api_options(settings),
        replace(use_cases.api, telegram=webhook),
        metrics_text=base.metrics.metrics_text,
        observe=base.metrics.observe_request,
        lifespan=_lifespan(base, use_cases, stream),
        now_ms=base.clock.now_ms,
        monotonic=base.clock.monotonic_s,
    )
    return Application(api, base.providers, base.providers_started)


def settle_memory() -> None:
    """Take what is built by now out of the collector's sight; it lives as long as the process.

    Walking it again and again holds up answers by a tenth of a second, several times a minute under load.
    Called once by a process of ours before it serves.
    """
    gc.collect()
    gc.freeze()


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


def _lifespan(base: Base, use_cases: UseCases, stream: StreamProcess | None) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with base.running(), use_cases.running():
            running = None if stream is None else asyncio.create_task(stream.run())
            try:
                yield
            finally:
                if running is not None:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)

    return lifespan
