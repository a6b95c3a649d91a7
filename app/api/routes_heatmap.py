"""`/heatmap/{symbol}` and `/heatmap/{symbol}.png`: the own record of liquidations, by time and price."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.answer_cache import AnswerCache, conditional_answer
from app.api.auth import require_scope
from app.api.deps import HeatmapUseCase
from app.api.openapi_parts import JsonObject, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import SymbolPath
from app.api.render_heatmap import render_heatmap
from app.api.schemas.heatmap import LiquidationTilesResponse
from app.core.domain.heatmap import BUCKETS_BY_WIDTH, HeatmapQuery

_PNG = "image/png"
_PICTURE: JsonObject = {
    "description": "The picture, 1200 by 700 pixels.",
    "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
}
MinutesQuery = Annotated[
    int, Query(ge=10, le=10_080, description="Length of the window in closed minutes; a day is 1440.")
]
WidthQuery = Annotated[
    Literal["auto", "0.25", "0.5", "1", "2", "5"],
    Query(
        description="Least height of a row in percent, a multiple of the stored 0.25 % buckets; auto: as "
        "fine as fits.",
        examples=["0.5"],
        json_schema_extra={"maxLength": 4},
    ),
]


def heatmap_routes(options: ApiOptions, use_case: HeatmapUseCase, cache: AnswerCache) -> APIRouter:
    """The router. cache: one computation for everyone who asks in the same second."""
    router = APIRouter(tags=["heatmap"])

    # Before the other one, which would take `BTC.png` for a coin.
    @router.get(
        "/heatmap/{symbol}.png",
        operation_id="getHeatmapImage",
        summary="Liquidations of one coin by time and price, as a picture",
        description="The grid of getHeatmap as PNG, for people and chats: orange longs, blue shorts, sums by "
        "price and by time, the current price and the source. Without stored liquidations it says so.",
        response_class=Response,
        responses={200: _PICTURE, **problems(400, 403, 404, needs_store=True, conditional=True)},
    )
    async def get_heatmap_image(
        request: Request, symbol: SymbolPath, minutes: MinutesQuery = 1440, bucket: WidthQuery = "auto"
    ) -> Response:
        require_scope(request, options, Scope.READ)
        base = use_case.resolve(symbol)
        query = _query(minutes, bucket)
        encoded = await cache.get((_PNG, base, query), lambda: use_case.picture(base, query))
        return conditional_answer(request, encoded, media_type=_PNG)

    @router.get(
        "/heatmap/{symbol}",
        operation_id="getHeatmap",
        summary="Liquidations of one coin by time and price",
        description="USD of longs and shorts closed by force in this service's own record, by time and "
        "price, with the strongest levels around the price and the composite of the last minute. They "
        "happened; no forecast. `state` tells quiet from never recorded.",
        response_model=None,
        responses={
            200: success(LiquidationTilesResponse, "The grid, or why there is none."),
            **problems(400, 403, 404, needs_store=True, conditional=True),
        },
    )
    async def get_heatmap(
        request: Request, symbol: SymbolPath, minutes: MinutesQuery = 1440, bucket: WidthQuery = "auto"
    ) -> Response:
        require_scope(request, options, Scope.READ)
        base = use_case.resolve(symbol)
        query = _query(minutes, bucket)

        async def make() -> bytes:
            answer = render_heatmap(await use_case.heatmap(base, query))
            return answer.model_dump_json(by_alias=True).encode()

        return conditional_answer(request, await cache.get(("heatmap", base, query), make))

    return router


def _query(minutes: int, bucket: str) -> HeatmapQuery:
    return HeatmapQuery(minutes=minutes, buckets_per_row=BUCKETS_BY_WIDTH.get(bucket))
