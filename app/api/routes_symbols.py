"""`/symbols`: which coins can be asked for, by a spelling or a part of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.auth import require_scope
from app.api.deps import SymbolUseCase
from app.api.numbers import iso_utc
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.schemas.symbols import MAX_FOUND, SymbolSearchResponse

SearchQuery = Annotated[
    str,
    Query(
        description="A spelling of one coin or a part of its name: BTC, BTCUSDT, 1000PEPE, pep.",
        examples=["PEPE"],
        json_schema_extra={"pattern": "^[A-Za-z0-9/_:-]{1,40}$", "maxLength": 40},
    ),
]
FoundLimitQuery = Annotated[int, Query(ge=1, le=MAX_FOUND, description="Number of coins at most.")]


class SymbolAnswers:
    """What the lists have, for every door."""

    def __init__(self, options: ApiOptions, use_case: SymbolUseCase, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._use_case = use_case
        self._now_ms = now_ms

    def search(self, request: Request, query: str, limit: int) -> SymbolSearchResponse:
        """Raises: MissingScope, InvalidParameter."""
        require_scope(request, self._options, Scope.READ)
        matches = self._use_case.search(query, limit)
        return SymbolSearchResponse(
            timestamp=iso_utc(self._now_ms()),
            data_mode=self._options.data_mode,
            exact=None if matches.exact is None else matches.exact.base,
            found=list(matches.found),
            listed=matches.listed,
        )


def symbol_routes(answers: SymbolAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["market"])

    @router.get(
        "/symbols",
        operation_id="searchSymbols",
        summary="Coins by a part of their name",
        description="Which coins can be asked for: the one that the text spells, and those that begin so, "
        "contain it or look like it.",
        response_model=None,
        responses={200: success(SymbolSearchResponse, "Coins, best match first."), **problems(400, 403)},
    )
    async def search_symbols(request: Request, query: SearchQuery, limit: FoundLimitQuery = 10) -> Response:
        return json_answer(answers.search(request, query, limit))

    return router
