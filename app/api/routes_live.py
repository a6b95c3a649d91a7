"""`/ws`, `/events` and `/api/signals`: what the dashboard shows, as it changes and as it is now."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.routing import BaseRoute, WebSocketRoute

from app.api import render_live as render
from app.api.answer_cache import AnswerCache, conditional_answer
from app.api.audit_door import AuditDoor
from app.api.auth import address_of, require_scope
from app.api.deps import LiveUseCase
from app.api.live_clients import Gathers
from app.api.live_events import EVENTS_MEDIA_TYPE, EVENTS_PATH, EventStream, read_position
from app.api.live_hub import LiveHub
from app.api.live_socket import SOCKET_PATH, LiveSocket
from app.api.openapi_parts import JsonObject, problems, success
from app.api.options import ApiOptions, Scope
from app.api.schemas.live import LiveSignalsResponse
from app.api.session import Sessions
from app.core.errors import InvalidParameter

# One event; the whole answer has no end and no shape that OpenAPI 3.1 could say.
_EVENT: JsonObject = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "event": {"type": "string", "enum": ["snapshot", "delta", "beat"], "description": "What it is."},
        "id": {"type": "string", "maxLength": 96, "description": "Where to go on: Last-Event-ID."},
        "data": {"type": "string", "maxLength": 2_000_000, "description": "The message as JSON text."},
    },
}
_EVENTS: JsonObject = {
    "description": "Events without end: a snapshot, or what was missed since Last-Event-ID; then changes.",
    "content": {EVENTS_MEDIA_TYPE: {"schema": _EVENT}},
}


class LiveAnswers:
    """The watchlist's cards, for every door."""

    def __init__(
        self, options: ApiOptions, use_case: LiveUseCase, cache: AnswerCache, now_ms: Callable[[], int]
    ) -> None:
        self._options = options
        self._use_case = use_case
        self._cache = cache
        self._now_ms = now_ms

    async def signals(self, request: Request) -> Response:
        """Raises: MissingScope."""
        require_scope(request, self._options, Scope.READ)

        async def make() -> bytes:
            cards = await self._use_case.cards()
            answer = render.signals(cards, now_ms=self._now_ms(), data_mode=self._options.data_mode)
            return answer.model_dump_json(by_alias=True).encode()

        return conditional_answer(request, await self._cache.get(("live_signals",), make))


def socket_route(
    options: ApiOptions,
    hub: LiveHub,
    gathers: Gathers,
    sessions: Sessions,
    audit: AuditDoor,
    monotonic: Callable[[], float],
) -> BaseRoute:
    """`/ws`."""
    socket = LiveSocket(options, hub, gathers, sessions, audit=audit, monotonic=monotonic)
    return WebSocketRoute(SOCKET_PATH, socket)


def live_routes(options: ApiOptions, hub: LiveHub, gathers: Gathers, answers: LiveAnswers) -> APIRouter:
    """The router of the two that answer requests."""
    router = APIRouter(tags=["live"])

    @router.get(
        "/api/signals",
        operation_id="listSignals",
        summary="The newest evaluation of every watched coin",
        description="One card for each coin that is switched on, a few seconds old at most and stored "
        "nowhere; a coin without a price has a card that says so. Not advice.",
        response_model=None,
        responses={200: success(LiveSignalsResponse, "Every card."), **problems(403, conditional=True)},
    )
    async def list_signals(request: Request) -> Response:
        return await answers.signals(request)

    @router.get(
        EVENTS_PATH,
        operation_id="streamEvents",
        summary="What the dashboard shows, as it changes",
        description="Server-sent events: a snapshot first, then what changed. The same JSON as over the "
        "WebSocket at /ws.",
        response_model=None,
        responses={200: _EVENTS, **problems(400, 403)},
    )
    async def stream_events(request: Request) -> Response:
        require_scope(request, options, Scope.READ)
        if request.url.query:
            raise InvalidParameter("query", "none; a key goes into the Authorization header")
        if request.scope.get("is_head"):
            return Response(media_type=EVENTS_MEDIA_TYPE)
        address = address_of(request.scope, options)
        resume = read_position(request.headers.get("last-event-id"))
        return EventStream(hub, gathers, address=address, resume=resume)

    return router
