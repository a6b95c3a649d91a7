"""`/market/{symbol}` and `/debug/premium/{symbol}`: raw figures, no scoring."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.api.auth import require_scope
from app.api.deps import MarketUseCase
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import SymbolPath
from app.api.render_readings import render_market, render_premium
from app.api.schemas.market import MarketResponse, PremiumResponse


class MarketAnswers:
    """Raw figures of one coin, for every door."""

    def __init__(self, options: ApiOptions, use_case: MarketUseCase, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._use_case = use_case
        self._now_ms = now_ms

    async def get(self, request: Request, symbol: str) -> MarketResponse:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        require_scope(request, self._options, Scope.READ)
        return render_market(await self._use_case.market(symbol), now_ms=self._now_ms())

    async def premium(self, request: Request, symbol: str) -> PremiumResponse:
        """Raises: as `get`; needs the scope debug."""
        require_scope(request, self._options, Scope.DEBUG)
        base = self._use_case.resolve(symbol).base
        probes = await self._use_case.probe_premium(symbol)
        return render_premium(base, probes, now_ms=self._now_ms(), data_mode=self._options.data_mode)


def market_routes(answers: MarketAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["market"])

    @router.get(
        "/market/{symbol}",
        operation_id="getMarket",
        summary="Raw market data of one coin",
        description="For raw figures without a score (price, funding, open interest, liquidations, ratios "
        "and what providers know beside them), each with unit, source and age; getSignal scores them. A "
        "fair summary states ages, missing inputs and dataMode (demo and replay are not the market of now).",
        response_model=None,
        responses={
            200: success(MarketResponse, "Inputs and further figures of the coin."),
            **problems(400, 403, 404),
        },
    )
    async def get_market(request: Request, symbol: SymbolPath) -> Response:
        return json_answer(await answers.get(request, symbol))

    @router.get(
        "/debug/premium/{symbol}",
        operation_id="debugPremium",
        summary="Every premium capability, tried one by one",
        description="Status, latency and error of each; needs the scope debug when keys are in use.",
        response_model=None,
        responses={
            200: success(PremiumResponse, "Each premium capability as it ended."),
            **problems(400, 403, 404),
        },
    )
    async def debug_premium(request: Request, symbol: SymbolPath) -> Response:
        return json_answer(await answers.premium(request, symbol))

    return router
