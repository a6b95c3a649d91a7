"""Typed CoinGlass routes of one coin: markets, liquidations, ratios, funding, open interest.

Each answers what it can: a part that cannot be had is named in `missing` with the plan that would have it,
and the answer is still a 200. Lists of all coins are in `routes_derivatives_lists`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import render_derivatives_answers as render
from app.api.auth import require_scope
from app.api.deps import DerivativesUseCase
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import IntervalQuery, SymbolPath, read_interval
from app.api.schemas import derivatives_answers as answers
from app.core.domain.context import DataMode
from app.core.domain.symbol import Symbol
from app.core.domain.views import Parts, View, ViewQuery

_HONEST = " A fair summary states sources, ages, missing, fallbacks and dataMode."

IncludeQuery = Annotated[bool, Query(description="Adds what the name says, where the plan has it.")]
ModelQuery = Annotated[int, Query(ge=1, le=3, description="Number of the CoinGlass model, 1 to 3.")]


class CoinParts:
    """Asks for views of one coin on behalf of a route: scope, symbol, parts."""

    def __init__(self, options: ApiOptions, use_case: DerivativesUseCase, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._use_case = use_case
        self._now_ms = now_ms

    async def ask(
        self, request: Request, text: str, views: Sequence[View], interval: str = "auto", model: int = 1
    ) -> tuple[Symbol, Parts]:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        symbol = self.admit(request, text)
        query = ViewQuery(symbol=symbol, interval=read_interval(interval), model=model)
        return symbol, await self._use_case.parts(views, query)

    async def liquidations(
        self, request: Request, text: str, *, include_orders: bool, include_map: bool
    ) -> answers.LiquidationsResponse:
        """Windows, and what else is wanted. Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        views = [View.LIQUIDATION_TOTALS]
        views += [View.LIQUIDATION_ORDERS] if include_orders else []
        views += [View.LIQUIDATION_MAP] if include_map else []
        base, parts = await self.ask(request, text, views)
        return render.liquidations(base, parts, now_ms=self.now_ms, data_mode=self.data_mode)

    def admit(self, request: Request, text: str) -> Symbol:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol."""
        require_scope(request, self._options, Scope.READ)
        return self._use_case.resolve(text)

    @property
    def now_ms(self) -> int:
        return self._now_ms()

    @property
    def data_mode(self) -> DataMode:
        return self._options.data_mode


def derivatives_routes(coin: CoinParts) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["coinglass"])
    _market_routes(router, coin)
    _liquidation_routes(router, coin)
    _positioning_routes(router, coin)
    return router


def _market_routes(router: APIRouter, coin: CoinParts) -> None:
    @router.get(
        "/coinglass/markets/{symbol}",
        operation_id="getCoinMarket",
        summary="Derivatives market of one coin",
        description="Price, open interest, weighted funding, changes over 5m to 24h and liquidations of one "
        "coin over all exchanges; `reduced` marks a source that knows only a part." + _HONEST,
        response_model=None,
        responses={200: success(answers.CoinMarketResponse, "The coin."), **problems(400, 403, 404)},
    )
    async def get_coin_market(request: Request, symbol: SymbolPath) -> Response:
        base, parts = await coin.ask(request, symbol, [View.COIN_MARKET])
        return json_answer(render.coin_market(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))

    @router.get(
        "/coinglass/perpetual-market/{symbol}",
        operation_id="getPerpetualMarkets",
        summary="Every perpetual of one coin by exchange",
        description="Price, volume, open interest, funding and liquidations of each exchange's perpetual, "
        "for comparing venues." + _HONEST,
        response_model=None,
        responses={200: success(answers.PairMarketsResponse, "One row per pair."), **problems(400, 403, 404)},
    )
    async def get_perpetual_markets(request: Request, symbol: SymbolPath) -> Response:
        base, parts = await coin.ask(request, symbol, [View.PAIR_MARKETS])
        return json_answer(render.pair_markets(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))


def _liquidation_routes(router: APIRouter, coin: CoinParts) -> None:
    @router.get(
        "/coinglass/liquidations/{symbol}",
        operation_id="getLiquidations",
        summary="Liquidations of one coin",
        description="USD of longs and of shorts closed by force in 1h, 4h, 12h and 24h; optionally the "
        "newest forced orders and the estimated levels of the next ones." + _HONEST,
        response_model=None,
        responses={
            200: success(answers.LiquidationsResponse, "Windows, orders, levels."),
            **problems(400, 403, 404),
        },
    )
    async def get_liquidations(
        request: Request,
        symbol: SymbolPath,
        include_orders: IncludeQuery = False,
        include_map: IncludeQuery = False,
    ) -> Response:
        found = await coin.liquidations(
            request, symbol, include_orders=include_orders, include_map=include_map
        )
        return json_answer(found)

    @router.get(
        "/coinglass/liquidations/{symbol}/heatmap",
        operation_id="getLiquidationHeatmap",
        summary="Liquidation levels of one coin",
        description="Prices at which most positions would be closed by force, by the named model; with "
        "`isEstimate` false the own record of where they were. `notAvailable` says why there are none."
        + _HONEST,
        response_model=None,
        responses={200: success(answers.HeatmapResponse, "The largest levels."), **problems(400, 403, 404)},
    )
    async def get_liquidation_heatmap(
        request: Request, symbol: SymbolPath, model: ModelQuery = 1
    ) -> Response:
        base, parts = await coin.ask(request, symbol, [View.LIQUIDATION_HEATMAP], model=model)
        return json_answer(render.heatmap(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))


def _positioning_routes(router: APIRouter, coin: CoinParts) -> None:
    @router.get(
        "/coinglass/long-short-ratio/{symbol}",
        operation_id="getLongShortRatio",
        summary="Who is long: accounts and top traders",
        description="Long share of all accounts, of top-trader accounts and of top-trader positions, each "
        "with its percentile in its own history." + _HONEST,
        response_model=None,
        responses={200: success(answers.LongShortResponse, "Three ratios."), **problems(400, 403, 404)},
    )
    async def get_long_short_ratio(
        request: Request, symbol: SymbolPath, interval: IntervalQuery = "auto"
    ) -> Response:
        base, parts = await coin.ask(request, symbol, render.RATIO_VIEWS, interval)
        return json_answer(render.long_short(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))

    @router.get(
        "/coinglass/funding-rate/{symbol}",
        operation_id="getFundingRate",
        summary="Funding of one coin",
        description="Weighted funding per 8 h with its percentile, funding of each exchange in its own "
        "period, per 8 h and a year, and the widest spread between two exchanges." + _HONEST,
        response_model=None,
        responses={200: success(answers.FundingResponse, "Funding."), **problems(400, 403, 404)},
    )
    async def get_funding_rate(
        request: Request, symbol: SymbolPath, interval: IntervalQuery = "auto"
    ) -> Response:
        views = [View.FUNDING_HISTORY, View.FUNDING_VENUES]
        base, parts = await coin.ask(request, symbol, views, interval)
        return json_answer(render.funding(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))

    @router.get(
        "/coinglass/open-interest/{symbol}",
        operation_id="getOpenInterest",
        summary="Open interest of one coin",
        description="Open interest now, its change over 1h, 4h and 24h, its bars, and each exchange's share."
        + _HONEST,
        response_model=None,
        responses={200: success(answers.OpenInterestResponse, "Open interest."), **problems(400, 403, 404)},
    )
    async def get_open_interest(
        request: Request, symbol: SymbolPath, interval: IntervalQuery = "auto"
    ) -> Response:
        views = [View.OPEN_INTEREST_HISTORY, View.OPEN_INTEREST_VENUES]
        base, parts = await coin.ask(request, symbol, views, interval)
        return json_answer(render.open_interest(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode))
