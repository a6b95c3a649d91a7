"""Assembles the CoinAPI provider. Called by bootstrap and by tests; names no setting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from app.services.spot.client import PROVIDER, CreditMeter
from app.services.spot.provider import CoinApiProvider
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState, CircuitBreaker
from app.services.transport.connection import WAITS, Waits
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.records import CallRecord
from app.services.transport.resource import ResourceClient


def build_provider(
    *,
    api_key: str | None,
    base_url: str,
    cache: ResourceCache,
    observe: Callable[[CallRecord], None],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    waits: Waits = WAITS,
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> CoinApiProvider:
    """CoinAPI with `api_key`, or the not-configured provider. `sleep` and `transport` are for tests."""
    credits_ = CreditMeter(now_ms)
    if not api_key:
        return CoinApiProvider(None, credits_)
    client = UpstreamClient(
        ClientConfig(
            provider=PROVIDER,
            base_url=base_url,
            headers={"X-CoinAPI-Key": api_key},
            secrets=(api_key,),
            now_ms=now_ms,
            waits=waits,
            # The recorded answer states ten requests at a time.
            max_connections=10,
        ),
        breaker=CircuitBreaker(PROVIDER, monotonic=monotonic, on_change=on_breaker_change),
        quota=Quota(PROVIDER, monotonic=monotonic, sleep=sleep),
        observe=observe,
        monotonic=monotonic,
        sleep=sleep,
        transport=transport,
    )
    return CoinApiProvider(ResourceClient(client, cache, check=credits_.check), credits_)
