"""The door of a worker: `/metrics`, `/health/live` and `/health/ready` over HTTP, on the loop of the stream.

Small on purpose: three answers out of memory, few connections, no route of the API. Protected like the web's:
where keys are in use, all but `/health/live` need one with the scope admin. Put in by `app.worker`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.api.auth import find_key
from app.api.edge import LIVE_PATH, METRICS_PATH
from app.api.errors import MissingScope, Unauthorized
from app.api.options import ApiKey
from app.api.options import Scope as KeyScope
from app.api.problems import problem_response
from app.api.refusals import Refusals
from app.api.request_observer import RequestObserver
from app.api.routes_metrics import METRICS_MEDIA_TYPE
from app.core.domain.status import DependencyState, DependencyStatus
from app.core.errors import ServiceError
from app.http_connection import BoundedConnection, Limits

READY_PATH = "/health/ready"
_PATHS = frozenset({LIVE_PATH, READY_PATH, METRICS_PATH})
_METHODS = frozenset({"GET", "HEAD"})
# One scraper and one supervisor; more is somebody's mistake.
MAX_CONNECTIONS = 16
_STOP_S = 1


@dataclass(frozen=True, slots=True)
class DoorParts:
    """What the door shows. health: of the worker's parts; keys: who may see it, everybody when `is_open`;
    observe: told of every answer and refusal."""

    role: str
    metrics_text: Callable[[], bytes]
    health: Callable[[], Sequence[DependencyStatus]]
    keys: tuple[ApiKey, ...]
    is_open: bool
    observe: RequestObserver


class WorkerDoor:
    """`run()` until cancelled; answers that are under way get a second."""

    def __init__(self, listener: socket.socket, parts: DoorParts) -> None:
        self._listener = listener
        self._parts = parts
        self._refusals = Refusals(None, observe=parts.observe.refused)

    async def run(self) -> None:
        """Serve."""
        server = _Server(
            uvicorn.Config(
                self.answer,
                interface="asgi3",
                http=type("WorkerConnection", (BoundedConnection,), {"limits": Limits(self._refusals)}),
                access_log=False,
                log_config=None,  # one redacting log chain for everything, set up by bootstrap
                server_header=False,
                lifespan="off",
                ws="none",
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=_STOP_S,
                proxy_headers=False,
            )
        )
        serving = asyncio.ensure_future(server.serve(sockets=[self._listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI."""
        if scope["type"] == "http":
            started_s = time.perf_counter()
            answer = self._answer_of(scope)
            self._count(scope, answer.status_code, time.perf_counter() - started_s)
            await answer(scope, receive, send)

    def _count(self, scope: Scope, status: int, elapsed_s: float) -> None:
        """Under the names the web's edge uses; every answer is made at once, so none is under way."""
        refused_as = scope.get("refused_as")
        is_routed = scope["path"] in _PATHS and refused_as is None
        route = scope["path"] if is_routed else "unrouted"
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._parts.observe.answered(method=method, route=route, status=status, elapsed_s=elapsed_s)
        if refused_as is not None:
            self._parts.observe.refused(refused_as)

    def _answer_of(self, scope: Scope) -> Response:
        path = scope["path"]
        if path not in _PATHS:
            return PlainTextResponse("no such route\n", 404)
        if scope["method"] not in _METHODS:
            return PlainTextResponse("GET or HEAD\n", 405, headers={"Allow": "GET, HEAD"})
        if path == LIVE_PATH:
            return _json(200, {"status": "ok"})
        refusal = self._refusal(scope)
        if refusal is not None:
            return problem_response(scope, refusal)
        if path == READY_PATH:
            return self._ready()
        return Response(self._parts.metrics_text(), headers={"Content-Type": METRICS_MEDIA_TYPE})

    def _refusal(self, scope: Scope) -> ServiceError | None:
        if self._parts.is_open:
            return None
        given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        key = find_key(given, self._parts.keys)
        if key is None:
            return Unauthorized()
        return None if KeyScope.ADMIN in key.scopes else MissingScope(KeyScope.ADMIN)

    def _ready(self) -> Response:
        """503 while any part is down or still starting: this worker does not do its work."""
        parts = self._parts.health()
        is_ready = all(part.state is DependencyState.OK for part in parts)
        told = [{"name": part.name, "state": part.state, "detail": part.detail} for part in parts]
        status = "ok" if is_ready else "unavailable"
        return _json(
            200 if is_ready else 503, {"status": status, "role": self._parts.role, "dependencies": told}
        )


def _json(status: int, body: object) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, headers={"Cache-Control": "no-store"}, media_type="application/json")


class _Server(uvicorn.Server):
    """Signals are the worker's."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
