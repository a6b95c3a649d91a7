"""Which USDT swaps OKX lists and how many coins one contract is; remembers what it refused.

Loaded at start and refreshed once a day behind the callers. Owns no parsing. Called by provider.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from cachetools import TTLCache

from app.core.domain.market import DAY_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.services.okx.client import PROVIDER, NotListed
from app.services.okx.parse import parse_instruments
from app.services.transport.cache import Cached, Freshness
from app.services.transport.resource import Resource, ResourceClient

ENDPOINT = "public_instruments"
# Contract sizes hardly ever change: a day fresh, a day more while refreshing, a week when OKX fails.
_FRESHNESS = Freshness(fresh_ms=DAY_MS, revalidate_ms=DAY_MS, error_ms=7 * DAY_MS)
_REFUSED_FOR_MS = DAY_MS
_RETRY_MS = 60_000
# Only symbols that passed the allow-list come here, but without a list anyone can invent them.
_MAX_REFUSED = 1024


def inst_id(symbol: Symbol) -> str:
    """OKX's id of the USDT-margined perpetual: BTC-USDT-SWAP."""
    return f"{symbol.base}-USDT-SWAP"


def inst_family(symbol: Symbol) -> str:
    """The family liquidation orders are asked by: BTC-USDT."""
    return f"{symbol.base}-USDT"


class Listings:
    """The listed bases with their contract sizes."""

    def __init__(self, resources: ResourceClient, now_ms: Callable[[], int]) -> None:
        self._resources = resources
        self._now_ms = now_ms
        self._sizes: Mapping[str, float] = {}
        self._refused: TTLCache[str, None] = TTLCache(_MAX_REFUSED, _REFUSED_FOR_MS, timer=now_ms)
        self._has_failed = False
        self._retried_ms: int | None = None
        self._retry: asyncio.Task[None] | None = None

    def bases(self) -> frozenset[str]:
        """Listed bases; empty while unknown."""
        return frozenset(self._sizes)

    async def load(self) -> None:
        """Load or refresh the list (cached for a day). Raises: `ProviderError`."""
        try:
            self._sizes = (await self.listed()).value
        except ProviderError:
            self._has_failed = True
            raise

    async def listed(self) -> Cached[Mapping[str, float]]:
        """Coins per contract by base. Raises: `ProviderError`."""
        return await self._resources.fetch(
            Resource(
                endpoint=ENDPOINT,
                path="/api/v5/public/instruments",
                params={"instType": "SWAP"},
                parse=parse_instruments,
                freshness=lambda _sizes, _fetched_ms: _FRESHNESS,
            )
        )

    def close(self) -> None:
        """Stop a load that runs behind."""
        if self._retry is not None:
            self._retry.cancel()

    async def require(self, symbol: Symbol, endpoint: str) -> None:
        """Raise `NotListed` for a symbol OKX does not list, without asking OKX again.

        While the list is unknown everything passes, and the answer 51001 decides; a load that failed is
        tried again by the next use, at most once a minute, and nobody waits for it.
        """
        if self._sizes:
            await self._refresh()
            if symbol.base not in self._sizes:
                raise NotListed(PROVIDER, endpoint, "not listed on OKX")
            return
        self._retry_behind()
        if symbol.base in self._refused:
            raise NotListed(PROVIDER, endpoint, "not listed on OKX")

    def refuse(self, symbol: Symbol) -> None:
        """OKX said 51001: do not ask for this symbol for a day."""
        self._refused[symbol.base] = None

    async def contract_base(self, symbol: Symbol) -> float:
        """Coins per contract. Raises: `NotListed`, or the `ProviderError` of loading the list."""
        if not self._sizes:
            await self.load()
        size = self._sizes.get(symbol.base)
        if size is None:
            raise NotListed(PROVIDER, ENDPOINT, "not listed on OKX")
        return size

    def _retry_behind(self) -> None:
        now_ms = self._now_ms()
        is_soon = self._retried_ms is not None and abs(now_ms - self._retried_ms) < _RETRY_MS
        if is_soon or not self._has_failed:
            return
        self._retried_ms = now_ms
        self._retry = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            await self.load()
        except ProviderError:
            return  # an old list is still a list; health shows the failed call
