"""The CoinGlass catalogue: what there is, and any endpoint by its id. Not for assistants: a raw proxy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.auth import require_scope
from app.api.deps import CatalogUseCase
from app.api.numbers import age_s, clip, iso_utc
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.api.schemas.catalog import CatalogResponse, EndpointItem, EndpointsResponse, ParameterItem
from app.core.domain.catalog import CatalogAnswer, EndpointInfo
from app.core.domain.quality import MissingReason
from app.core.errors import InvalidParameter

_PLANS = ("any", "hobbyist", "startup", "standard", "professional")
# Ours; every other parameter is the endpoint's.
_OWN = frozenset({"raw", "cursor"})

GroupQuery = Annotated[
    str,
    Query(
        description="Only this group, such as futures/liquidation, or all that begin so.",
        json_schema_extra={"pattern": "^[A-Za-z/-]{0,40}$", "maxLength": 40},
    ),
]
PlanQuery = Annotated[
    str,
    Query(
        description=f"Only what this plan has, at some bar size: one of {', '.join(_PLANS)}.",
        json_schema_extra={"pattern": "^[A-Za-z]{1,12}$", "maxLength": 12},
    ),
]
AvailableQuery = Annotated[bool, Query(description="Only what the key of this service may ask for now.")]
PageCursorQuery = Annotated[
    str,
    Query(
        description="The `next` of the answer before; empty for the first page, which holds the newest rows.",
        json_schema_extra={"pattern": r"^[0-9]{0,13}(\.[0-9]{1,5})?$", "maxLength": 20},
    ),
]
RawQuery = Annotated[bool, Query(description="The data as the provider sent it.")]
EndpointPath = Annotated[
    str,
    Path(
        description="Id from /coinglass/endpoints.",
        examples=["futures_funding_rate_exchange_list"],
        json_schema_extra={"pattern": "^[a-z0-9_]{1,80}$", "maxLength": 80},
    ),
]


def catalog_routes(options: ApiOptions, catalog: CatalogUseCase, *, now_ms: Callable[[], int]) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["coinglass"])

    @router.get(
        "/coinglass/endpoints",
        operation_id="listCoinglassEndpoints",
        summary="Every CoinGlass endpoint",
        description="What it takes and answers, which plan has it, and whether this service's key may ask.",
        response_model=None,
        responses={200: success(EndpointsResponse, "The endpoints."), **problems(400, 403)},
    )
    async def list_endpoints(
        request: Request, group: GroupQuery = "", plan: PlanQuery = "any", available: AvailableQuery = False
    ) -> Response:
        require_scope(request, options, Scope.READ)
        known = catalog.endpoints()
        prefix, level = _group(group, known), _plan(plan)
        items = [
            item
            for item in known
            if item.group.startswith(prefix)
            and (level == "any" or item.plans.get(level) != "no")
            and (item.is_available or not available)
        ]
        return json_answer(
            EndpointsResponse(
                timestamp=iso_utc(now_ms()),
                data_mode=options.data_mode,
                items=[_item(item) for item in items],
                total=len(items),
            )
        )

    @router.get(
        "/coinglass/endpoints/{endpoint}",
        operation_id="callCoinglassEndpoint",
        summary="Any CoinGlass endpoint by its id",
        description="Takes the endpoint's own parameters beside `raw` and `cursor`; they are checked first.",
        response_model=None,
        responses={200: success(CatalogResponse, "What it answered."), **problems(400, 403, 404)},
    )
    async def call_endpoint(
        request: Request, endpoint: EndpointPath, raw: RawQuery = False, cursor: PageCursorQuery = ""
    ) -> Response:
        require_scope(request, options, Scope.READ)
        answer = await catalog.call(clip(endpoint, 80), _their_params(request), is_raw=raw, cursor=cursor)
        return json_answer(_render(answer, options, now_ms()))

    return router


def _their_params(request: Request) -> dict[str, str]:
    """Raises: InvalidParameter for one that is sent twice."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            raise InvalidParameter(clip(name, 40), "sent once")
        if name not in _OWN:
            found[name] = value
    return found


def _group(text: str, known: Sequence[EndpointInfo]) -> str:
    """Raises: InvalidParameter for what no group begins with, naming the groups."""
    prefix = text.strip().lower()
    groups = sorted({item.group for item in known})
    if not any(group.startswith(prefix) for group in groups):
        raise InvalidParameter("group", f"one of {', '.join(groups)}, or how they begin")
    return prefix


def _plan(text: str) -> str:
    """Raises: InvalidParameter for no plan."""
    plan = text.strip().lower()
    if plan not in _PLANS:
        raise InvalidParameter("plan", f"one of {', '.join(_PLANS)}")
    return plan


def _item(info: EndpointInfo) -> EndpointItem:
    return EndpointItem(
        id=info.id[:NAME_CHARS],
        group=info.group,
        about=clip(info.about, DETAIL_CHARS),
        parameters=[
            ParameterItem(
                name=parameter.name,
                type=parameter.type,
                required=parameter.is_required,
                form=parameter.form,
                choices=list(parameter.choices),
                maximum=parameter.maximum,
                default=parameter.default,
                example=clip(parameter.example, DETAIL_CHARS),
            )
            for parameter in info.parameters
        ],
        plans=dict(info.plans),
        cheapest_plan=info.cheapest_plan,
        update_s=info.update_s,
        units=list(info.units),
        available=info.is_available,
        why_not=None if info.why_not is None else MissingReason(info.why_not),
    )


def _render(answer: CatalogAnswer, options: ApiOptions, now_ms: int) -> CatalogResponse:
    return CatalogResponse(
        timestamp=iso_utc(now_ms),
        data_mode=options.data_mode,
        endpoint=answer.endpoint[:NAME_CHARS],
        provider=answer.provider,
        plan=answer.plan,
        as_of=iso_utc(answer.ts_init_ms),
        age_s=age_s(now_ms, answer.ts_init_ms),
        newest_at=None if answer.newest_ms is None else iso_utc(answer.newest_ms),
        cache=answer.cache,
        raw=answer.is_raw,
        data=answer.data,
        rows=answer.rows,
        truncated=answer.next_cursor is not None,
        next=answer.next_cursor,
    )
