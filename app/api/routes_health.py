"""`/health`, `/health/live` and `/health/ready`: for people, assistants and supervisors."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response

from app.api.deps import HealthUseCase
from app.api.edge import LIVE_PATH
from app.api.errors import NotReady
from app.api.openapi_parts import json_answer, problems, success
from app.api.render_health import render_health
from app.api.schemas.health import HealthResponse, LiveResponse

_LIVE = LiveResponse(status="ok")


def health_routes(use_case: HealthUseCase, *, now_ms: Callable[[], int]) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/health",
        operation_id="getHealth",
        summary="State of the service and its providers",
        description="For questions about the service itself: whether prices can be served, whether the data "
        "is live, demo or replay, and each provider's state, last success, plan and quota. Holds no market "
        "data; a fair summary names dataMode and every provider that is not ok.",
        response_model=None,
        responses={200: success(HealthResponse, "State of the service and of each provider."), **problems()},
    )
    async def get_health() -> Response:
        return json_answer(render_health(await use_case.ready(), now_ms=now_ms()))

    @router.get(
        LIVE_PATH,
        operation_id="getLive",
        summary="The process is up",
        description="Constant answer without a key and without a rate limit.",
        response_model=None,
        responses={200: success(LiveResponse, "The process answers.")},
    )
    async def get_live() -> Response:
        return json_answer(_LIVE)

    @router.get(
        "/health/ready",
        operation_id="getReady",
        summary="Answers can be given",
        description="200 while a price can be served (ok or degraded), else a 503 problem.",
        response_model=None,
        responses={200: success(HealthResponse, "A price can be served."), **problems(no_price=True)},
    )
    async def get_ready() -> Response:
        report = await use_case.ready()
        if not report.price_ok:
            raise NotReady([f"{item.provider}: {item.state}" for item in report.providers])
        return json_answer(render_health(report, now_ms=now_ms()))

    return router
