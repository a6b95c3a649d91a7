"""One HTTP client per provider for the life of the process: deadlines, retries, quota, breaker, redaction.

`get` either returns a checked answer or raises a `ProviderError` whose text holds no secret and no URL.
Knows no provider: the envelope check is passed in. Called by `resource.ResourceClient`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx2
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from app.core.errors import (
    InvariantViolation,
    ProviderBadPayload,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.services.transport.body import (
    BodyCutShort,
    BodyDamaged,
    BodyTooLarge,
    BoundedBody,
    BudgetUsedUp,
)
from app.services.transport.circuit import CircuitBreaker, Permit
from app.services.transport.connection import ClientConfig, build_http_client
from app.services.transport.faults import provider_fault
from app.services.transport.limits import Quota
from app.services.transport.records import Answer, CallRecord, ClientHealth
from app.services.transport.redact import Redactor
from app.services.transport.refusals import Refusals
from app.services.transport.seats import Seats
from app.services.transport.status import parse_retry_after

__all__ = ["Answer", "CallRecord", "ClientConfig", "ClientHealth", "UpstreamClient"]

# Symbols may become path segments: nothing that could leave the path, open a query or climb up passes.
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+/?")
# Full jitter: uniform between 0 and 0.1, 0.2, 0.4 ... at most 1 s.
_JITTER = wait_random_exponential(multiplier=0.1, max=1.0)


@dataclass(slots=True)
class _Call:
    """State of one `get` over its attempts."""

    path: str
    params: Mapping[str, str | int]
    endpoint: str
    check: Callable[[Answer], None]
    deadline_s: float
    # Nobody waits for it: it leaves the reserve of the budget alone.
    is_background: bool = False
    attempts: int = 0
    status: int | None = None
    # Our own congestion (quota, connections, memory): trying again in a moment would only add to it.
    is_our_jam: bool = False
    # The last thing the provider itself did wrong.
    failure: ProviderError | None = None

    @property
    def interval(self) -> str | None:
        """The bar size asked for; plans are limited by it."""
        interval = self.params.get("interval")
        return None if interval is None else str(interval)


class UpstreamClient:
    """`get` is safe to call from many tasks at once; nothing is built per call but the request."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        breaker: CircuitBreaker,
        quota: Quota,
        observe: Callable[[CallRecord], None],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.provider = config.provider
        self.breaker = breaker
        self.quota = quota
        self.health = ClientHealth(config.now_ms)
        self.refusals = Refusals(config.provider, has_key=bool(config.secrets), monotonic=monotonic)
        self._config = config
        self._observe = observe
        self._monotonic = monotonic
        self._sleep = sleep
        self._redactor = Redactor(config.secrets)
        self._seats = Seats(config.max_connections)
        self._http = build_http_client(config, transport)

    def state(self) -> str:
        """The provider's state in one word, as `ProviderState` spells it."""
        return self.health.state(self.breaker.state, is_partly_open=self.breaker.is_partly_open)

    async def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        *,
        endpoint: str,
        check: Callable[[Answer], None],
        background: bool = False,
    ) -> Answer:
        """GET `path` until `check` accepts the answer, retries are used up or the time is.

        Args: path: below the base URL, plain segments only. endpoint: our id of it. check: raises the
            `ProviderError` that the envelope means. background: made ahead of any question.
        Raises: `ProviderError`. `InvariantViolation` for a path that is not plain.
        """
        if _PATH.fullmatch(path) is None:
            raise InvariantViolation(f"{self.provider} {endpoint}: path has characters that are not allowed")
        started_s = self._monotonic()
        call = _Call(path, params, endpoint, check, started_s + self._config.total_s, background)
        outcome = "aborted"
        try:
            self.refusals.ensure_allowed(endpoint, call.interval)
            answer = await self._with_retries(call)
            outcome = "ok"
            self.health.succeeded()
            return answer
        except ProviderError as error:
            outcome = error.code
            if call.failure is not None:
                self.health.failed(call.failure)
            raise
        finally:
            elapsed_ms = (self._monotonic() - started_s) * 1000
            self._observe(
                CallRecord(self.provider, endpoint, outcome, call.status, elapsed_ms, call.attempts)
            )

    def rejected(self, error: ProviderError) -> None:
        """An accepted answer turned out to be unusable when it was parsed: show it in the health."""
        _redact(error, self._redactor)
        self.health.failed(error)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _with_retries(self, call: _Call) -> Answer:
        def may_retry(state: RetryCallState) -> bool:
            error = _error_of(state)
            return (
                isinstance(error, ProviderError)
                and error.retryable
                and not call.is_our_jam
                and self.breaker.allows(call.endpoint)
            )

        def must_stop(state: RetryCallState) -> bool:
            is_late = self._monotonic() + state.upcoming_sleep >= call.deadline_s
            return is_late or call.attempts >= self._config.attempts

        retrying = AsyncRetrying(
            retry=may_retry, stop=must_stop, wait=_wait_s, sleep=self._sleep, reraise=True
        )
        answer: Answer = await retrying(self._attempt, call)
        return answer

    async def _attempt(self, call: _Call) -> Answer:
        self.breaker.ensure_allowed(call.endpoint)
        try:
            patience_s = self._patience_s(call)
            slot = await self.quota.acquire(call.endpoint, patience_s, background=call.is_background)
        except ProviderRateLimited:
            call.is_our_jam = True
            raise
        is_sent = False
        try:
            await self._take_seat(call)
            try:
                # Again, without waiting in between: the breaker may have opened while we queued.
                permit = self.breaker.enter(call.endpoint)
                is_sent = True
                return await self._guarded(call, permit)
            finally:
                self._seats.give(call.endpoint)
        finally:
            self.quota.release(slot, sent=is_sent)

    def _patience_s(self, call: _Call) -> float:
        # Half of what is left: what comes at the last moment would only buy a timeout.
        return max(0.0, call.deadline_s - self._monotonic()) / 2

    async def _take_seat(self, call: _Call) -> None:
        try:
            await self._seats.take(call.endpoint, self._patience_s(call))
            return
        except TimeoutError:
            call.is_our_jam = True
        raise ProviderTimeout(self.provider, call.endpoint, "no free connection in time")

    async def _guarded(self, call: _Call, permit: Permit) -> Answer:
        try:
            answer = await self._request(call)
            self._checked(call, answer)
        except ProviderError as error:
            _redact(error, self._redactor)
            self._note_failure(call, permit, error)
            raise
        else:
            self.refusals.succeeded(call.endpoint, call.interval)
            self.breaker.settle(permit, None, answered=True)
            return answer
        finally:
            # Cancelled, or a bug in the check: nothing learned, but the next call may probe.
            self.breaker.release(permit)

    def _note_failure(self, call: _Call, permit: Permit, error: ProviderError) -> None:
        if call.is_our_jam:
            return  # says nothing about the provider
        call.failure = error
        self.refusals.remember(call.endpoint, call.interval, error)
        is_outage = not self._is_our_fault(call, error)
        self.breaker.settle(permit, error if is_outage else None, answered=call.status is not None)

    def _checked(self, call: _Call, answer: Answer) -> None:
        try:
            call.check(answer)
        except ProviderError as error:
            if error.retry_after_s is None:
                header = answer.headers.get("retry-after")
                error.retry_after_s = parse_retry_after(header, self._config.wall_ms())
            if isinstance(error, ProviderRateLimited):
                if error.retry_after_s is None:
                    error.retry_after_s = self._config.retry_after_s
                self.quota.pause(error.retry_after_s)
            raise

    @staticmethod
    def _is_our_fault(call: _Call, error: ProviderError) -> bool:
        # A refused request (400, 404, 422) shows a provider that is up; asking nonsense must not open it.
        return isinstance(error, ProviderBadPayload) and call.status is not None and 400 <= call.status < 500

    async def _request(self, call: _Call) -> Answer:
        call.attempts += 1
        call.status = None
        started_s = self._monotonic()
        failure: ProviderError
        try:
            async with asyncio.timeout(max(0.0, call.deadline_s - started_s)):
                status, headers, body = await self._exchange(call)
            return Answer(status, headers, body, (self._monotonic() - started_s) * 1000)
        except TimeoutError:
            failure = ProviderTimeout(self.provider, call.endpoint, "no complete answer before the deadline")
        except (BodyTooLarge, BodyDamaged) as damage:
            call.is_our_jam = isinstance(damage, BudgetUsedUp)
            failure = ProviderBadPayload(self.provider, call.endpoint, str(damage))
        except BodyCutShort:
            failure = ProviderUnavailable(self.provider, call.endpoint, "answer cut short")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            call.is_our_jam = isinstance(error, httpx2.PoolTimeout)
            failure = provider_fault(self.provider, call.endpoint, error)
        # Raised out here on purpose: the library's error, reachable by `__context__`, carries the request
        # with its URL and headers.
        raise failure

    async def _exchange(self, call: _Call) -> tuple[int, dict[str, str], bytes]:
        limit = self._config.max_bytes
        async with self._http.stream("GET", call.path, params=dict(call.params)) as response:
            call.status = response.status_code
            declared = response.headers.get("content-length", "")
            if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
                raise BodyTooLarge(f"answer larger than {limit} bytes")
            headers = dict(response.headers.items())
            with BoundedBody(headers.get("content-encoding", ""), limit) as body:
                if response.is_stream_consumed:  # a transport that hands over the whole body, decoded (mocks)
                    return response.status_code, headers, response.content
                async for chunk in response.aiter_raw():
                    body.feed(chunk)
                return response.status_code, headers, body.finish()


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _wait_s(state: RetryCallState) -> float:
    error = _error_of(state)
    told_s = error.retry_after_s if isinstance(error, ProviderError) else None
    jitter_s = _JITTER(state)
    return jitter_s if told_s is None else told_s + jitter_s


def _redact(error: ProviderError, redactor: Redactor) -> None:
    """Clean an error in place: envelope checks quote what the provider wrote, which may quote us."""
    error.detail = redactor.detail(error.detail)
    error.args = (f"{error.provider} {error.endpoint}: {error.detail}",)
