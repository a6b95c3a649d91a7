"""The HTTP application: routes, error handlers and the edge around them, from options and use cases.

No business logic, no settings, no concrete adapters: the composition root passes everything in, and tests
build the same app with fakes.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app.api.answer_cache import AnswerCache
from app.api.audit_door import AuditDoor, Audited
from app.api.deps import ApiServices
from app.api.edge import DATA_MODE_HEADER, Edge
from app.api.idempotency import IdempotentWrites
from app.api.key_book import KeyBook
from app.api.live_feed import feeding
from app.api.live_hub import LiveHub, LiveObserver
from app.api.mcp_door import McpDoor, McpRoute, Opened
from app.api.mcp_options import McpOptions
from app.api.openapi import TITLE, build_actions, build_openapi
from app.api.openapi_parts import JsonObject
from app.api.options import ApiOptions
from app.api.problems import install_problem_handlers
from app.api.request_observer import RequestObserver, TraceRequest
from app.api.routes_admin import admin_routes
from app.api.routes_alerts import AlertAnswers, alert_routes
from app.api.routes_candles import candle_routes
from app.api.routes_catalog import catalog_routes
from app.api.routes_coins import coin_routes
from app.api.routes_dashboard import dashboard_routes
from app.api.routes_derivatives import CoinParts, derivatives_routes
from app.api.routes_derivatives_lists import MarketWide, list_routes
from app.api.routes_export import Downloads, export_routes
from app.api.routes_flow import FlowAnswers, flow_routes
from app.api.routes_health import health_routes
from app.api.routes_heatmap import heatmap_routes
from app.api.routes_history import history_routes
from app.api.routes_index import index_routes
from app.api.routes_liquidity import LiquidityAnswers, liquidity_routes
from app.api.routes_live import LiveAnswers, live_routes, socket_route
from app.api.routes_market import MarketAnswers, market_routes
from app.api.routes_metrics import metrics_routes
from app.api.routes_record import record_routes
from app.api.routes_session import session_routes
from app.api.routes_signals import SignalAnswers, signal_routes
from app.api.routes_status import status_routes
from app.api.routes_symbols import SymbolAnswers, symbol_routes
from app.api.routes_telegram import telegram_routes
from app.api.routes_track import TrackAnswers, track_routes
from app.api.session import Sessions
from app.api.shared_answers import SharedAnswers

# Each draws or reads for a while on a thread; more at once would only share the same cores.
MAX_LARGE_MAKES = 4
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_api(
    options: ApiOptions,
    services: ApiServices,
    *,
    metrics_text: Callable[[], bytes],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float] = time.monotonic,
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    lifespan: Lifespan | None = None,
    observe: RequestObserver | None = None,
    observe_live: LiveObserver | None = None,
    is_shedding: Callable[[], bool] = lambda: False,
    trace: TraceRequest | None = None,
) -> FastAPI:
    """Build the app.

    Args:
        options: the deployment.
        services: the use cases.
        metrics_text: the Prometheus text of the process.
        now_ms: market time, UTC epoch milliseconds, for the timestamps of answers.
        monotonic: seconds for rate limits and the reuse of answers.
        wall_ms: real time, UTC epoch milliseconds, for the end of sessions.
        lifespan: start and stop of what the use cases stand on.
        observe: told about every answer, for metrics.
        observe_live: told about the clients of the live feed.
        is_shedding: whether questions are refused for want of time.
        trace: begins a trace for every request.

    The hub of the live feed is `app.state.live`.
    """
    keeping = partial(
        AnswerCache, reuse_s=options.answer_reuse_s, monotonic=monotonic, is_shedding=is_shedding
    )
    cache = keeping()
    # Pictures and grids are up to 100 kB each: a cache of their own, and a small one.
    large = keeping(max_entries=32, max_makes=MAX_LARGE_MAKES)
    shared = _shared_answers(options, services, cache, large, now_ms)
    door = None if options.mcp is None else _mcp_door(options, options.mcp, shared)
    hub = LiveHub(
        options.live, data_mode=options.data_mode, now_ms=now_ms, monotonic=monotonic, observe=observe_live
    )
    lifespan = _and_inside(lifespan, lambda: feeding(hub, services.live, options, now_ms))
    book = KeyBook(options, services.keys)
    sessions = Sessions(options, wall_ms=wall_ms, keys=book)
    audit = AuditDoor(options, services.audit)
    app = FastAPI(
        title=TITLE,
        version=options.version,
        lifespan=lifespan if door is None else _and_inside(lifespan, door.running),
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    documents = _Documents(app, options)
    app.openapi = documents.whole  # type: ignore[method-assign]  # the framework's documented hook
    # First, because the router tries them in order and this is the busiest one.
    _take_over(app, signal_routes(options, shared.signals))
    _take_over(app, index_routes(options, openapi=documents.whole, actions=documents.actions))
    _take_over(app, health_routes(services.health, now_ms=now_ms))
    _take_over(app, metrics_routes(options, metrics_text))
    _take_over(app, market_routes(shared.market))
    _take_over(app, symbol_routes(shared.symbols))
    _take_over(app, derivatives_routes(shared.coin))
    _take_over(app, list_routes(shared.wide, shared.coin, cache))
    _take_over(app, heatmap_routes(options, services.heatmap, large))
    _take_over(app, liquidity_routes(shared.liquidity))
    _take_over(app, history_routes(shared.coin, services.history, services.replay))
    _take_over(app, flow_routes(FlowAnswers(options, services.flow, cache)))
    _take_over(app, alert_routes(shared.alerts))
    _take_over(app, record_routes(options, services.record, now_ms=now_ms))
    _take_over(app, track_routes(shared.track))
    _take_over(app, export_routes(options, Downloads(services.exports), now_ms=now_ms))
    _take_over(app, status_routes(options, services.budget, now_ms=now_ms))
    _take_over(app, catalog_routes(options, services.catalog, now_ms=now_ms))
    live = LiveAnswers(options, services.live, cache, now_ms)
    _take_over(app, live_routes(options, hub, services.live, live))
    app.router.routes.append(socket_route(options, hub, services.live, sessions, audit, monotonic))
    app.state.live = hub
    _take_over(app, session_routes(options, sessions, audit))
    _take_over(app, dashboard_routes(options.dashboard))
    keys = IdempotentWrites(monotonic=monotonic)
    _take_over(app, coin_routes(options, services.coins, services.stats, keys, audit, cache, now_ms=now_ms))
    _take_over(app, admin_routes(options, services.audit, book, wall_ms=wall_ms))
    _take_over(app, candle_routes(options, services.candles, large, now_ms=now_ms))
    if services.telegram is not None:
        _take_over(app, telegram_routes(services.telegram))
    if door is not None:
        app.router.routes.append(McpRoute(door))
    install_problem_handlers(app)
    app.add_middleware(Audited, door=audit)
    app.add_middleware(
        Edge,
        options=options,
        sessions=sessions,
        keys=book,
        audit=audit,
        monotonic=monotonic,
        observe=observe,
        trace=trace,
    )
    if options.cors_origins:
        _allow_origins(app, options)
    return app


def _take_over(app: FastAPI, router: APIRouter) -> None:
    """Its routes as they are: an included router makes them anew for the first question that passes it."""
    app.router.routes.extend(router.routes)


def _shared_answers(
    options: ApiOptions,
    services: ApiServices,
    cache: AnswerCache,
    large: AnswerCache,
    now_ms: Callable[[], int],
) -> SharedAnswers:
    return SharedAnswers(
        cache=cache,
        signals=SignalAnswers(services.signals, cache, now_ms=now_ms),
        market=MarketAnswers(options, services.market, now_ms),
        symbols=SymbolAnswers(options, services.symbols, now_ms),
        coin=CoinParts(options, services.derivatives, now_ms),
        wide=MarketWide(options, services.derivatives),
        liquidity=LiquidityAnswers(options, services.liquidity, cache, large, now_ms),
        alerts=AlertAnswers(options, services.alerts, now_ms),
        track=TrackAnswers(options, services.track, cache, now_ms),
    )


def _mcp_door(options: ApiOptions, served: McpOptions, shared: SharedAnswers) -> McpDoor:
    def build() -> Opened:
        # Here and not above: the library weighs 25 MB, and most processes are never asked for it.
        from app.api.mcp_server import McpServer
        from app.api.mcp_tools import build_tools

        return McpServer(options, served, build_tools(shared))

    return McpDoor(build)


def _and_inside(
    lifespan: Lifespan | None, inner: Callable[[], AbstractAsyncContextManager[None]]
) -> Lifespan:
    """`inner` inside of everything else: it is over before what it stands on ends."""

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if lifespan is not None:
                await stack.enter_async_context(lifespan(app))
            await stack.enter_async_context(inner())
            yield

    return both


class _Documents:
    """The two OpenAPI documents, built on first use (start-up stays fast) and then kept."""

    def __init__(self, app: FastAPI, options: ApiOptions) -> None:
        self._app = app
        self._options = options
        self._whole: JsonObject | None = None
        self._actions: JsonObject | None = None

    def whole(self) -> JsonObject:
        if self._whole is None:
            self._whole = build_openapi(self._app)
        return self._whole

    def actions(self) -> JsonObject:
        if self._actions is None:
            self._actions = build_actions(self.whole(), self._options.public_url)
        return self._actions


# What a page has to send along to call tools; `MCP_ALLOWED_ORIGINS` decides whether it is answered.
_MCP_HEADERS = ("Content-Type", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name")


def _allow_origins(app: FastAPI, options: ApiOptions) -> None:
    """Added last, so outermost: refusals carry the headers too. Credentials stay off: keys are bearer."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(options.cors_origins),
        allow_methods=["GET", "HEAD", *(("POST",) if options.mcp else ())],
        allow_headers=["Authorization", "X-Request-ID", *(_MCP_HEADERS if options.mcp else ())],
        expose_headers=[
            "X-Request-ID",
            DATA_MODE_HEADER,
            "RateLimit-Limit",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "Retry-After",
        ],
        max_age=600,
    )
