"""CoinAPI as a provider: the spot price, last in the order. Implements `core.ports.Provider`.

Without a key it offers nothing and says so. Every call costs one credit. Built by build.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from app.core.domain.context import Capability
from app.core.domain.market import MAX_AHEAD_MS, MarketReading, Price, Unit
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderState, ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderBadPayload, ProviderError, ProviderNotConfigured
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.spot.client import PROVIDER, CreditMeter
from app.services.spot.parse import ENDPOINT, parse_rate
from app.services.transport.cache import Cached, Freshness
from app.services.transport.resource import Resource, ResourceClient

# Asked only when exchanges fail. A price older than a minute does not count.
_FRESHNESS = Freshness(fresh_ms=1_000, error_ms=30_000)


class CoinApiProvider:
    """Spot exchange rates in USD."""

    name = PROVIDER

    def __init__(self, resources: ResourceClient | None, credits_: CreditMeter) -> None:
        """resources: None when no key is set."""
        self._resources = resources
        self._credits = credits_

    def sources(self) -> tuple[Source, ...]:
        if self._resources is None:
            return ()
        return (Source(Capability.PRICE, PROVIDER, ENDPOINT, self.fetch_price),)

    def probes(self) -> tuple[Probe, ...]:
        """The spot rate, so that a key can be tried without waiting for the exchanges to fail."""
        if self._resources is None:
            return ()
        return (Probe("spotRate", PROVIDER, ENDPOINT, self._probe_rate),)

    def views(self) -> tuple[ViewSource, ...]:
        """None: spot has no derivatives."""
        return ()

    async def start(self) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        if self._resources is not None:
            await self._resources.aclose()

    def known_bases(self) -> frozenset[str]:
        """Unknown: the asset list costs credits and names thousands of dead coins."""
        return frozenset()

    def status(self) -> ProviderStatus:
        if self._resources is None:
            return ProviderStatus(
                PROVIDER, ProviderState.NOT_CONFIGURED, None, None, "closed", None, None, None
            )
        client = self._resources.client
        return ProviderStatus(
            provider=PROVIDER,
            state=ProviderState(client.state()),
            last_success_ms=client.health.last_success_ms,
            last_error=client.health.last_error,
            breaker=client.breaker.state,
            plan=None,
            quota_left=self._credits.left,
            quota_limit=self._credits.limit,
        )

    async def fetch_price(self, symbol: Symbol) -> Fetched[Price]:
        """Spot price in USD, at the time CoinAPI gives it. Raises: `ProviderError`."""
        found = await self._rate(symbol)
        price, ts_ms = found.value
        if ts_ms > found.fetched_ms + MAX_AHEAD_MS:
            raise ProviderBadPayload(PROVIDER, ENDPOINT, "a time is in the future")
        return Fetched(price, ENDPOINT, ts_ms, found.fetched_ms, CacheState(found.state))

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """Nothing beyond the price: each call costs a credit."""
        return {}

    async def _probe_rate(self, symbol: Symbol) -> Fetched[tuple[MarketReading, ...]]:
        found = await self.fetch_price(symbol)
        reading = MarketReading("spotRateUsd", found.value.price_usd, Unit.USD)
        return Fetched((reading,), ENDPOINT, found.ts_event_ms, found.ts_init_ms, found.cache)

    async def _rate(self, symbol: Symbol) -> Cached[tuple[Price, int]]:
        if self._resources is None:
            raise ProviderNotConfigured(PROVIDER, ENDPOINT, "no key set")
        return await self._resources.fetch(
            Resource(
                endpoint=ENDPOINT,
                path=f"/v1/exchangerate/{symbol.base}/USD",
                params={},
                parse=partial(parse_rate, base=symbol.base),
                freshness=lambda _rate, _fetched_ms: _FRESHNESS,
            )
        )
