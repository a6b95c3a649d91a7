"""The tools of `/mcp`: one row per question, each over the answer that a REST route gives.

Arguments are the parameters of the routes, in the same types; a tool's result is the body of its route, made
by the same function. So there is nothing here to compute or to render, and nothing of the MCP library either:
the protocol is `app.api.mcp_server`. A further tool is a row, its arguments, and a line in docs/mcp-setup.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from app.api import mcp_arguments as asked
from app.api import render_liquidity_answers as zones
from app.api.params import read_timeframe
from app.api.routes_derivatives_lists import HYPERLIQUID, dashboard, whale_positions
from app.api.schemas import derivatives_answers, liquidity_answers
from app.api.schemas.alerts import AlertsResponse
from app.api.schemas.market import MarketResponse
from app.api.schemas.signal import SignalResponse
from app.api.schemas.symbols import SymbolSearchResponse
from app.api.schemas.track_record import TrackRecordResponse
from app.api.shared_answers import SharedAnswers
from app.core.domain.signal import Mode

_HONEST = " A fair summary states ages, missing inputs and dataMode (demo and replay are not live)."
Ask = Callable[[Request, Any], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One question.

    operation: id of the REST route that answers the same. ask: takes the request (for the caller's scopes)
    and checked `arguments`, gives the body of that route as JSON; raises what the route raises. is_open: it
    may ask providers outside of this service.
    """

    name: str
    title: str
    description: str
    operation: str
    arguments: type[asked.Arguments]
    answer: type[BaseModel]
    ask: Ask
    is_open: bool = True


def build_tools(answers: SharedAnswers) -> tuple[Tool, ...]:
    """Every tool, in the order in which clients list them."""
    return (
        *_coin_tools(answers),
        *_zone_tools(answers),
        *_derivatives_tools(answers),
        *_kept_tools(answers),
    )


def _json(answer: BaseModel) -> bytes:
    return answer.model_dump_json(by_alias=True).encode()


def _coin_tools(answers: SharedAnswers) -> tuple[Tool, ...]:
    async def signal(request: Request, args: asked.SignalArguments) -> bytes:
        frame = read_timeframe(args.timeframe)
        return (await answers.signals.get(args.symbol, Mode(args.mode), frame, debug=False)).body

    async def market(request: Request, args: asked.CoinArguments) -> bytes:
        return _json(await answers.market.get(request, args.symbol))

    return (
        Tool(
            "get_signal",
            "Scored signal of one coin",
            "LONG, NEUTRAL or SHORT for one coin's perpetual future, with score (0 bearish, 50 neutral, 100 "
            "bullish), confidence, coverage, reasons, eight factors and every missing input." + _HONEST,
            "getSignal",
            asked.SignalArguments,
            SignalResponse,
            signal,
        ),
        Tool(
            "get_market",
            "Raw market data of one coin",
            "Raw figures of one coin without a score: price, funding, open interest, liquidations, ratios "
            "and what providers know beside them, each with unit, source and age." + _HONEST,
            "getMarket",
            asked.CoinArguments,
            MarketResponse,
            market,
        ),
    )


def _zone_tools(answers: SharedAnswers) -> tuple[Tool, ...]:
    async def liquidity_map(request: Request, args: asked.ZoneArguments) -> bytes:
        shape = zones.liquidity_map
        return (await answers.liquidity.encoded(request, args.symbol, args.timeframe, shape)).body

    async def opportunities(request: Request, args: asked.ZoneArguments) -> bytes:
        shape = zones.opportunities
        return (await answers.liquidity.encoded(request, args.symbol, args.timeframe, shape)).body

    return (
        Tool(
            "get_liquidity_map",
            "Where liquidity waits around the price",
            "Liquidation clusters of one coin as magnets, the zones beside them, and the measured chance "
            "that price trades at each level in 4 and 24 hours; levels name their source." + _HONEST,
            "getLiquidityMap",
            asked.ZoneArguments,
            liquidity_answers.LiquidityMapResponse,
            liquidity_map,
        ),
        Tool(
            "get_opportunities",
            "Plans with entry, stop and targets",
            "Setups of one coin around confluent zones with entry, stop, targets, reward over risk, odds and "
            "what ends them; an empty list says why. Plans are arithmetic, not advice." + _HONEST,
            "getTradingOpportunities",
            asked.ZoneArguments,
            liquidity_answers.TradingOpportunitiesResponse,
            opportunities,
        ),
    )


