"""`/track-record...` and `/api/stats/signals`: what the signals were worth, whether they are as they were
written, and how many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api import render_track as render
from app.api import render_trades
from app.api.answer_cache import AnswerCache, Encoded, conditional_answer
from app.api.auth import require_scope
from app.api.deps import TrackUseCase
from app.api.openapi_parts import JsonObject, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import OneOrAllQuery, PageCursorQuery, SymbolPath, read_cursor
from app.api.schemas.track_record import (
    ChainReportResponse,
    DetailWord,
    SignalStatsResponse,
    TrackRecordResponse,
)
from app.api.schemas.trade_outcomes import MAX_OUTCOMES, HorizonWord, TradeOutcomesResponse

MAX_HOURS = 8_784  # a leap year

DetailQuery = Annotated[
    DetailWord,
    Query(
        description="compact: the headline horizon with splits and baselines, other horizons in one row. "
        "full: everything at every horizon.",
        json_schema_extra={"maxLength": 7},
    ),
]
HoursQuery = Annotated[int, Query(ge=1, le=MAX_HOURS, description="Number of hours up to now.")]
HorizonQuery = Annotated[
    HorizonWord,
    Query(description="Time each trade has: 15m, 1h, 4h or 24h.", json_schema_extra={"maxLength": 3}),
]
LimitQuery = Annotated[int, Query(ge=1, le=MAX_OUTCOMES, description="Number of signals at most.")]
Make: TypeAlias = Callable[[], Awaitable[BaseModel]]
_FAIR = " A fair summary reads out `summary` and states enoughData, dataMode and the period."


class TrackAnswers:
    """Encoded answers for every door, fresh or at most a second old; whoever asks meanwhile waits for the
    same work."""

    def __init__(
        self, options: ApiOptions, use_case: TrackUseCase, cache: AnswerCache, now_ms: Callable[[], int]
    ) -> None:
        self._options = options
        self._use_case = use_case
        self._cache = cache
        self._now_ms = now_ms

    async def record(self, request: Request, symbol: str | None, detail: DetailWord) -> Encoded:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol, StorageUnavailable."""

        async def make() -> BaseModel:
            found = await self._use_case.record(symbol)
            return render.track_record(
                found, detail=detail, now_ms=self._now_ms(), data_mode=self._options.data_mode
            )

        return await self._encoded(request, ("record", symbol, detail), make)

    async def trades(
        self, request: Request, symbol: str | None, *, horizon: str, limit: int, cursor: str | None
    ) -> Encoded:
        """Raises: MissingScope, InvalidParameter, UnknownSymbol, StorageUnavailable."""

        async def make() -> BaseModel:
            found = await self._use_case.trades(symbol, horizon=horizon, limit=limit, cursor=cursor)
            return render_trades.trade_outcomes(
                found, now_ms=self._now_ms(), data_mode=self._options.data_mode
            )

        return await self._encoded(request, ("trades", symbol, horizon, limit, cursor), make)

    async def verify(self, request: Request) -> Encoded:
        """Raises: MissingScope, StorageUnavailable."""

        async def make() -> BaseModel:
            found = await self._use_case.verify()
            return render.chain_report(found, now_ms=self._now_ms(), data_mode=self._options.data_mode)

        return await self._encoded(request, ("verify",), make)

    async def stats(self, request: Request, hours: int) -> Encoded:
        """Raises: MissingScope, StorageUnavailable."""

        async def make() -> BaseModel:
            found = await self._use_case.stats(hours)
            return render.signal_stats(found, now_ms=self._now_ms(), data_mode=self._options.data_mode)

        return await self._encoded(request, ("stats", hours), make)

    async def _encoded(self, request: Request, key: Hashable, make: Make) -> Encoded:
        require_scope(request, self._options, Scope.READ)

        async def encoded() -> bytes:
            return (await make()).model_dump_json(by_alias=True).encode()

        return await self._cache.get(key, encoded)


def track_routes(found: TrackAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["track record"])
    # Before {symbol}, which would take it for a coin.
    _chain_routes(router, found)
    _trade_routes(router, found)
    _record_routes(router, found)
    return router


def _responses(model: type[BaseModel], text: str, *statuses: int) -> dict[int | str, JsonObject]:
    return {200: success(model, text), **problems(*statuses, 403, needs_store=True, conditional=True)}


def _chain_routes(router: APIRouter, found: TrackAnswers) -> None:
    @router.get(
        "/track-record/verify",
        operation_id="verifyTrackRecord",
        summary="Whether signals and outcomes are as they were written",
        description="Walks the hash chains of all that is stored: signals, the ends of scheduled ones, and "
        "their claimed hours. Open outcomes are not covered, and whoever owns the database can write all of "
        "it anew: note a hash elsewhere. What does not hold is a 200 with `ok` false and the places in "
        "`broken`.",
        response_model=None,
        responses=_responses(ChainReportResponse, "What the walk found."),
    )
    async def verify_track_record(request: Request) -> Response:
        return conditional_answer(request, await found.verify(request))

    @router.get(
        "/api/stats/signals",
        operation_id="getSignalStats",
        summary="How many signals were stored, and of what kind",
        description="Stored signals by coin, trigger, mode and direction. Counts are not outcomes.",
        response_model=None,
        responses=_responses(SignalStatsResponse, "Counts, the largest first.", 400),
    )
    async def get_signal_stats(request: Request, hours: HoursQuery = 24) -> Response:
        return conditional_answer(request, await found.stats(request, hours))


def _trade_routes(router: APIRouter, found: TrackAnswers) -> None:
    @router.get(
        "/track-record/outcomes",
        operation_id="listOutcomes",
        summary="What became of single signals",
        description="Scheduled LONG and SHORT signals, newest first, each with what it came to at one "
        "horizon: the rows behind `/track-record`, judged alike; what was touched early stays open until its "
        "horizon is over. A fair summary does not pick, and states horizon, dataMode and what is open.",
        response_model=None,
        responses=_responses(TradeOutcomesResponse, "One page, newest first.", 400, 404),
    )
    async def list_outcomes(
        request: Request,
        symbol: OneOrAllQuery = "",
        horizon: HorizonQuery = "4h",
        limit: LimitQuery = 50,
        cursor: PageCursorQuery = "",
    ) -> Response:
        asked = symbol if symbol.strip() else None
        answer = await found.trades(request, asked, horizon=horizon, limit=limit, cursor=read_cursor(cursor))
        return conditional_answer(request, answer)


def _record_routes(router: APIRouter, found: TrackAnswers) -> None:
    @router.get(
        "/track-record",
        operation_id="getTrackRecord",
        summary="What the signals of all coins were worth",
        description="Outcomes of all scheduled signals: hit rate with intervals, break-even, net return, "
        "baselines, calibration." + _FAIR,
        response_model=None,
        responses=_responses(TrackRecordResponse, "The record.", 400),
    )
    async def get_track_record(request: Request, detail: DetailQuery = "compact") -> Response:
        return conditional_answer(request, await found.record(request, None, detail))

    @router.get(
        "/track-record/{symbol}",
        operation_id="getCoinTrackRecord",
        summary="What the signals of one coin were worth",
        description="The same for one coin: fewer outcomes, so wider intervals." + _FAIR,
        response_model=None,
        responses=_responses(TrackRecordResponse, "The record of the coin.", 400, 404),
    )
    async def get_coin_track_record(
        request: Request, symbol: SymbolPath, detail: DetailQuery = "compact"
    ) -> Response:
        return conditional_answer(request, await found.record(request, symbol, detail))
