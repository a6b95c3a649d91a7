"""`/smc/{symbol}` and the five liquidity questions of assistants: one analysis, told in six ways.

Answers are encoded once and reused for a second per coin and timeframe. Owns no market logic.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api import render_liquidity_answers as render
from app.api.answer_cache import AnswerCache, Encoded, conditional_answer
from app.api.auth import require_scope
from app.api.deps import LiquidityUseCase
from app.api.openapi_parts import JsonObject, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import OneSymbolQuery, SymbolPath, TimeframeQuery, read_timeframe
from app.api.schemas import liquidity_answers as answers
from app.core.domain.liquidity import DEFAULT_TIMEFRAME
from app.core.domain.symbol import Symbol

_PNG = "image/png"
_PICTURE: JsonObject = {
    "description": "The picture, 1200 by 700 pixels.",
    "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
}
_HONEST = " A fair summary states the source of the levels, ages, missing and dataMode."
_PREFIX = "/api/gpts/coinglass"

Render = Callable[..., BaseModel]


class LiquidityAnswers:
    """Encoded answers, fresh or at most a second old."""

    def __init__(
        self,
        options: ApiOptions,
        use_case: LiquidityUseCase,
        cache: AnswerCache,
        pictures: AnswerCache,
        now_ms: Callable[[], int],
    ) -> None:
        """pictures: a small cache of their own, because they are large."""
        self._options = options
        self._use_case = use_case
        self._cache = cache
        self._pictures = pictures
        self._now_ms = now_ms

    async def encoded(self, request: Request, symbol: str, timeframe: str, shape: Render) -> Encoded:
        """One analysis in one shape, for every door. Raises: MissingScope, InvalidParameter,
        UnknownSymbol, NoPriceAvailable."""
        base, frame = self._admit(request, symbol, timeframe)

        async def make() -> bytes:
            return self._encode(shape, await self._use_case.analyse(base, frame))

        return await self._cache.get((shape.__name__, base, frame), make)

    async def get(self, request: Request, symbol: str, timeframe: str, shape: Render) -> Response:
        """The same as a response. Raises: as `encoded`."""
        return conditional_answer(request, await self.encoded(request, symbol, timeframe, shape))

    async def sentiment(self, request: Request, symbol: str, timeframe: str) -> Response:
        """Raises: as `get`."""
        base, frame = self._admit(request, symbol, timeframe)

        async def make() -> bytes:
            return self._encode(render.sentiment, await self._use_case.sentiment(base, frame))

        return conditional_answer(request, await self._cache.get(("sentiment", base, frame), make))

    async def picture(self, request: Request, symbol: str, timeframe: str) -> Response:
        """Raises: as `get`."""
        base, frame = self._admit(request, symbol, timeframe)
        encoded = await self._pictures.get(
            ("zones", base, frame), lambda: self._use_case.picture(base, frame)
        )
        return conditional_answer(request, encoded, media_type=_PNG)

    def _admit(self, request: Request, symbol: str, timeframe: str) -> tuple[Symbol, str]:
        require_scope(request, self._options, Scope.READ)
        return self._use_case.resolve(symbol), read_timeframe(timeframe)

    def _encode(self, shape: Render, answer: object) -> bytes:
        return shape(answer, now_ms=self._now_ms()).model_dump_json(by_alias=True).encode()


def liquidity_routes(found: LiquidityAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["liquidity"])
    _smc_routes(router, found)
    _map_routes(router, found)
    _plan_routes(router, found)
    return router


def _responses(model: type[BaseModel], text: str) -> dict[int | str, JsonObject]:
    return {200: success(model, text), **problems(400, 403, 404, no_price=True, conditional=True)}


def _smc_routes(router: APIRouter, found: LiquidityAnswers) -> None:
    @router.get(
        "/smc/{symbol}/chart.png",
        operation_id="getSmartMoneyChart",
        summary="Candles with zones and liquidation clusters, as a picture",
        description="Candles of one coin with Smart Money zones, liquidation clusters and the plan as PNG, "
        "readable on a phone.",
        response_class=Response,
        responses={200: _PICTURE, **problems(400, 403, 404, no_price=True, conditional=True)},
    )
    async def get_smart_money_chart(
        request: Request, symbol: SymbolPath, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.picture(request, symbol, timeframe)

    @router.get(
        "/smc/{symbol}",
        operation_id="getSmartMoneyZones",
        summary="Smart Money zones and structure of one coin",
        description="Trend, breaks of structure, premium or discount, sweeps, sessions and the live order "
        "blocks, gaps and pools of one timeframe, from closed candles only." + _HONEST,
        response_model=None,
        responses=_responses(answers.SmartMoneyResponse, "Structure and zones."),
    )
    async def get_smart_money_zones(
        request: Request, symbol: SymbolPath, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.get(request, symbol, timeframe, render.smart_money)


def _map_routes(router: APIRouter, found: LiquidityAnswers) -> None:
    @router.get(
        f"{_PREFIX}/liquidity-map",
        operation_id="getLiquidityMap",
        summary="Where liquidity waits around the price of one coin",
        description="Liquidation clusters as magnets, the zones beside them, and the measured chance that "
        "price trades at each level in 4 and 24 hours." + _HONEST,
        response_model=None,
        responses=_responses(answers.LiquidityMapResponse, "Magnets, confluent zones, odds."),
    )
    async def get_liquidity_map(
        request: Request, symbol: OneSymbolQuery, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.get(request, symbol, timeframe, render.liquidity_map)

    @router.get(
        f"{_PREFIX}/liquidation-heatmap",
        operation_id="getLiquidationClusters",
        summary="Liquidation clusters of one coin by price",
        description="Prices at which positions would be closed by force, gathered into clusters, with the "
        "sums of longs below and shorts above." + _HONEST,
        response_model=None,
        responses=_responses(answers.LiquidationClustersResponse, "Clusters, highest price first."),
    )
    async def get_liquidation_clusters(
        request: Request, symbol: OneSymbolQuery, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.get(request, symbol, timeframe, render.clusters)

    @router.get(
        f"{_PREFIX}/market-sentiment",
        operation_id="getMarketSentiment",
        summary="Sentiment of one coin out of five inputs",
        description="One score out of funding, open interest, long/short ratio, liquidations and fear & "
        "greed, with its parts; a missing input counts 50 and is named." + _HONEST,
        response_model=None,
        responses=_responses(answers.MarketSentimentResponse, "The score and its parts."),
    )
    async def get_market_sentiment(
        request: Request, symbol: OneSymbolQuery, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.sentiment(request, symbol, timeframe)


def _plan_routes(router: APIRouter, found: LiquidityAnswers) -> None:
    @router.get(
        f"{_PREFIX}/confluence-analysis",
        operation_id="getConfluenceAnalysis",
        summary="What structure and liquidations say together",
        description="Structure, the best Smart Money zones with the liquidations beside them and the parts "
        "of each score, with one sentence that sums them up." + _HONEST,
        response_model=None,
        responses=_responses(answers.ConfluenceAnalysisResponse, "Structure, zones, scores."),
    )
    async def get_confluence_analysis(
        request: Request, symbol: OneSymbolQuery, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.get(request, symbol, timeframe, render.confluence_analysis)

    @router.get(
        f"{_PREFIX}/trading-opportunities",
        operation_id="getTradingOpportunities",
        summary="Plans with entry, stop and targets",
        description="Setups around confluent zones with entry, stop, targets, reward over risk, odds and "
        "what ends them; an empty list says why." + _HONEST,
        response_model=None,
        responses=_responses(answers.TradingOpportunitiesResponse, "Setups, best first."),
    )
    async def get_trading_opportunities(
        request: Request, symbol: OneSymbolQuery, timeframe: TimeframeQuery = DEFAULT_TIMEFRAME
    ) -> Response:
        return await found.get(request, symbol, timeframe, render.opportunities)
