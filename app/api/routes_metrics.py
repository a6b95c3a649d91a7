"""`/metrics`: the figures of the process for Prometheus. Called by the app factory."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.api.auth import require_scope
from app.api.openapi_parts import problems
from app.api.options import ApiOptions, Scope

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_routes(options: ApiOptions, metrics_text: Callable[[], bytes]) -> APIRouter:
    """The router; `metrics_text` renders the Prometheus text format."""
    router = APIRouter(tags=["health"])
    text = {"text/plain": {"schema": {"type": "string"}}}

    @router.get(
        "/metrics",
        operation_id="getMetrics",
        summary="Figures for Prometheus",
        description="Prometheus text format; needs the scope admin when keys are in use.",
        response_model=None,
        responses={200: {"description": "Prometheus text.", "content": text}, **problems(403)},
    )
    async def get_metrics(request: Request) -> Response:
        require_scope(request, options, Scope.ADMIN)
        return Response(
            metrics_text(), headers={"Cache-Control": "no-store", "Content-Type": METRICS_MEDIA_TYPE}
        )

    return router
