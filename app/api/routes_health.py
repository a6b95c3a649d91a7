"""`/health`, `/health/live`, `/health/ready` and `/metrics`: for people, supervisors and Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.api.auth import require_scope
from app.api.deps import HealthUseCase
from app.api.edge import LIVE_PATH
from app.api.errors import NotReady
from app.api.openapi_parts import json_answer, problems
from app.api.options import ApiOptions, Scope
from app.api.render_health import render_health
from app.api.schemas.health import HealthResponse, LiveResponse

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIVE = LiveResponse(status="ok")


def health_routes(
    options: ApiOptions,
    use_case: HealthUseCase,
    *,
    metrics_text: Callable[[], bytes],
    now_ms: Callable[[], int],
) -> APIRouter:
    """The router; `metrics_text` renders the Prometheus text format."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/health",
        operation_id="getHealth",
        summary="State of the service and its providers",
        description="Status, data mode, and each provider with its state, last success, plan and quota.",
        response_model=None,
        responses={200: {"model": HealthResponse}, **problems()},
    )
    async def get_health() -> Response:
        return json_answer(render_health(await use_case.ready(), now_ms=now_ms()))

    @router.get(
        LIVE_PATH,
        operation_id="getLive",
        summary="The process is up",
        description="Constant answer without a key and without a rate limit.",
        response_model=None,
        responses={200: {"model": LiveResponse}},
    )
    async def get_live() -> Response:
        return json_answer(_LIVE)

    @router.get(
        "/health/ready",
        operation_id="getReady",
        summary="Answers can be given",
        description="200 while a price can be served (ok or degraded), else a 503 problem.",
        response_model=None,
        responses={200: {"model": HealthResponse}, **problems()},
    )
    async def get_ready() -> Response:
        report = await use_case.ready()
        if not report.price_ok:
            raise NotReady([f"{item.provider}: {item.state}" for item in report.providers])
        return json_answer(render_health(report, now_ms=now_ms()))

    @router.get(
        "/metrics",
        operation_id="getMetrics",
        summary="Figures for Prometheus",
        description="Prometheus text format; needs the scope admin when keys are in use.",
        response_model=None,
        responses={
            200: {
                "description": "Prometheus text",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **problems(403),
        },
    )
    async def get_metrics(request: Request) -> Response:
        require_scope(request, options, Scope.ADMIN)
        return Response(
            metrics_text(), headers={"Cache-Control": "no-store", "Content-Type": METRICS_MEDIA_TYPE}
        )

    return router
