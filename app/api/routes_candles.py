"""`/api/candles/{symbol}`: closed candles for charts. A picture of the past, never a published chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from app.api.answer_cache import AnswerCache, conditional_answer
from app.api.auth import require_scope
from app.api.deps import CandlesUseCase
from app.api.numbers import age_s, clip, iso_utc, significant
from app.api.openapi_parts import problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import SymbolPath, TimeframeQuery, read_timeframe
from app.api.schemas import candles as schema
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.core.domain.liquidity import DEFAULT_TIMEFRAME
from app.core.domain.market import Candles
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.symbol import Symbol

CandleLimitQuery = Annotated[
    int, Query(ge=1, le=schema.MAX_CANDLES, description="Number of candles at most, the newest.")
]


def candle_routes(
    options: ApiOptions, use_case: CandlesUseCase, cache: AnswerCache, *, now_ms: Callable[[], int]
) -> APIRouter:
    """The router. cache: of large answers."""
    router = APIRouter(tags=["market"])

    @router.get(
        "/api/candles/{symbol}",
        operation_id="getCandles",
        summary="Closed candles of one coin",
        description="Open, high, low, close and volume of closed candles, oldest first. Where there are none "
        "`missing` says why.",
        response_model=None,
        responses={
            200: success(schema.CandlesResponse, "The candles."),
            **problems(400, 403, 404, conditional=True),
        },
    )
    async def get_candles(
        request: Request,
        symbol: SymbolPath,
        timeframe: TimeframeQuery = DEFAULT_TIMEFRAME,
        limit: CandleLimitQuery = 300,
    ) -> Response:
        require_scope(request, options, Scope.READ)
        coin, size = use_case.resolve(symbol), read_timeframe(timeframe)

        async def make() -> bytes:
            found = await use_case.closed_candles(coin, size)
            shown = render_candles(found, coin, size, limit, now_ms=now_ms(), options=options)
            return shown.model_dump_json(by_alias=True).encode()

        return conditional_answer(request, await cache.get(("candles", coin, size, limit), make))

    return router


def render_candles(
    found: Reading[Candles] | Missing,
    symbol: Symbol,
    timeframe: str,
    limit: int,
    *,
    now_ms: int,
    options: ApiOptions,
) -> schema.CandlesResponse:
    """The newest `limit` candles that have closed by now."""
    rows = [] if isinstance(found, Missing) else _rows(found.value, now_ms)[-limit:]
    if not rows and not isinstance(found, Missing):
        found = Missing(MissingReason.NO_DATA, f"{found.provider} has no closed candle of this coin")
    newest_ms = rows[-1][0] if rows else None
    return schema.CandlesResponse(
        timestamp=iso_utc(now_ms),
        data_mode=options.data_mode,
        symbol=symbol.base,
        timeframe=cast("schema.TimeframeWord", timeframe),
        source=None if isinstance(found, Missing) else clip(found.provider, NAME_CHARS),
        exchange=None if isinstance(found, Missing) else clip(found.value.exchange, NAME_CHARS),
        as_of=None if newest_ms is None else iso_utc(newest_ms),
        age_s=None if newest_ms is None else age_s(now_ms, newest_ms),
        candles=[candle for _, candle in rows],
        missing=schema.CandlesMissing(reason=found.reason, detail=clip(found.detail, DETAIL_CHARS))
        if isinstance(found, Missing)
        else None,
    )


def _rows(found: Candles, now_ms: int) -> list[tuple[int, schema.ChartCandle]]:
    """(close, candle) of those that have closed."""
    volumes = found.volume_base or (None,) * len(found.close_ms)
    columns = zip(found.close_ms, found.open, found.high, found.low, found.close, volumes, strict=True)
    return [
        (
            close_ms,
            schema.ChartCandle(
                time=iso_utc(close_ms),
                open=significant(open_),
                high=significant(high),
                low=significant(low),
                close=significant(close),
                volume_base=None if volume is None else significant(volume),
            ),
        )
        for close_ms, open_, high, low, close, volume in columns
        if close_ms <= now_ms
    ]
