"""`/coinglass/status`: how the calls of the CoinGlass key are spent, and how fresh that keeps things."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.api.auth import require_scope
from app.api.deps import BudgetUseCase
from app.api.numbers import clip, iso_utc, places
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.api.schemas.budget import MAX_ROWS, BudgetItem, BudgetResponse
from app.core.domain.budget import BudgetReport, BudgetRow


def status_routes(options: ApiOptions, use_case: BudgetUseCase, *, now_ms: Callable[[], int]) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["coinglass"])

    @router.get(
        "/coinglass/status",
        operation_id="getCoinglassStatus",
        summary="Plan, calls and freshness of the CoinGlass key",
        description="Plan, calls used and left, and what is kept fresh: age, demand and next call of each.",
        response_model=None,
        responses={200: success(BudgetResponse, "The budget."), **problems(403)},
    )
    async def get_status(request: Request) -> Response:
        require_scope(request, options, Scope.READ)
        return json_answer(_render(use_case.budget(), options, now_ms()))

    return router


def _render(report: BudgetReport, options: ApiOptions, now_ms: int) -> BudgetResponse:
    return BudgetResponse(
        timestamp=iso_utc(now_ms),
        data_mode=options.data_mode,
        provider=report.provider,
        state=report.state,
        plan=report.plan,
        calls_limit=report.limit,
        calls_used=report.used,
        calls_left=report.left,
        calls_reserved=report.reserved,
        planned_per_minute=_rounded(report.planned_per_minute, 1),
        efficiency=_rounded(report.efficiency, 3),
        next_poll_s=_rounded(report.next_poll_s, 3),
        resources=[_row(row) for row in report.rows[:MAX_ROWS]],
        total=len(report.rows),
        truncated=len(report.rows) > MAX_ROWS,
    )


def _row(row: BudgetRow) -> BudgetItem:
    return BudgetItem(
        endpoint=clip(row.endpoint, NAME_CHARS),
        params=clip(row.params, DETAIL_CHARS),
        demand=places(row.demand, 2),
        watched=row.is_watched,
        age_s=_rounded(row.age_s, 1),
        min_period_s=places(row.min_period_s, 1),
        period_s=_rounded(row.period_s, 1),
        due_s=places(row.due_s, 1),
        outcome=clip(row.outcome, NAME_CHARS),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else places(value, digits)