def _derivatives_tools(answers: SharedAnswers) -> tuple[Tool, ...]:
    async def liquidations(request: Request, args: asked.LiquidationArguments) -> bytes:
        wanted = {"include_orders": args.include_orders, "include_map": args.include_map}
        return _json(await answers.coin.liquidations(request, args.symbol, **wanted))

    async def whales(request: Request, args: asked.WhaleArguments) -> bytes:
        wanted: dict[str, Any] = {"symbol": args.symbol, "exchange": HYPERLIQUID, "limit": args.limit}
        return _json(await whale_positions(answers.wide, answers.coin, request, **wanted))

    async def everything(request: Request, args: asked.CoinArguments) -> bytes:
        return (await dashboard(answers.coin, answers.cache, request, args.symbol)).body

    return (
        Tool(
            "get_liquidations",
            "Liquidations of one coin",
            "USD of longs and of shorts closed by force in 1h, 4h, 12h and 24h; on request the newest forced "
            "orders and the estimated levels of the next ones." + _HONEST,
            "getLiquidations",
            asked.LiquidationArguments,
            derivatives_answers.LiquidationsResponse,
            liquidations,
        ),
        Tool(
            "get_whales",
            "Open positions of whales",
            "Open Hyperliquid positions above 1 M USD, of one coin or all, largest first, with side, entry, "
            "leverage and liquidation price; get_alerts tells of new ones." + _HONEST,
            "getWhalePositions",
            asked.WhaleArguments,
            derivatives_answers.WhalePositionsResponse,
            whales,
        ),
        Tool(
            "get_dashboard",
            "Everything about one coin's derivatives",
            "Market, liquidations, long and short shares, funding and open interest of one coin in one call; "
            "each part may be missing alone." + _HONEST,
            "getDashboard",
            asked.CoinArguments,
            derivatives_answers.DashboardResponse,
            everything,
        ),
    )


def _kept_tools(answers: SharedAnswers) -> tuple[Tool, ...]:
    """What this service keeps itself: nobody outside is asked."""

    async def record(request: Request, args: asked.RecordArguments) -> bytes:
        return (await answers.track.record(request, args.symbol.strip() or None, args.detail)).body

    async def alerts(request: Request, args: asked.AlertArguments) -> bytes:
        return _json(await answers.alerts.page(request, **args.model_dump()))

    async def search(request: Request, args: asked.SearchArguments) -> bytes:
        return _json(answers.symbols.search(request, args.query, args.limit))

    return (
        Tool(
            "get_track_record",
            "What the signals were worth",
            "Outcomes of all scheduled signals of one coin or all: hit rate with intervals, break-even, net "
            "return after costs, simple rules beside it, calibration. A fair summary reads out `summary` and "
            "states enoughData, dataMode and the period.",
            "getTrackRecord",
            asked.RecordArguments,
            TrackRecordResponse,
            record,
            is_open=False,
        ),
        Tool(
            "get_alerts",
            "Alerts, newest first, with what became of them",
            "Alerts of every coin or one: what, side, size, levels, confidence, and whether somebody was "
            "told or why not. Alerts are not advice." + _HONEST,
            "listAlerts",
            asked.AlertArguments,
            AlertsResponse,
            alerts,
            is_open=False,
        ),
        Tool(
            "search_symbols",
            "Coins by a part of their name",
            "Which coins can be asked for: the one that the text spells, and those that begin so, contain it "
            "or look like it. For when another tool does not know a symbol.",
            "searchSymbols",
            asked.SearchArguments,
            SymbolSearchResponse,
            search,
            is_open=False,
        ),
    )
