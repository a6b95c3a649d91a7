"""The edge: everything that happens to a request before routing and to an answer after it, in raw ASGI.

Owns request ids, refusals (overload, rate, key, origin, body size), the headers every answer carries, HEAD
and the last-resort 500. Runs on every request, so it parses headers once and allocates little. Knows no route
but those that are open without a key: the live probe, the one Telegram calls (it checks a secret of its own),
the login and the files of the dashboard.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admission import GUEST_KEY, PROBE_PATHS, SHED_KEY
from app.api.audit_door import AuditDoor
from app.api.auth import ALL_SCOPES, Caller, client_address
from app.api.errors import (
    BodyTooLarge,
    OriginRefused,
    Overloaded,
    TooManyAtOnce,
    TooManyRequests,
    Unauthorized,
)
from app.api.key_book import KeyBook
from app.api.mcp_door import MCP_PATH
from app.api.options import ApiOptions
from app.api.origins import is_allowed_origin
from app.api.page_policies import is_dashboard, policy_headers
from app.api.problems import internal_problem, problem_response
from app.api.rate_limit import SlidingWindowLimiter, Verdict
from app.api.request_context import Answering
from app.api.request_observer import NobodyCounts, RequestObserver, TraceRequest
from app.api.session import Sessions
from app.core.errors import ServiceError

LIVE_PATH = "/health/live"
METRICS_PATH = "/metrics"
TELEGRAM_PATH = "/telegram/webhook"
SESSION_PATH = "/api/session"
INDEX_PATH = "/"
# Held back for probes and operators when every other place is taken.
PROBE_PLACES = 16
DATA_MODE_HEADER = "X-Data-Mode"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_WANTED = frozenset(
    {b"authorization", b"cookie", b"origin", b"accept", b"content-length", b"x-forwarded-for"}
    | {b"x-request-id"}
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BASE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Answers that took longer are worth a line.
SLOW_S = 2.0
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who is asking. is_known: enough to be answered. by_cookie: told by what a browser sends unasked."""

    caller: Caller
    is_known: bool
    by_cookie: bool = False


@dataclass(slots=True)
class _Exchange:
    """One request on its way through: what the answer needs to carry."""

    request_id: bytes
    verdict: Verdict | None = None
    status: int = 0
    begun_s: float | None = None
    received: int = 0


