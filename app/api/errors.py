"""Errors that exist only at the HTTP edge, in the same shape as the rest of the tree.

Raised by routes and the edge middleware, rendered by `app.api.problems` like every `ServiceError`.
refused_as: the word under which those are counted that turn a caller away.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import randrange

from app.core.errors import ServiceError

# Callers that an overloaded process refused together should not come back together.
MAX_WAIT_S = 3


class Unauthorized(ServiceError):
    """No key, or not one of ours."""

    code = "unauthorized"
    http_status = 401
    refused_as = "unauthorized"

    def __init__(self, detail: str = "a valid key is needed: Authorization: Bearer <key>") -> None:
        super().__init__(detail)


class MissingScope(ServiceError):
    """The key is valid but may not do this."""

    code = "missing_scope"
    http_status = 403
    refused_as = "scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this key lacks the scope {str(scope)!r}")


class UnknownAlert(ServiceError):
    """No alert of this id is kept."""

    code = "unknown_alert"
    http_status = 404

    def __init__(self) -> None:
        super().__init__(
            "no alert of this id is kept; it was never made here, or is older than alerts are kept"
        )


class NoDashboard(ServiceError):
    """This process was started without a built dashboard."""

    code = "no_dashboard"
    http_status = 404

    def __init__(self) -> None:
        super().__init__(
            "the dashboard is not built here: `make web` builds it (Node 20.19 or newer and npm), "
            "then start the service again"
        )


class NoSuchFile(ServiceError):
    """The dashboard has no file of this name."""

    code = "not_found"
    http_status = 404

    def __init__(self) -> None:
        super().__init__("the dashboard has no such file")


class IdempotencyMismatch(ServiceError):
    """A key of the caller's own was used for another write before."""

    code = "idempotency_mismatch"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for another route or body; every write needs its own")


class BodyTooLarge(ServiceError):
    """The request body is over the cap."""

    code = "body_too_large"
    http_status = 413
    refused_as = "body"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"request bodies are limited to {max_bytes} bytes")


class BodyTooSlow(ServiceError):
    """The rest of the request body did not come."""

    code = "body_too_slow"
    http_status = 408
    refused_as = "body"

    def __init__(self, within_s: float) -> None:
        super().__init__(f"the request body did not arrive within {within_s:g} s")


class Unreadable(ServiceError):
    """What was sent is no HTTP request."""

    code = "invalid_request"
    http_status = 400
    refused_as = "malformed"

    def __init__(self) -> None:
        super().__init__("this is no HTTP/1.1 request that can be read")


class HeadTooLarge(ServiceError):
    """Request line and headers are over the cap."""

    code = "head_too_large"
    http_status = 431
    refused_as = "malformed"

    def __init__(self) -> None:
        super().__init__("request line and headers are limited to 64 kB")


class HeadTooSlow(ServiceError):
    """The rest of the request line and headers did not come."""

    code = "head_too_slow"
    http_status = 408
    refused_as = "malformed"

    def __init__(self) -> None:
        super().__init__("request line and headers did not arrive in time")


class TooManyRequests(ServiceError):
    """The caller is over its rate; try again in `retry_after_s` seconds."""

    code = "rate_limited"
    http_status = 429
    retryable = True
    refused_as = "rate_limit"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class TooManyAtOnce(TooManyRequests):
    """The caller has too many requests open."""

    refused_as = "client_concurrency"

    def __init__(self) -> None:
        super().__init__("too many requests open at once", 1)


class Overloaded(ServiceError):
    """The process answers as many requests as it can hold; refused at once instead of queued."""

    code = "overloaded"
    http_status = 503
    refused_as = "overload"
    retryable = True

    def __init__(self) -> None:
        super().__init__("too many requests in progress; try again after a moment")
        self.retry_after_s = randrange(1, MAX_WAIT_S + 1)  # noqa: S311 - spreads callers, keeps no secret


class TooManyClients(ServiceError):
    """As many live clients as this process, or one address, may have."""

    code = "too_many_clients"
    http_status = 503
    retryable = True
    retry_after_s = 10

    def __init__(self) -> None:
        super().__init__("too many live clients; try again later, or ask the routes")


class WrongHost(ServiceError):
    """The MCP door was called under a name that is not on its list."""

    code = "wrong_host"
    http_status = 421

    def __init__(self) -> None:
        super().__init__("not served under this Host; see PUBLIC_URL and MCP_ALLOWED_HOSTS")


class WrongOrigin(ServiceError):
    """A page of an origin that is not on the list called the MCP door."""

    code = "wrong_origin"
    http_status = 403
    refused_as = "origin"

    def __init__(self) -> None:
        super().__init__("not served to this Origin; see MCP_ALLOWED_ORIGINS")


class OriginRefused(ServiceError):
    """A page of an origin that is not on the list, or a session without one, tried to change something."""

    code = "origin_refused"
    http_status = 403
    refused_as = "origin"

    def __init__(self) -> None:
        super().__init__("changes are not taken from pages of this Origin; see PUBLIC_URL and CORS_ORIGINS")


class WrongMediaType(ServiceError):
    """A message to the MCP door is not JSON by its header."""

    code = "wrong_media_type"
    http_status = 415

    def __init__(self) -> None:
        super().__init__("send Content-Type: application/json")


class McpUnavailable(ServiceError):
    """The MCP door is opening or closing with the process, or could not be opened."""

    code = "mcp_unavailable"
    http_status = 503
    retryable = True
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("the MCP server does not run now")


class NotReady(ServiceError):
    """No price can be served; names each provider's state."""

    code = "not_ready"
    http_status = 503
    retryable = True
    retry_after_s = 5

    def __init__(self, states: Iterable[str]) -> None:
        super().__init__(f"no provider can serve a price now ({'; '.join(states) or 'no provider'})")
