"""The composition root: the only place that names concrete adapters and puts the application together.

Takes the ground of `bootstrap_base`, puts use cases and API on it and owns their life: everything is closed
at the end, in the order in which nothing is used any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from app import __version__
from app.api.admission import Admission
from app.api.app import Lifespan, create_api
from app.api.dashboard_files import read_dashboard
from app.api.live_hub import LiveHub
from app.api.live_limits import LiveLimits
from app.api.mcp_options import McpOptions
from app.api.options import ApiOptions, digest_of
from app.api.origins import allowed_origins
from app.api.refusals import Refusals
from app.bootstrap_base import Base, accepted_keys, build_base, wall_ms
from app.bootstrap_telemetry import watch_record
from app.bootstrap_use_cases import UseCases, build_use_cases, engine_config
from app.core.clock import Clock, SystemClock
from app.core.domain.context import DataMode
from app.core.domain.status import DependencyStatus
from app.core.ports import Provider
from app.services.keyring import Keyring
from app.services.record_figures import RecordFigures
from app.services.streaming.stages import Stages
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.worker_watch import WorkerWatch
from app.services.transport.http import CallRecord
from app.settings import Settings

if TYPE_CHECKING:
    from app.bootstrap_messages import Bot
    from app.bootstrap_stream import StreamProcess
    from app.services.chat_book import ChatBook


# Where the front end's build goes.
WEB_DIST = Path(__file__).resolve().parent / "web_dist"


@dataclass(frozen=True, slots=True)
class Application:
    """One composed application. `providers_started` is set once plans and instruments were asked for;
    `settled()` waits until no provider is being asked. live: the hub of the live feed. admission, refusals:
    for the door of the web server."""

    api: FastAPI
    providers: tuple[Provider, ...]
    providers_started: asyncio.Event
    has_dashboard: bool
    settled: Callable[[], Awaitable[None]]
    live: LiveHub
    admission: Admission
    refusals: Refusals


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    observe_call: Callable[[CallRecord], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    web_dist: Path = WEB_DIST,
) -> Application:
    """Compose the web process from checked settings; nothing runs until the API's lifespan is entered.

    Arguments as of `build_base`. web_dist: the folder of the built dashboard, which need not be there.

    Raises:
        SettingsError, ConfigurationError: the signals file or a setting makes no sense, or the dashboard is
            too large.
    """
    base = build_base(settings, clock=clock, observe_call=observe_call, sleep=sleep)
    use_cases = build_use_cases(base)
    stream, pushed = _worker(base, use_cases), _pushed_bot(base, use_cases)
    bot = pushed[0] if pushed is not None else None if stream is None else stream.bot
    webhook = None if bot is None else bot.webhook
    if stream is not None:
        use_cases.dependencies.append(stream.worker.dependency)
    else:
        use_cases.dependencies.append(_watched_worker(base))
    thresholds = engine_config(base.signals).thresholds
    options = replace(_api_options(settings, web_dist), thresholds=thresholds)
    admission = Admission(observe=base.metrics.http.refused_at_door)
    keyring = Keyring(base.store.keys, wall_ms=wall_ms)
    watch_record(base.metrics, RecordFigures(partial(use_cases.api.track.record, None)), use_cases.recording)
    api = create_api(
        options,
        replace(use_cases.api, telegram=webhook, keys=keyring),
        metrics_text=base.metrics.metrics_text,
        observe=base.metrics.http,
        observe_live=base.metrics.live,
        trace=None if base.tracing is None else base.tracing.request,
        is_shedding=lambda: admission.is_shedding,
        lifespan=_lifespan(base, use_cases, [_keys(base, keyring), *_beside(base, stream, pushed)]),
        now_ms=base.clock.now_ms,
        monotonic=base.clock.monotonic_s,
        wall_ms=wall_ms,
    )
    return Application(
        api,
        base.providers,
        base.providers_started,
        options.has_dashboard,
        base.cache.settled,
        api.state.live,
        admission,
        Refusals(options, observe=base.metrics.http.refused),
    )


def _api_options(settings: Settings, web_dist: Path) -> ApiOptions:
    public_url = settings.public_url or f"http://localhost:{settings.port}"
    token = settings.dashboard_token
    return ApiOptions(
        public_url=public_url,
        data_mode=DataMode(settings.data_mode),
        version=__version__,
        env=settings.env,
        api_keys=accepted_keys(settings),
        cors_origins=settings.cors_origins,
        trusted_proxy_hops=settings.trusted_proxy_hops,
        rate_limit_per_minute=settings.rate_limit_per_minute,
        mcp=_mcp_options(settings, public_url),
        dashboard=read_dashboard(web_dist),
        origins=allowed_origins(public_url, settings.cors_origins, local=settings.is_local()),
        dashboard_token_digest=digest_of(token.get_secret_value()) if token is not None else None,
        live=LiveLimits(updates_per_second=settings.live_updates_per_second, speed=settings.market_speed()),
    )


def _mcp_options(settings: Settings, public_url: str) -> McpOptions | None:
    if not settings.mcp:
        return None
    return McpOptions.of(
        public_url,
        more_hosts=settings.mcp_allowed_hosts,
        more_origins=settings.mcp_allowed_origins,
        local=settings.is_local(),
    )


def _worker(base: Base, use_cases: UseCases) -> StreamProcess | None:
    """Loaded only where it runs: a web process beside a worker starts without its weight."""
    if not base.settings.runs_worker_embedded():
        return None
    from app.bootstrap_stream import build_stream

    return build_stream(base, use_cases)


def _watched_worker(base: Base) -> Callable[[], DependencyStatus]:
    """The worker that runs beside this process: wanted where somebody said so, else looked for."""
    settings = base.settings
    board = StatusBoard(base.warm, now_ms=base.clock.now_ms, speed=settings.market_speed())
    watch = WorkerWatch(
        board.read,
        is_expected=settings.worker == "off" or settings.env == "prod",
        now_ms=base.clock.now_ms,
        monotonic=SystemClock().monotonic_s,
        speed=settings.market_speed(),
    )
    base.stages[0].add("worker watch", watch.run)
    return watch.status


def _pushed_bot(base: Base, use_cases: UseCases) -> tuple[Bot, ChatBook] | None:
    if base.settings.telegram_mode != "webhook":
        return None
    from app.bootstrap_messages import build_pushed_bot

    return build_pushed_bot(base, use_cases)


def _keys(base: Base, keyring: Keyring) -> Callable[[], Coroutine[None, None, None]]:
    """The loop that reads the keys of the table; a fault in it must not leave them as they are for ever."""
    stages = Stages(monotonic=SystemClock().monotonic_s)
    base.stages.append(stages)
    stages.add("keys", keyring.run)
    return stages.run


def _beside(
    base: Base, stream: StreamProcess | None, pushed: tuple[Bot, ChatBook] | None
) -> list[Callable[[], Coroutine[None, None, None]]]:
    """What runs in the web process besides its answers."""
    loops: list[Callable[[], Coroutine[None, None, None]]] = []
    if stream is not None:
        loops.append(stream.run)
    if pushed is not None:
        bot, book = pushed
        stages = Stages(monotonic=SystemClock().monotonic_s)
        base.stages.append(stages)
        stages.add("bot", bot.run)
        stages.add("chats", book.run)
        loops.append(stages.run)
    return loops


def _lifespan(
    base: Base, use_cases: UseCases, loops: Sequence[Callable[[], Coroutine[None, None, None]]]
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with base.running(), use_cases.running():
            running = [asyncio.create_task(loop()) for loop in loops]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    return lifespan