class Edge:
    """ASGI middleware around the routed app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        options: ApiOptions,
        sessions: Sessions,
        monotonic: Callable[[], float],
        keys: KeyBook,
        audit: AuditDoor,
        observe: RequestObserver | None = None,
        trace: TraceRequest | None = None,
    ) -> None:
        self._app = app
        self._options = options
        self._keys = keys
        self._audit = audit
        self._sessions = sessions
        self._monotonic = monotonic
        self._observe = observe or NobodyCounts()
        self._trace = trace
        self._limiter = SlidingWindowLimiter(options.rate_limit_per_minute)
        self._in_flight: Counter[str] = Counter()
        self._total = 0
        self._static = standing_headers(options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, method = self._monotonic(), _known_method(scope)
        if method == "HEAD":
            # GET without its body, on every route. A copy: the server frames by the method it received.
            # is_head: an answer without an end would go on being made for nobody.
            scope, send = {**scope, "method": "GET", "is_head": True}, _without_body(send)
        headers = _read_headers(scope)
        exchange = _Exchange(_request_id(headers.get(b"x-request-id")))
        scope["request_id"] = exchange.request_id.decode()
        answer = self._answering(scope, exchange, send)
        work = Answering(scope["request_id"])
        work.begin()
        is_scrape = scope["path"] == METRICS_PATH
        if not is_scrape:
            self._observe.begun()
        end_trace = None if self._trace is None else self._trace(method)
        try:
            await self._handle(scope, self._capped(exchange, receive), answer, headers, exchange)
        except Exception:
            _log.exception("unhandled error")
            if exchange.status:
                raise  # half an answer is out: only closing the connection tells the client
            await internal_problem(scope)(scope, receive, answer)
        finally:
            if not is_scrape:
                self._observe.ended()
            # An answer without an end took as long as its beginning.
            ended_s = self._monotonic() if exchange.begun_s is None else exchange.begun_s
            route = self._account(scope, method, exchange.status, ended_s - started_s)
            if end_trace is not None:
                end_trace(route, exchange.status)
            work.end()

    def _account(self, scope: Scope, method: str, status: int, elapsed_s: float) -> str:
        """Count the answer, and say what somebody should look at; the template of its route.

        An overload is counted only: a line for each refusal would be more work when there is most of it.
        """
        route: str = getattr(scope.get("route"), "path", "unrouted")
        refused_as = scope.get("refused_as")
        self._observe.answered(method=method, route=route, status=status, elapsed_s=elapsed_s)
        if refused_as is not None and not scope.get(SHED_KEY):  # the door counts those itself
            self._observe.refused(refused_as)
        if elapsed_s > SLOW_S or (status >= 500 and refused_as != Overloaded.refused_as):
            seen = {"method": method, "route": route, "status": status, "elapsedMs": round(elapsed_s * 1000)}
            _log.warning("slow answer" if status < 500 else "failed answer", extra=seen)
        return route

    async def _handle(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: dict[bytes, bytes],
        exchange: _Exchange,
    ) -> None:
        """Refuse, or answer while holding one slot of the concurrency caps."""
        if scope.get(SHED_KEY):
            await problem_response(scope, Overloaded())(scope, receive, send)
            return
        if scope["path"] == LIVE_PATH:
            scope["caller"] = Caller("probe", frozenset())
            await self._app(scope, receive, send)
            return
        visitor = self._visitor(scope, headers)
        if (visit := scope.get(GUEST_KEY)) is not None:
            visit.is_known = visitor.caller.name is not None or not self._options.auth_required
        scope["caller"] = caller = visitor.caller
        refusal = self._refusal(visitor, scope, headers, exchange)
        if refusal is not None:
            await problem_response(scope, refusal)(scope, receive, send)
            return
        self._total += 1
        self._in_flight[caller.identity] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._total -= 1
            self._in_flight[caller.identity] -= 1
            if not self._in_flight[caller.identity]:
                del self._in_flight[caller.identity]

    def _visitor(self, scope: Scope, headers: dict[bytes, bytes]) -> _Visitor:
        """A key if there is one, else a session, else an address."""
        options = self._options
        authorization = _text(headers.get(b"authorization"))
        if options.auth_required and authorization is not None:
            key = self._keys.find(authorization)
            if key is not None:
                return _Visitor(Caller(f"key:{key.name}", key.scopes, key.name), bool(key.scopes))
            self._audit.wrong_key(scope)
        peer = scope.get("client")
        address = client_address(
            peer[0] if peer else None, _text(headers.get(b"x-forwarded-for")), options.trusted_proxy_hops
        )
        if not options.auth_required:
            return _Visitor(Caller(f"ip:{address}", ALL_SCOPES), True)
        caller = self._sessions.caller_of_cookie(_text(headers.get(b"cookie")), address)
        if caller is not None:
            return _Visitor(caller, True, by_cookie=True)
        return _Visitor(Caller(f"ip:{address}", frozenset()), self._is_open(scope["path"], headers))

    def _is_open(self, path: str, headers: dict[bytes, bytes]) -> bool:
        """What strangers are answered: nothing that holds data."""
        if path in {TELEGRAM_PATH, SESSION_PATH} or is_dashboard(path):
            return True
        # Browsers are told the way to the dashboard there, and nothing else.
        is_redirect = self._options.has_dashboard and prefers_html(headers.get(b"accept", b""))
        return path == INDEX_PATH and is_redirect

    def _refusal(
        self, visitor: _Visitor, scope: Scope, headers: dict[bytes, bytes], exchange: _Exchange
    ) -> ServiceError | None:
        """The cheapest check first; guesses at keys are counted against the address they come from."""
        options, identity = self._options, visitor.caller.identity
        if self._total >= options.max_in_flight + PROBE_PLACES * (scope["path"] in PROBE_PATHS):
            return Overloaded()
        # A page of the dashboard is twenty files out of memory: they would use up what its figures need.
        if not is_dashboard(scope["path"]):
            verdict = exchange.verdict = self._limiter.check(identity, self._monotonic())
            if not verdict.allowed:
                detail = f"over {verdict.limit} requests per minute"
                return TooManyRequests(detail, verdict.retry_after_s)
        if self._in_flight[identity] >= options.max_in_flight_per_client:
            return TooManyAtOnce()
        if not visitor.is_known:
            return Unauthorized()
        if scope["method"] not in _SAFE_METHODS and not self._may_change(visitor, scope["path"], headers):
            return OriginRefused()
        if _declared_length(headers) > options.max_body_bytes:
            return BodyTooLarge(options.max_body_bytes)
        return None

    def _may_change(self, visitor: _Visitor, path: str, headers: dict[bytes, bytes]) -> bool:
        """Whether this is not another site's page using its visitor's browser.

        A browser says the origin of the page with every change, and no page can say another. Callers that are
        no browsers say none and prove themselves by a key; a cookie proves nothing without its page.
        """
        origin = _text(headers.get(b"origin"))
        if visitor.by_cookie:
            return is_allowed_origin(origin, self._options)
        # The MCP door has a list of its own.
        return origin is None or path == MCP_PATH or is_allowed_origin(origin, self._options)

    def _capped(self, exchange: _Exchange, receive: Receive) -> Receive:
        """Count the body while it is read: a chunked one declares no length."""

        async def capped() -> Message:
            message = await receive()
            exchange.received += len(message.get("body", b""))
            if exchange.received > self._options.max_body_bytes:
                raise BodyTooLarge(self._options.max_body_bytes)
            return message

        return capped

    def _answering(self, scope: Scope, exchange: _Exchange, send: Send) -> Send:
        policies = policy_headers(scope["path"])

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                if _is_endless(message):
                    exchange.begun_s = self._monotonic()
                headers = [*message.get("headers", ()), *self._static, *policies]
                headers.append((b"x-request-id", exchange.request_id))
                if exchange.verdict is not None:
                    headers += _rate_headers(exchange.verdict)
                message["headers"] = headers
            await send(message)

        return answering


def standing_headers(options: ApiOptions) -> tuple[tuple[bytes, bytes], ...]:
    """What every answer of this deployment carries, whatever it is."""
    data_mode = (DATA_MODE_HEADER.lower().encode(), options.data_mode.value.encode())
    return (*_BASE_HEADERS, data_mode, *((_HSTS,) if options.is_prod else ()))


def _is_endless(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def _without_body(send: Send) -> Send:
    async def bodiless(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bodiless


def _read_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers the edge needs; a repeated one is joined, as X-Forwarded-For and Cookie may be."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            between = b"; " if name == b"cookie" else b","
            found[name] = found[name] + between + value if name in found else value
    return found


def prefers_html(accept: bytes) -> bool:
    """True for browsers, whose Accept starts with text/html."""
    return accept.split(b",")[0].split(b";")[0].strip().lower() == b"text/html"


def _request_id(given: bytes | None) -> bytes:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8).encode()


def _rate_headers(verdict: Verdict) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"ratelimit-limit", b"%d" % verdict.limit),
        (b"ratelimit-remaining", b"%d" % verdict.remaining),
        (b"ratelimit-reset", b"%d" % verdict.reset_s),
    )


def _declared_length(headers: dict[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _known_method(scope: Scope) -> str:
    """Methods become metric labels, so an invented one must not make a new time series."""
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} else "OTHER"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
