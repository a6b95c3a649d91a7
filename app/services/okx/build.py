"""Assembles the OKX provider. Called by bootstrap and by tests; names no setting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from app.services.okx.budget import RATE_WINDOW_S, OkxQuota
from app.services.okx.client import PROVIDER, check_answer
from app.services.okx.provider import OkxProvider
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState, CircuitBreaker
from app.services.transport.connection import WAITS, Waits
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.records import CallRecord
from app.services.transport.resource import ResourceClient

# Pages of a backfill kept at a time: each is read once.
HISTORY_PAGES = 8


def build_provider(
    *,
    base_url: str,
    cache: ResourceCache,
    observe: Callable[[CallRecord], None],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    waits: Waits = WAITS,
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    max_liquidation_pages: int = 30,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> OkxProvider:
    """OKX public REST at `base_url`, no key; `sleep` and `transport` are for tests."""
    client = UpstreamClient(
        ClientConfig(
            provider=PROVIDER, base_url=base_url, retry_after_s=RATE_WINDOW_S, now_ms=now_ms, waits=waits
        ),
        breaker=CircuitBreaker(PROVIDER, monotonic=monotonic, on_change=on_breaker_change),
        quota=OkxQuota(monotonic=monotonic, sleep=sleep),
        observe=observe,
        monotonic=monotonic,
        sleep=sleep,
        transport=transport,
    )
    resources = ResourceClient(client, cache, check=check_answer)
    histories = ResourceClient(client, cache.sibling(max_entries=HISTORY_PAGES), check=check_answer)
    return OkxProvider(resources, now_ms, max_liquidation_pages=max_liquidation_pages, histories=histories)
