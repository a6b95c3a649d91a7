"""`/api/coins...` and `/api/stats`: which coins the service follows, how that is changed, how much there is.

Changes need the scope admin, are in force before they are answered, and may be sent twice (`idempotency`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from app.api import render_coins as render
from app.api.answer_cache import AnswerCache, conditional_answer
from app.api.audit_door import AuditDoor
from app.api.auth import require_scope
from app.api.deps import CoinUseCase, StatsUseCase
from app.api.idempotency import IdempotencyKeyHeader, IdempotentWrites
from app.api.openapi_parts import JsonObject, json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import SymbolPath
from app.api.schemas.coins import CoinAddRequest, CoinChangeResponse, CoinsResponse, CoinToggleRequest
from app.api.schemas.stats import StatsResponse
from app.core.domain.access import AuditAction
from app.core.domain.watchlist import WatchChange

_AT_ONCE = " In force at once, without a restart, in every process within seconds; kept over restarts."


class CoinWrites:
    """Changes of the list: who may, once for each key, and the list as it is afterwards."""

    def __init__(
        self,
        options: ApiOptions,
        use_case: CoinUseCase,
        keys: IdempotentWrites,
        audit: AuditDoor,
        now_ms: Callable[[], int],
    ) -> None:
        self._options = options
        self._audit = audit
        self._use_case = use_case
        self._keys = keys
        self._now_ms = now_ms

    async def answer(
        self, request: Request, action: AuditAction, change: Callable[[], Awaitable[WatchChange]]
    ) -> Response:
        """Raises: MissingScope, IdempotencyMismatch, and what the change raises."""
        require_scope(request, self._options, Scope.ADMIN)

        async def write() -> Response:
            done = await change()
            if done.did_change:
                self._audit.change(request, action, done.symbol)
            coins, mode = self._use_case.coins(), self._options.data_mode
            return json_answer(render.coin_change(coins, done, now_ms=self._now_ms(), data_mode=mode))

        return await self._keys.answer(request, write)


def coin_routes(
    options: ApiOptions,
    use_case: CoinUseCase,
    stats: StatsUseCase,
    keys: IdempotentWrites,
    audit: AuditDoor,
    cache: AnswerCache,
    *,
    now_ms: Callable[[], int],
) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["coins"])
    _read_routes(router, options, use_case, stats, cache, now_ms)
    _write_routes(router, use_case, CoinWrites(options, use_case, keys, audit, now_ms))
    return router


def _read_routes(
    router: APIRouter,
    options: ApiOptions,
    use_case: CoinUseCase,
    stats: StatsUseCase,
    cache: AnswerCache,
    now_ms: Callable[[], int],
) -> None:
    @router.get(
        "/api/coins",
        operation_id="listCoins",
        summary="The coins that are followed",
        description="The watchlist in its order, with what is switched on. Any other coin can be asked for, "
        "too; these are asked for ahead, streamed and evaluated every hour.",
        response_model=None,
        responses={200: success(CoinsResponse, "The list."), **problems(403)},
    )
    async def list_coins(request: Request) -> Response:
        require_scope(request, options, Scope.READ)
        return json_answer(render.coins(use_case.coins(), now_ms=now_ms(), data_mode=options.data_mode))

    @router.get(
        "/api/stats",
        operation_id="getStats",
        summary="How many coins, signals, alerts and waiting rows there are",
        description="Counts of the watchlist, of 24 hours of signals and alerts, and of this process. Counts "
        "are not outcomes.",
        response_model=None,
        responses={200: success(StatsResponse, "The counts."), **problems(403, conditional=True)},
    )
    async def get_stats(request: Request) -> Response:
        require_scope(request, options, Scope.READ)

        async def make() -> bytes:
            found = render.stats(await stats.stats(), data_mode=options.data_mode)
            return found.model_dump_json(by_alias=True).encode()

        return conditional_answer(request, await cache.get(("service stats",), make))


def _write_routes(router: APIRouter, use_case: CoinUseCase, writes: CoinWrites) -> None:
    responses: dict[int | str, JsonObject] = {
        200: success(CoinChangeResponse, "The list after it."),
        **problems(400, 403, 404, 409),
    }

    @router.post(
        "/api/coins/add",
        operation_id="addCoin",
        summary="Follow a coin",
        description="Adds a coin, or switches on one that is in the list." + _AT_ONCE,
        response_model=None,
        responses=responses,
    )
    async def add_coin(request: Request, body: CoinAddRequest, _key: IdempotencyKeyHeader = "") -> Response:
        return await writes.answer(request, AuditAction.COIN_ADDED, lambda: use_case.add(body.symbol))

    @router.delete(
        "/api/coins/remove/{symbol}",
        operation_id="removeCoin",
        summary="Take a coin out of the list",
        description="One of the setting SYMBOLS stays out, too, until it is added again." + _AT_ONCE,
        response_model=None,
        responses=responses,
    )
    async def remove_coin(request: Request, symbol: SymbolPath, _key: IdempotencyKeyHeader = "") -> Response:
        return await writes.answer(request, AuditAction.COIN_REMOVED, lambda: use_case.remove(symbol))

    @router.patch(
        "/api/coins/{symbol}/toggle",
        operation_id="toggleCoin",
        summary="Switch a coin of the list on or off",
        description="To what the body says, or without one to what it is not." + _AT_ONCE,
        response_model=None,
        responses=responses,
    )
    async def toggle_coin(
        request: Request,
        symbol: SymbolPath,
        body: CoinToggleRequest | None = None,
        _key: IdempotencyKeyHeader = "",
    ) -> Response:
        is_on = None if body is None else body.on
        return await writes.answer(
            request, AuditAction.COIN_SWITCHED, lambda: use_case.toggle(symbol, is_on=is_on)
        )
