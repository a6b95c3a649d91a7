"""Plain records of the transport: what a provider answered, what a call cost, how a provider is doing.

No I/O and no clock of its own. Filled by `http.UpstreamClient`; read by provider adapters (status) and by
the metrics callback. Nothing here holds a secret, a header we sent or a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.core.errors import ProviderError

# These are answers about the request, not about the provider: it is up and it understood us.
ANSWERED_CODES = frozenset({"no_data", "not_in_plan"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete HTTP answer, body decoded (gzip removed) and within the size cap.

    headers: lower-case names. elapsed_ms: from sending to the last byte, waits for quota not included.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One `UpstreamClient.get`, for metrics.

    outcome: `ok`, an error code, or `aborted` (the caller went away). status: of the last answer, None when
    there was none. elapsed_ms: all attempts and waits. attempts: HTTP requests sent, 0 when breaker or quota
    refused.
    """

    provider: str
    endpoint: str
    outcome: str
    status: int | None
    elapsed_ms: float
    attempts: int


@dataclass(slots=True)
class ClientHealth:
    """Running health of one provider."""

    now_ms: Callable[[], int] = field(repr=False)
    last_success_ms: int | None = None
    last_error: str | None = None
    last_error_code: str | None = None

    def succeeded(self) -> None:
        """The provider answered as contracted: the last error is history."""
        self.last_success_ms = self.now_ms()
        self.last_error = self.last_error_code = None

    def failed(self, error: ProviderError) -> None:
        """Remember `error` (its detail is already redacted); "no data" and "not in plan" are successes."""
        if error.code in ANSWERED_CODES:
            self.succeeded()
            return
        self.last_error_code = error.code
        self.last_error = f"{error.code} at {error.endpoint}: {error.detail}"

    def state(self, breaker_state: str, *, is_partly_open: bool) -> str:
        """One of `ok`, `unused`, `degraded`, `down`, `auth_failed` (the words of `ProviderState`)."""
        if self.last_error_code == "auth_failed":
            return "auth_failed"
        if breaker_state == "open":
            return "down"
        if self.last_error_code is not None or is_partly_open:
            return "degraded"
        return "unused" if self.last_success_ms is None else "ok"
