"""`/`, `/openapi.json` and `/gpt/action-schema`: how clients find their way."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from app.api.auth import require_scope
from app.api.edge import INDEX_PATH, prefers_html
from app.api.openapi import TITLE
from app.api.openapi_parts import JsonObject, json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.page_policies import DASHBOARD_PATH
from app.api.schemas.health import IndexResponse, RouteItem

_ANY_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_PAGES = (
    ("/docs", "Interactive documentation."),
    ("/redoc", "Reference documentation."),
    ("/openapi.json", "The whole interface as OpenAPI 3.1."),
)


def index_routes(
    options: ApiOptions, *, openapi: Callable[[], JsonObject], actions: Callable[[], JsonObject]
) -> APIRouter:
    """The router; `openapi` is the whole document, `actions` the curated one."""
    router = APIRouter(tags=["index"])

    @router.get(
        INDEX_PATH,
        operation_id="getIndex",
        summary="All routes",
        description="Name, version, data mode and every route; browsers go to the dashboard if there is one.",
        response_model=None,
        responses={
            200: success(IndexResponse, "Name, version, data mode and every route."),
            307: {"description": "To the dashboard."},
            **problems(403),
        },
    )
    async def get_index(request: Request) -> Response:
        if options.has_dashboard and prefers_html(request.headers.get("accept", "").encode("latin-1")):
            return RedirectResponse(DASHBOARD_PATH, 307)
        # The way to the dashboard is open to strangers, the list is not: the edge may have let one in.
        require_scope(request, options, Scope.READ)
        return json_answer(_index(options, openapi()))

    @router.get(
        "/gpt/action-schema",
        operation_id="getActionSchema",
        summary="OpenAPI document for GPT Actions",
        description="The curated operations an assistant imports, with the public address of this service.",
        response_model=None,
        responses={200: {"description": "The OpenAPI 3.1 document.", "content": _ANY_OBJECT}, **problems()},
    )
    async def get_action_schema() -> Response:
        return JSONResponse(actions())

    return router


def _index(options: ApiOptions, document: JsonObject) -> IndexResponse:
    routes = [
        RouteItem(method="GET", path=path, description=operations["get"]["summary"])
        for path, operations in document["paths"].items()
        if "get" in operations
    ]
    routes += [RouteItem(method="GET", path=path, description=text) for path, text in _PAGES]
    return IndexResponse(
        name=TITLE,
        version=options.version,
        data_mode=options.data_mode,
        disclaimer="Market data and arithmetic, not investment advice.",
        routes=routes,
    )
