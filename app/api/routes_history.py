"""`/history/{series}/{symbol}` (stored bars only) and `/replay/oi/{symbol}` (stored first, then upstream)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import render_history as render
from app.api.deps import HistoryUseCase, ReplayUseCase
from app.api.openapi_parts import json_answer, problems, success
from app.api.params import (
    CursorQuery,
    FromQuery,
    IntervalQuery,
    PageCursorQuery,
    StoredIntervalQuery,
    SymbolPath,
    ToQuery,
    read_cursor,
    read_interval,
    read_stored_interval,
    read_time,
)
from app.api.routes_derivatives import CoinParts
from app.api.schemas.derivatives_answers import OpenInterestSeriesResponse
from app.api.schemas.history import MAX_ROWS, HistoryResponse
from app.core.domain.history import END_OF_TIME_MS, HistoryRequest
from app.core.domain.stored import ALL_EXCHANGES, RatioScope, SeriesName
from app.core.errors import InvalidParameter

# An assistant reads 100,000 characters at most; the rest of a long page is offered as `next`.
MAX_HISTORY_BYTES = 88_000
_USUAL_INTERVAL = "1h"
# As providers and the store spell them; users write them in any case.
_EXCHANGES = (
    *(ALL_EXCHANGES, "Binance", "OKX", "Bybit", "Bitget", "Gate", "HTX", "Hyperliquid", "Deribit", "CME"),
    *("Coinbase", "Kraken", "BitMEX", "Bitfinex", "KuCoin", "MEXC", "BingX", "CoinEx", "WhiteBIT", "dYdX"),
)
_SPELLED = {exchange.lower(): exchange for exchange in _EXCHANGES}

SeriesPath = Annotated[
    Literal["candles", "open-interest", "funding", "long-short", "taker-volume"],
    Path(description="Which history.", examples=["open-interest"], json_schema_extra={"maxLength": 13}),
]
ExchangeQuery = Annotated[
    str,
    Query(
        description="One exchange; ALL for the total or mean over exchanges; empty for every one.",
        examples=["ALL"],
        json_schema_extra={"pattern": "^[A-Za-z0-9 ,._-]{0,60}$", "maxLength": 60},
    ),
]
ScopeQuery = Annotated[
    Literal["", "global_account", "top_account", "top_position"],
    Query(
        description="Whose longs, for long-short only: global_account unless said otherwise.",
        json_schema_extra={"maxLength": 14},
    ),
]
LimitQuery = Annotated[int, Query(ge=1, le=MAX_ROWS, description="Number of bars at most.")]
BarsQuery = Annotated[int, Query(ge=1, le=500, description="Number of bars at most.")]
OrderQuery = Annotated[
    Literal["desc", "asc"],
    Query(description="desc: newest first; asc: oldest first.", json_schema_extra={"maxLength": 4}),
]


def history_routes(coin: CoinParts, history: HistoryUseCase, replay: ReplayUseCase) -> APIRouter:
    """The router; `coin` checks scope and symbol."""
    router = APIRouter(tags=["history"])
    _stored(router, coin, history)
    _replayed(router, coin, replay)
    return router


def _stored(router: APIRouter, coin: CoinParts, use_case: HistoryUseCase) -> None:
    @router.get(
        "/history/{series}/{symbol}",
        operation_id="getHistory",
        summary="Stored bars of one coin",
        description="Closed bars this service kept, by page, with source, outlier flag, gaps and how far "
        "back the store goes. Nothing is asked upstream; an empty page says why in `note`. A fair summary "
        "states gaps, sources, asOf and dataMode.",
        response_model=None,
        responses={
            200: success(HistoryResponse, "One page of bars."),
            **problems(400, 403, 404, needs_store=True),
        },
    )
    async def get_history(
        request: Request,
        series: SeriesPath,
        symbol: SymbolPath,
        interval: StoredIntervalQuery = _USUAL_INTERVAL,
        from_: FromQuery = "",
        to: ToQuery = "",
        exchange: ExchangeQuery = "",
        scope: ScopeQuery = "",
        limit: LimitQuery = 200,
        cursor: PageCursorQuery = "",
        order: OrderQuery = "desc",
    ) -> Response:
        from_ms, to_ms = read_time(from_, "from"), read_time(to, "to")
        asked = HistoryRequest(
            series=SeriesName(series),
            symbol=coin.admit(request, symbol),
            interval=read_stored_interval(interval) or _USUAL_INTERVAL,
            from_ms=from_ms or 0,
            to_ms=END_OF_TIME_MS if to_ms is None else to_ms,
            exchange=_read_exchange(exchange),
            scope=_read_scope(scope, SeriesName(series)),
            limit=limit,
            cursor=read_cursor(cursor),
            newest_first=order == "desc",
        )
        body = await _fitting(use_case, asked, coin)
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


def _replayed(router: APIRouter, coin: CoinParts, use_case: ReplayUseCase) -> None:
    @router.get(
        "/replay/oi/{symbol}",
        operation_id="replayOpenInterest",
        summary="Open interest bars of one coin",
        description="Closed bars, newest last, paged backwards by `cursor`: out of the store where it has "
        "them all, else from upstream joined with what only the store still has.",
        response_model=None,
        responses={200: success(OpenInterestSeriesResponse, "Bars."), **problems(400, 403, 404)},
    )
    async def replay_open_interest(
        request: Request,
        symbol: SymbolPath,
        interval: IntervalQuery = _USUAL_INTERVAL,
        limit: BarsQuery = 200,
        cursor: CursorQuery = "",
    ) -> Response:
        base, size, before_ms = coin.admit(request, symbol), read_interval(interval), _read_before(cursor)
        found = await use_case.replay(base, size, limit=limit, before_ms=before_ms)
        return json_answer(render.replayed(base, found, now_ms=coin.now_ms, data_mode=coin.data_mode))


async def _fitting(use_case: HistoryUseCase, asked: HistoryRequest, coin: CoinParts) -> bytes:
    """The page as JSON; with fewer rows, asked for once more, when it would be too long to be read.

    Asked for again and not cut, because only the store can say where the next page begins.
    """
    limit = asked.limit
    while True:
        answer = await use_case.history(_with_limit(asked, limit))
        rendered = render.history(
            answer, now_ms=coin.now_ms, data_mode=coin.data_mode, truncated=limit < asked.limit
        )
        body = rendered.model_dump_json(by_alias=True).encode()
        if len(body) <= MAX_HISTORY_BYTES or limit == 1:
            return body
        # Rows differ in length; a little less than the share that fits ends this on the second round.
        limit = max(1, len(answer.rows) * MAX_HISTORY_BYTES * 95 // (len(body) * 100))


def _with_limit(asked: HistoryRequest, limit: int) -> HistoryRequest:
    return asked if limit == asked.limit else replace(asked, limit=limit)


def _read_exchange(text: str) -> str | None:
    """As the store spells it: okx -> OKX. Raises: InvalidParameter."""
    folded = text.strip()
    if len(folded) > 60 or not folded.isprintable():
        raise InvalidParameter("exchange", "a name of 60 characters at most, such as ALL, Binance or OKX")
    return _SPELLED.get(folded.lower(), folded) or None


def _read_scope(text: str, series: SeriesName) -> RatioScope | None:
    if text:
        return RatioScope(text)
    return RatioScope.GLOBAL_ACCOUNT if series is SeriesName.LONG_SHORT else None


def _read_before(cursor: str) -> int | None:
    """Raises: InvalidParameter for a cursor that is no time of ours."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 15):
        raise InvalidParameter("cursor", "the value of `next` in the answer before")
    return int(cursor)
