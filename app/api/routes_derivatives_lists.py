"""Typed routes over all coins: markets, names, exchanges, whales; and the dashboard of one coin.

The dashboard is every part in one call under one deadline, encoded once for everyone who asks in the same
second.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import render_derivatives_answers as render
from app.api.answer_cache import AnswerCache, Encoded, conditional_answer
from app.api.auth import require_scope
from app.api.deps import DerivativesUseCase
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import (
    CursorQuery,
    SymbolPath,
    WhaleExchangeQuery,
    WhaleLimitQuery,
    WhaleSymbolQuery,
)
from app.api.routes_derivatives import CoinParts
from app.api.schemas import derivatives_answers as answers
from app.core.domain.symbol import Symbol
from app.core.domain.views import Parts, View, ViewQuery
from app.core.errors import InvalidParameter

DASHBOARD_VIEWS = (
    View.COIN_MARKET,
    View.LIQUIDATION_TOTALS,
    *render.RATIO_VIEWS,
    View.FUNDING_HISTORY,
    View.FUNDING_VENUES,
    View.OPEN_INTEREST_HISTORY,
    View.OPEN_INTEREST_VENUES,
)
HYPERLIQUID = "hyperliquid"

PageQuery = Annotated[int, Query(ge=1, le=100, description="Number of coins at most.")]
ExchangeQuery = Annotated[
    str,
    Query(
        description="Lists the pairs of this exchange; empty for none.",
        json_schema_extra={"pattern": "^[A-Za-z0-9 ._-]{0,30}$", "maxLength": 30},
    ),
]


class MarketWide:
    """Asks for views of all coins on behalf of a route."""

    def __init__(self, options: ApiOptions, use_case: DerivativesUseCase) -> None:
        self._options = options
        self._use_case = use_case

    async def ask(self, request: Request, view: View) -> Parts:
        """Raises: MissingScope."""
        require_scope(request, self._options, Scope.READ)
        return await self._use_case.parts([view], ViewQuery())

    def whale_symbol(self, exchange: str, symbol: str) -> Symbol | None:
        """The coin asked for, None for all. Raises: InvalidParameter, UnknownSymbol."""
        if exchange.strip().lower() != HYPERLIQUID:
            raise InvalidParameter("exchange", "only hyperliquid publishes the positions of its wallets")
        return None if symbol.strip().upper() == "ALL" else self._use_case.resolve(symbol)


async def dashboard(coin: CoinParts, cache: AnswerCache, request: Request, symbol: str) -> Encoded:
    """Every part of one coin, for every door. Raises: MissingScope, InvalidParameter, UnknownSymbol."""

    async def make() -> bytes:
        base, parts = await coin.ask(request, symbol, DASHBOARD_VIEWS)
        answer = render.dashboard(base, parts, now_ms=coin.now_ms, data_mode=coin.data_mode)
        return answer.model_dump_json(by_alias=True).encode()

    return await cache.get(("dashboard", coin.admit(request, symbol)), make)


async def whale_positions(
    wide: MarketWide, coin: CoinParts, request: Request, *, symbol: str, exchange: str, limit: int
) -> answers.WhalePositionsResponse:
    """Open positions, for every door. Raises: MissingScope, InvalidParameter, UnknownSymbol."""
    only = wide.whale_symbol(exchange, symbol)
    parts = await wide.ask(request, View.WHALE_POSITIONS)
    return render.whale_positions(parts, only, limit, now_ms=coin.now_ms, data_mode=coin.data_mode)


def list_routes(wide: MarketWide, coin: CoinParts, cache: AnswerCache) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["coinglass"])
    _all_coins(router, wide, coin)
    _dashboard(router, coin, cache)
    _whales(router, wide, coin)
    return router


def _all_coins(router: APIRouter, wide: MarketWide, coin: CoinParts) -> None:
    @router.get(
        "/coinglass/markets",
        operation_id="getCoinMarkets",
        summary="Derivatives markets of all coins",
        description="Coins by open interest, largest first, page by page; below the plan Standard those of "
        "the watchlist alone. getCoinMarket has one coin. A fair "
        "summary states sources, ages, missing, fallbacks and dataMode.",
        response_model=None,
        responses={200: success(answers.MarketsResponse, "One page of coins."), **problems(400, 403)},
    )
    async def get_coin_markets(request: Request, limit: PageQuery = 20, cursor: CursorQuery = "") -> Response:
        parts = await wide.ask(request, View.ALL_MARKETS)
        shared = {"now_ms": coin.now_ms, "data_mode": coin.data_mode}
        return json_answer(render.markets(parts, limit, cursor or None, **shared))

    @router.get(
        "/coinglass/supported-coins",
        operation_id="listSupportedCoins",
        summary="Coins with perpetual futures",
        description="Base assets the source lists.",
        response_model=None,
        responses={200: success(answers.CoinsResponse, "All coins."), **problems(403)},
    )
    async def list_supported_coins(request: Request) -> Response:
        parts = await wide.ask(request, View.COINS)
        return json_answer(render.coins(parts, now_ms=coin.now_ms, data_mode=coin.data_mode))

    @router.get(
        "/coinglass/exchanges",
        operation_id="listExchanges",
        summary="Exchanges with perpetual futures",
        description="Exchanges with their number of pairs; `exchange` lists the pairs of one, by page.",
        response_model=None,
        responses={200: success(answers.ExchangesResponse, "All exchanges."), **problems(400, 403)},
    )
    async def list_exchanges(
        request: Request, exchange: ExchangeQuery = "", cursor: CursorQuery = ""
    ) -> Response:
        parts = await wide.ask(request, View.EXCHANGES)
        shared = {"now_ms": coin.now_ms, "data_mode": coin.data_mode}
        return json_answer(render.exchanges(parts, exchange or None, cursor or None, **shared))


def _dashboard(router: APIRouter, coin: CoinParts, cache: AnswerCache) -> None:
    @router.get(
        "/coinglass/dashboard/{symbol}",
        operation_id="getDashboard",
        summary="Everything about one coin's derivatives",
        description="Market, liquidations, long and short shares, funding and open interest of one coin in "
        "one call; each part may be missing alone. A fair summary states sources, ages, missing, fallbacks "
        "and dataMode (demo and replay are not the market of now).",
        response_model=None,
        responses={
            200: success(answers.DashboardResponse, "All parts."),
            **problems(400, 403, 404, conditional=True),
        },
    )
    async def get_dashboard(request: Request, symbol: SymbolPath) -> Response:
        return conditional_answer(request, await dashboard(coin, cache, request, symbol))


def _whales(router: APIRouter, wide: MarketWide, coin: CoinParts) -> None:
    @router.get(
        "/advanced/whale/alerts",
        operation_id="getWhaleAlerts",
        summary="Whales that just opened or closed",
        description="Hyperliquid positions above 1 M USD that were just opened or closed, newest first."
        " A fair summary states sources, ages, missing, fallbacks and dataMode.",
        response_model=None,
        responses={200: success(answers.WhaleAlertsResponse, "Newest first."), **problems(400, 403, 404)},
    )
    async def get_whale_alerts(
        request: Request,
        symbol: WhaleSymbolQuery = "ALL",
        exchange: WhaleExchangeQuery = HYPERLIQUID,
        limit: WhaleLimitQuery = 50,
    ) -> Response:
        only = wide.whale_symbol(exchange, symbol)
        parts = await wide.ask(request, View.WHALE_ALERTS)
        shared = {"now_ms": coin.now_ms, "data_mode": coin.data_mode}
        return json_answer(render.whale_alerts(parts, only, limit, **shared))

    @router.get(
        "/advanced/whale/positions",
        operation_id="getWhalePositions",
        summary="Open positions of whales",
        description="Open Hyperliquid positions above 1 M USD, largest first, with entry, leverage and "
        "liquidation price. A fair summary states sources, ages, missing, fallbacks and dataMode.",
        response_model=None,
        responses={200: success(answers.WhalePositionsResponse, "Largest first."), **problems(400, 403, 404)},
    )
    async def get_whale_positions(
        request: Request,
        symbol: WhaleSymbolQuery = "ALL",
        exchange: WhaleExchangeQuery = HYPERLIQUID,
        limit: WhaleLimitQuery = 50,
    ) -> Response:
        found = await whale_positions(wide, coin, request, symbol=symbol, exchange=exchange, limit=limit)
        return json_answer(found)
