"""`/signals/{symbol}` and `/signals`: typed parameters, one use case, encoded bytes out.

Answers are encoded once and reused for a second per coin, mode and debug, which also coalesces the batch
with single requests. Owns no market logic.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from app.api.answer_cache import AnswerCache, Encoded, conditional_answer
from app.api.auth import require_scope
from app.api.deps import SignalUseCase
from app.api.numbers import clip
from app.api.openapi_parts import problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import (
    DebugQuery,
    ModeQuery,
    SymbolPath,
    SymbolsQuery,
    TimeframeQuery,
    read_timeframe,
)
from app.api.problems import detail_of
from app.api.render_signal import render_signal
from app.api.schemas.base import REASON_CHARS
from app.api.schemas.signal import MAX_BATCH, BatchError, BatchResponse, SignalResponse
from app.core.domain.liquidity import DEFAULT_TIMEFRAME
from app.core.domain.signal import Mode
from app.core.domain.symbol import MAX_INPUT_CHARS
from app.core.errors import InputError, InvalidParameter, NoPriceAvailable, UnknownSymbol

# An assistant reads 100,000 characters at most; the rest of the batch is offered as `next`.
MAX_BATCH_BYTES = 88_000
_NULL = b"null"
_SEPARATOR = re.compile("[,\uff0c]")  # keyboards that write full-width letters write this comma


class SignalAnswers:
    """Encoded signal answers, fresh or at most a second old."""

    def __init__(self, use_case: SignalUseCase, cache: AnswerCache, *, now_ms: Callable[[], int]) -> None:
        self._use_case = use_case
        self._cache = cache
        self._now_ms = now_ms

    async def get(self, text: str, mode: Mode, timeframe: str, *, debug: bool) -> Encoded:
        """Raises: InvalidParameter, UnknownSymbol, NoPriceAvailable."""

        async def make() -> bytes:
            answer = await self._use_case.signal(text, mode, timeframe)
            rendered = render_signal(answer, now_ms=self._now_ms(), debug=debug)
            return rendered.model_dump_json(by_alias=True).encode()

        # Spellings of one coin share an answer, and only the use case knows which coin is meant.
        return await self._cache.get((self._use_case.resolve(text).base, mode, timeframe, debug), make)


def signal_routes(options: ApiOptions, answers: SignalAnswers) -> APIRouter:
    """The router; `answers` is the one cache of the app."""
    router = APIRouter(tags=["signals"])

    @router.get(
        "/signals/{symbol}",
        operation_id="getSignal",
        summary="Scored signal of one coin",
        description="For a question about one coin: LONG, NEUTRAL or SHORT with score, confidence, reasons "
        "and eight factors; getSignals compares several. A fair summary states coverage, missing inputs, "
        "data ages and dataMode (demo and replay are not the market of now).",
        response_model=None,
        responses={
            200: success(SignalResponse, "The signal with its factors, sources, ages and missing inputs."),
            **problems(400, 403, 404, no_price=True, conditional=True),
        },
    )
    async def get_signal(
        request: Request,
        symbol: SymbolPath,
        mode: ModeQuery = "balanced",
        debug: DebugQuery = False,
        timeframe: TimeframeQuery = DEFAULT_TIMEFRAME,
    ) -> Response:
        require_scope(request, options, Scope.READ)
        if debug:
            require_scope(request, options, Scope.DEBUG)
        encoded = await answers.get(symbol, Mode(mode), read_timeframe(timeframe), debug=debug)
        return conditional_answer(request, encoded)

    @router.get(
        "/signals",
        operation_id="getSignals",
        summary="Scored signals of up to 20 coins",
        description="For comparing or ranking up to 20 coins in one call, in the order asked for; a coin "
        "that fails carries its own error, and `next` holds what did not fit. A fair summary states "
        "coverage, missing inputs, data ages and dataMode (demo and replay are not the market of now).",
        response_model=None,
        responses={
            200: success(BatchResponse, "One item per coin: its signal or its own error."),
            **problems(400, 403),
        },
    )
    async def get_signals(request: Request, symbols: SymbolsQuery, mode: ModeQuery = "balanced") -> Response:
        require_scope(request, options, Scope.READ)
        texts = _split(symbols)
        items = await asyncio.gather(*(_item(answers, text, Mode(mode)) for text in texts))
        body = _join(texts, items)
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")

    return router


def _split(symbols: str) -> list[str]:
    """Raises: InvalidParameter for an empty entry, an overlong one, or more than 20."""
    texts = list(dict.fromkeys(part.strip() for part in _SEPARATOR.split(symbols)))
    if not 1 <= len(texts) <= MAX_BATCH:
        raise InvalidParameter("symbols", f"1 to {MAX_BATCH} coins separated by commas")
    if any(not 1 <= len(text) <= MAX_INPUT_CHARS for text in texts):
        raise InvalidParameter("symbols", f"each coin has 1 to {MAX_INPUT_CHARS} characters")
    return texts


async def _item(answers: SignalAnswers, text: str, mode: Mode) -> bytes:
    """One batch item as JSON: spliced from the encoded answer, which is already valid JSON."""
    signal, error = _NULL, _NULL
    try:
        signal = (await answers.get(text, mode, DEFAULT_TIMEFRAME, debug=False)).body
    except (InputError, NoPriceAvailable) as failure:
        error = _batch_error(failure).model_dump_json(by_alias=True).encode()
    return b'{"requested":%b,"signal":%b,"error":%b}' % (_json_text(text), signal, error)


def _batch_error(failure: InputError | NoPriceAvailable) -> BatchError:
    near = failure.near if isinstance(failure, UnknownSymbol) else ()
    return BatchError(
        code=failure.code,
        status=failure.http_status,
        detail=clip(detail_of(failure), REASON_CHARS),
        near=[clip(name, 20) for name in near[:5]],
    )


def _join(texts: list[str], items: list[bytes]) -> bytes:
    """The items that fit, and the rest as the value to ask for next. The first item always fits."""
    kept, size = 0, 0
    for item in items:
        size += len(item) + 1
        if kept and size > MAX_BATCH_BYTES:
            break
        kept += 1
    rest = texts[kept:]
    following = _json_text(",".join(rest)) if rest else _NULL
    truncated = b"true" if rest else b"false"
    return b'{"items":[%b],"truncated":%b,"next":%b}' % (b",".join(items[:kept]), truncated, following)


def _json_text(text: str) -> bytes:
    return json.dumps(clip(text, MAX_BATCH * (MAX_INPUT_CHARS + 1)), ensure_ascii=True).encode()
