"""`/signals/{symbol}/history` and `/api/signals/history`: signals as they were stored, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api import render_history as render
from app.api.auth import require_scope
from app.api.deps import RecordUseCase
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import OneOrAllQuery, PageCursorQuery, SymbolPath, read_cursor
from app.api.schemas.record import MAX_SIGNALS, SignalHistoryResponse
from app.core.domain.stored import SignalQuery, Trigger
from app.core.domain.symbol import Symbol

LimitQuery = Annotated[int, Query(ge=1, le=MAX_SIGNALS, description="Number of signals at most.")]
TriggerQuery = Annotated[
    Literal["any", "request", "schedule"],
    Query(
        description="Signals that someone asked for (request), the hourly ones that count in the record "
        "(schedule), or any.",
        json_schema_extra={"maxLength": 8},
    ),
]
_FAIR = (
    "Signals as they were answered, newest first, each with its place in the hash chain. A fair summary "
    "states trigger and dataMode: signals made on request chose their moments."
)


def record_routes(options: ApiOptions, use_case: RecordUseCase, *, now_ms: Callable[[], int]) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["signals"])

    async def answer(symbol: Symbol | None, trigger: str, limit: int, cursor: str) -> Response:
        query = SignalQuery(
            symbol=None if symbol is None else symbol.base,
            trigger=None if trigger == "any" else Trigger(trigger),
            limit=limit,
            cursor=read_cursor(cursor),
        )
        page = await use_case.page(query)
        return json_answer(render.signals(page, query, now_ms=now_ms(), data_mode=options.data_mode))

    @router.get(
        "/signals/{symbol}/history",
        operation_id="getSignalHistory",
        summary="Stored signals of one coin",
        description=_FAIR,
        response_model=None,
        responses={
            200: success(SignalHistoryResponse, "One page, newest first."),
            **problems(400, 403, 404, needs_store=True),
        },
    )
    async def get_signal_history(
        request: Request,
        symbol: SymbolPath,
        limit: LimitQuery = 10,
        cursor: PageCursorQuery = "",
        trigger: TriggerQuery = "any",
    ) -> Response:
        require_scope(request, options, Scope.READ)
        return await answer(use_case.resolve(symbol), trigger, limit, cursor)

    @router.get(
        "/api/signals/history",
        operation_id="listSignalHistory",
        summary="Stored signals of every coin or one",
        description=_FAIR,
        response_model=None,
        responses={
            200: success(SignalHistoryResponse, "One page, newest first."),
            **problems(400, 403, 404, needs_store=True),
        },
    )
    async def list_signal_history(
        request: Request,
        symbol: OneOrAllQuery = "",
        limit: LimitQuery = 10,
        cursor: PageCursorQuery = "",
        trigger: TriggerQuery = "any",
    ) -> Response:
        require_scope(request, options, Scope.READ)
        wanted = use_case.resolve(symbol) if symbol.strip() else None
        return await answer(wanted, trigger, limit, cursor)

    return router
