"""`/flow`, `/api/orderflow` and `/stream/status`: what the worker's rolling windows say now.

Answers come from the warm cache and are encoded once for everyone who asks in the same second. Without a
worker they are a 200 that says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api import render_flow as render
from app.api.answer_cache import AnswerCache, conditional_answer
from app.api.auth import require_scope
from app.api.deps import FlowUseCase
from app.api.openapi_parts import JsonObject, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import SymbolPath
from app.api.schemas import flow as schema

FlowWindowQuery = Annotated[
    int,
    Query(
        ge=10,
        le=86_400,
        description="Length of the window in seconds: 10, 30, 60, 300, 3600 or 86400.",
        examples=[300],
    ),
]
FlowLimitQuery = Annotated[int, Query(ge=1, le=schema.MAX_ITEMS, description="Number of coins at most.")]
_HONEST = " A fair summary states state, ageS, whole and dataMode."


class FlowAnswers:
    """Encoded answers, fresh or at most a second old."""

    def __init__(self, options: ApiOptions, use_case: FlowUseCase, cache: AnswerCache) -> None:
        self._options = options
        self._use_case = use_case
        self._cache = cache

    async def order_flow(self, request: Request, text: str) -> Response:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        require_scope(request, self._options, Scope.READ)
        symbol = self._use_case.resolve(text)

        async def make() -> BaseModel:
            return render.order_flow(
                await self._use_case.order_flow(symbol), data_mode=self._options.data_mode
            )

        return await self._answer(request, ("order_flow", symbol), make)

    async def flow(self, request: Request, text: str) -> Response:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        require_scope(request, self._options, Scope.READ)
        symbol = self._use_case.resolve(text)

        async def make() -> BaseModel:
            return render.liquidation_flow(
                await self._use_case.flow(symbol), data_mode=self._options.data_mode
            )

        return await self._answer(request, ("flow", symbol), make)

    async def top(self, request: Request, window_s: int, limit: int) -> Response:
        """Raises: MissingScope, InvalidParameter."""
        require_scope(request, self._options, Scope.READ)

        async def make() -> BaseModel:
            return render.top(await self._use_case.top(window_s, limit), data_mode=self._options.data_mode)

        return await self._answer(request, ("flow_top", window_s, limit), make)

    async def status(self, request: Request) -> Response:
        """Raises: MissingScope."""
        require_scope(request, self._options, Scope.READ)

        async def make() -> BaseModel:
            return render.stream_status(await self._use_case.status(), data_mode=self._options.data_mode)

        return await self._answer(request, ("stream_status",), make)

    async def _answer(
        self, request: Request, key: tuple[object, ...], make: Callable[[], Awaitable[BaseModel]]
    ) -> Response:
        async def encoded() -> bytes:
            return (await make()).model_dump_json(by_alias=True).encode()

        return conditional_answer(request, await self._cache.get(key, encoded))


def flow_routes(found: FlowAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["flow"])
    # Before the other one, which would take `top` for a coin.
    _top_route(router, found)
    _coin_routes(router, found)
    _status_route(router, found)
    return router


def _responses(model: type[BaseModel], text: str, *statuses: int) -> dict[int | str, JsonObject]:
    return {200: success(model, text), **problems(*statuses, conditional=True)}


def _top_route(router: APIRouter, found: FlowAnswers) -> None:
    @router.get(
        "/flow/top",
        operation_id="getLargestImbalances",
        summary="Coins with the most one-sided liquidations now",
        description="Coins by longs less shorts closed by force in one window, largest first, and the "
        "cascades under way, from the stream of every coin." + _HONEST,
        response_model=None,
        responses=_responses(schema.FlowTopResponse, "The ranking.", 400, 403),
    )
    async def get_largest_imbalances(
        request: Request, window: FlowWindowQuery = 300, limit: FlowLimitQuery = 10
    ) -> Response:
        return await found.top(request, window, limit)


def _coin_routes(router: APIRouter, found: FlowAnswers) -> None:
    @router.get(
        "/flow/{symbol}",
        operation_id="getLiquidationFlow",
        summary="Rolling liquidations of one coin",
        description="Longs and shorts closed by force in the last 10 seconds to 24 hours as they are "
        "streamed, with the cascade under way." + _HONEST,
        response_model=None,
        responses=_responses(schema.LiquidationFlowResponse, "Every window.", 400, 403, 404),
    )
    async def get_liquidation_flow(request: Request, symbol: SymbolPath) -> Response:
        return await found.flow(request, symbol)

    @router.get(
        "/api/orderflow/{symbol}",
        operation_id="getOrderFlow",
        summary="Taker buying and selling of one coin",
        description="Taker volume of the last 60 and 300 seconds by side, large orders, and whether that is "
        "accumulation or distribution; watched coins only." + _HONEST,
        response_model=None,
        responses=_responses(schema.OrderFlowResponse, "Both windows.", 400, 403, 404),
    )
    async def get_order_flow(request: Request, symbol: SymbolPath) -> Response:
        return await found.order_flow(request, symbol)


def _status_route(router: APIRouter, found: FlowAnswers) -> None:
    @router.get(
        "/stream/status",
        operation_id="getStreamStatus",
        summary="How the streams and the alerts do",
        description="Every worker as it said itself: upstream streams, refused events by reason, gaps, what "
        "became of alerts, what waits to be sent, and what is wrong.",
        response_model=None,
        responses=_responses(schema.StreamStatusResponse, "Every worker.", 403),
    )
    async def get_stream_status(request: Request) -> Response:
        return await found.status(request)
