"""Assembles the LunarCrush and alternative.me providers. Called by bootstrap and tests; names no setting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from app.services.sentiment.client import (
    ALTERNATIVE_ME,
    LUNARCRUSH,
    check_alternative_me,
    check_lunarcrush,
)
from app.services.sentiment.fear_greed import AlternativeMeProvider
from app.services.sentiment.lunarcrush import LunarCrushProvider
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState, CircuitBreaker
from app.services.transport.connection import WAITS, Waits
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.records import CallRecord
from app.services.transport.resource import ResourceClient

_MINUTE_S = 60.0


def build_lunarcrush(
    *,
    api_key: str | None,
    base_url: str,
    cache: ResourceCache,
    observe: Callable[[CallRecord], None],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    waits: Waits = WAITS,
    calls_per_minute: int = 10,
    quota: Quota | None = None,
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> LunarCrushProvider:
    """LunarCrush with `api_key`, or the not-configured provider.

    calls_per_minute: 10 on the Individual plan, 100 on Builder. quota: an own instance, for processes that
    share a budget. `sleep` and `transport` are for tests.
    """
    if not api_key:
        return LunarCrushProvider(None, now_ms)
    quota = quota or Quota(
        LUNARCRUSH, calls=calls_per_minute, window_s=_MINUTE_S, monotonic=monotonic, sleep=sleep
    )
    client = UpstreamClient(
        ClientConfig(
            provider=LUNARCRUSH,
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            secrets=(api_key,),
            # Every retry costs one of ten calls.
            attempts=2,
            # 429 comes without Retry-After.
            retry_after_s=_MINUTE_S,
            now_ms=now_ms,
            waits=waits,
        ),
        breaker=CircuitBreaker(LUNARCRUSH, monotonic=monotonic, on_change=on_breaker_change),
        quota=quota,
        observe=observe,
        monotonic=monotonic,
        sleep=sleep,
        transport=transport,
    )
    return LunarCrushProvider(ResourceClient(client, cache, check=check_lunarcrush), now_ms)


def build_alternative_me(
    *,
    base_url: str,
    cache: ResourceCache,
    observe: Callable[[CallRecord], None],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    waits: Waits = WAITS,
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AlternativeMeProvider:
    """alternative.me, public. `sleep` and `transport` are for tests."""
    client = UpstreamClient(
        ClientConfig(provider=ALTERNATIVE_ME, base_url=base_url, now_ms=now_ms, waits=waits),
        breaker=CircuitBreaker(ALTERNATIVE_ME, monotonic=monotonic, on_change=on_breaker_change),
        quota=Quota(ALTERNATIVE_ME, calls=60, window_s=_MINUTE_S, monotonic=monotonic, sleep=sleep),
        observe=observe,
        monotonic=monotonic,
        sleep=sleep,
        transport=transport,
    )
    return AlternativeMeProvider(ResourceClient(client, cache, check=check_alternative_me), now_ms)
