"""Builds the CoinGlass adapter from plain settings, so that the composition root stays short.

Owns the order of the parts (quota, breaker, HTTP client, cache, envelope check). Reads no environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from app.services.coinglass.catalog import CALLS_PER_MINUTE, Plan, min_period_s
from app.services.coinglass.client import RefusalTolerantBreaker, build_check
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.provider import DEFAULT_EXCHANGES, CoinGlassProvider
from app.services.transport.cache import ResourceCache
from app.services.transport.circuit import BreakerState
from app.services.transport.connection import WAITS, Waits
from app.services.transport.http import ClientConfig, UpstreamClient
from app.services.transport.limits import Quota
from app.services.transport.planner import BudgetPlanner
from app.services.transport.records import CallRecord
from app.services.transport.resource import ResourceClient

API_KEY_HEADER = "CG-API-KEY"
# Answers of the catalogue kept at a time: up to a megabyte each, and every combination of parameters is one.
CATALOGUE_ENTRIES = 64
# Pages of a backfill kept at a time: each is read once.
HISTORY_PAGES = 8


def build_provider(
    *,
    api_key: str | None,
    base_url: str,
    cache: ResourceCache,
    observe: Callable[[CallRecord], None],
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    waits: Waits = WAITS,
    exchange_order: tuple[str, ...] = DEFAULT_EXCHANGES,
    liquidation_exchanges: tuple[str, ...] = DEFAULT_EXCHANGES,
    quota: Quota | None = None,
    watch: tuple[str, ...] = (),
    plans_ahead: bool = False,
    on_breaker_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> CoinGlassProvider:
    """The adapter, or one that is "not configured" when `api_key` is empty.

    quota: an own instance, for processes that share a budget. watch: coins to keep warm. plans_ahead: spend
    the background share of the budget on what is wanted. `sleep` and `transport` are for tests.
    """
    resources = catalogue = histories = planner = None
    if api_key:
        config = ClientConfig(
            provider=PROVIDER,
            base_url=base_url,
            headers={API_KEY_HEADER: api_key},
            secrets=(api_key,),
            now_ms=now_ms,
            waits=waits,
        )
        # The smallest plan's budget until the account or a usage header says more.
        smallest = CALLS_PER_MINUTE[Plan.HOBBYIST]
        quota = quota or Quota(PROVIDER, calls=smallest, window_s=60.0, monotonic=monotonic, sleep=sleep)
        client = UpstreamClient(
            config,
            breaker=RefusalTolerantBreaker(PROVIDER, monotonic=monotonic, on_change=on_breaker_change),
            quota=quota,
            observe=observe,
            monotonic=monotonic,
            sleep=sleep,
            transport=transport,
        )
        check = build_check(quota)
        resources = ResourceClient(client, cache, check=check)
        if plans_ahead:
            planner = BudgetPlanner(resources, quota, min_period_s=min_period_s, monotonic=monotonic)
            resources.planner = planner
        catalogue = ResourceClient(client, cache.sibling(max_entries=CATALOGUE_ENTRIES), check=check)
        histories = ResourceClient(client, cache.sibling(max_entries=HISTORY_PAGES), check=check)
    return CoinGlassProvider(
        resources,
        catalogue=catalogue,
        histories=histories,
        planner=planner,
        watch=watch,
        now_ms=now_ms,
        monotonic=monotonic,
        exchange_order=exchange_order,
        liquidation_exchanges=liquidation_exchanges,
    )
