"""CoinGlass calls: what an answer means (envelope check) and whether to ask at all (plan).

`check_envelope` turns every non-success, also those inside an HTTP 200, into our errors. HTTP, retries,
quota, cache and the memory of refusals belong to the transport; parsing to `parse*`.
Source: CoinGlass error pages and observed answers, 2025-10 to 2026-09.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from app.services.coinglass import wire
from app.services.coinglass.access import Access
from app.services.coinglass.catalog import ENDPOINTS
from app.services.coinglass.parse import PROVIDER
from app.services.transport.cache import Cached, Freshness
from app.services.transport.circuit import CircuitBreaker, Permit
from app.services.transport.json_faults import ends_early
from app.services.transport.records import Answer
from app.services.transport.resource import Resource, ResourceClient

T = TypeVar("T")

# Another process that fetched the very same page this short ago has done it for us.
_NEW_ENOUGH_MS = 60_000
_OUTCOME = msgspec.json.Decoder(wire.Outcome, strict=False)
_SUCCESS = "0"
_PLAN_CODES = frozenset({"401", "403", "40001"})
_BAD_REQUEST_CODES = frozenset({"400", "30001"})
_REFUSED_CODES = _BAD_REQUEST_CODES | {"404", "422"}


class RequestRefused(ProviderBadPayload):
    """Our request was refused (400, 404, 422, also inside an HTTP 200): the provider itself is up."""


class RefusalTolerantBreaker(CircuitBreaker):
    """Refused requests close it like any answer, as HTTP 4xx do: asking nonsense must not open it."""

    def settle(self, permit: Permit, error: ProviderError | None, *, answered: bool) -> None:
        is_refused = isinstance(error, RequestRefused)
        super().settle(permit, None if is_refused else error, answered=answered)


def check_envelope(endpoint: str, answer: Answer) -> None:
    """Pass only HTTP 200 with body code 0.

    Raises:
        ProviderPlanLimited: "Upgrade plan" under any code seen for it, or 403 with `upgrade_required`.
        ProviderAuthFailed: 401 otherwise, or a 400 that speaks of the API key.
        ProviderRateLimited: 429 as status or body code.
        ProviderTimeout, ProviderUnavailable: 408 and 5xx, as status or hidden in a 200 (retryable); an
            answer that ends early.
        RequestRefused: 400, 404 and 422, as status or body code.
        ProviderBadPayload: not an envelope, or any other code.
    """
    try:
        outcome = _OUTCOME.decode(answer.body)
    except (ValueError, RecursionError) as error:
        if answer.status == 200 and ends_early(error, answer.body):
            raise ProviderUnavailable(PROVIDER, endpoint, "answer cut short") from error
        if answer.status == 200:
            raise ProviderBadPayload(PROVIDER, endpoint, f"not an envelope: {error}") from error
        outcome = wire.Outcome(code=answer.status)
    code = str(outcome.code)
    if answer.status == 200 and code == _SUCCESS:
        return
    raise _refusal(endpoint, str(answer.status) if code == _SUCCESS else code, outcome, answer)


def _refusal(endpoint: str, code: str, outcome: wire.Outcome, answer: Answer) -> ProviderError:
    text = outcome.msg or outcome.message or ""
    lower = text.lower()
    if code in _PLAN_CODES and ("upgrade" in lower or _asks_upgrade(outcome.details)):
        return ProviderPlanLimited(PROVIDER, endpoint, "the plan of this key does not include it")
    if code in ("401", "403") or (code in _BAD_REQUEST_CODES and "api key" in lower):
        return ProviderAuthFailed(PROVIDER, endpoint, "the API key was refused or is missing")
    if "429" in (code, str(answer.status)):
        return ProviderRateLimited(PROVIDER, endpoint, "too many requests")
    if code == "408":
        return ProviderTimeout(PROVIDER, endpoint, "the provider took too long")
    if (code.isdigit() and 500 <= int(code) <= 599) or answer.status >= 500:
        return ProviderUnavailable(PROVIDER, endpoint, f"server fault, code {code[:8]}")
    kind = RequestRefused if code in _REFUSED_CODES else ProviderBadPayload
    return kind(PROVIDER, endpoint, f"refused with code {code[:8]}: {text[:120]}")


def _asks_upgrade(details: object) -> bool:
    return isinstance(details, dict) and "upgrade_required" in details


class UsageGauge(Protocol):
    """The part of the quota that usage headers feed."""

    def observe_usage(self, used: int | None, limit: int | None) -> None: ...


def build_check(quota: UsageGauge) -> Callable[[str, Answer], None]:
    """The envelope check, which also tells the quota what the usage headers say (refusals carry them too)."""

    def check(endpoint: str, answer: Answer) -> None:
        quota.observe_usage(
            _count(answer.headers, "api-key-use-limit"), _count(answer.headers, "api-key-max-limit")
        )
        check_envelope(endpoint, answer)

    return check


def _count(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    # Nine digits at most: a longer "count" is noise.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class CoinGlassClient:
    """Fetches one resource through cache and transport, unless the plan is known to lack it."""

    def __init__(self, resources: ResourceClient, access: Access) -> None:
        self._resources = resources
        self.access = access

    async def fetch(
        self,
        endpoint: str,
        params: Mapping[str, str | int],
        *,
        parse: Callable[[bytes], T],
        freshness: Callable[[T, int], Freshness],
        ahead: bool = True,
    ) -> Cached[T]:
        """The parsed answer of `endpoint`; one endpoint with the same params must always be parsed alike.

        ahead: whether the planner may renew it before the next question.

        Raises:
            ProviderPlanLimited, ProviderAuthFailed: also without a call, by the plan or a refusal remembered.
            ProviderError: what the transport, the envelope check or `parse` raised.
        """
        path = ENDPOINTS[endpoint].path
        return await self.fetch_resource(Resource(endpoint, path, params, parse, freshness, ahead))

    async def fetch_resource(self, resource: Resource[T]) -> Cached[T]:
        """The same for a resource at hand. Raises: as `fetch`."""
        interval = resource.params.get("interval")
        bars = str(interval) if interval is not None else None
        self.access.ensure_allowed(resource.endpoint, bars)
        return await self._resources.fetch(resource)

    async def fetch_behind(self, resource: Resource[T]) -> Cached[T]:
        """A resource nobody waits for: within the background share of the budget, and never kept waiting.

        Raises:
            ProviderRateLimited: that share is used up for now; with when to come back.
            ProviderError: as `fetch`.
        """
        interval = resource.params.get("interval")
        self.access.ensure_allowed(resource.endpoint, None if interval is None else str(interval))
        if self._resources.fresh_for_ms(self._resources.key(resource)) > 0:
            # The first half of a pair whose second half had to wait: asking again would spend the next call.
            return await self._resources.fetch(resource)
        return await self._resources.renew(resource, _NEW_ENOUGH_MS)

    @staticmethod
    def resource(
        endpoint: str,
        params: Mapping[str, str | int],
        *,
        parse: Callable[[bytes], T],
        freshness: Callable[[T, int], Freshness],
    ) -> Resource[T]:
        """What `fetch` asks for, to be asked ahead."""
        return Resource(endpoint, ENDPOINTS[endpoint].path, params, parse, freshness)
