"""How the provider and its market groups read OKX: within the budget of the coin, and only coins it lists.

Also joins what several answers say into one `Fetched`. Knows no endpoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.core.ports import Fetched
from app.services.okx.budget import spending_for
from app.services.okx.client import NotListed
from app.services.okx.listings import Listings
from app.services.okx.parse import require_past
from app.services.transport.cache import Cached
from app.services.transport.resource import Resource, ResourceClient

T = TypeVar("T")


class Reader:
    """Fetches resources about one coin."""

    def __init__(self, resources: ResourceClient, listings: Listings) -> None:
        self._resources = resources
        self._listings = listings

    async def fetch(self, symbol: Symbol, resource: Resource[T]) -> Cached[T]:
        """Raises: `ProviderError` when there is neither an answer nor an old value young enough."""
        with spending_for(symbol.base):
            return await self._resources.fetch(resource)

    async def try_fetch(self, symbol: Symbol, resource: Resource[T]) -> Cached[T] | ProviderError:
        """Like `fetch`, for one of several answers that may be missing: its error is what it is."""
        try:
            return await self.fetch(symbol, resource)
        except ProviderError as error:
            return error

    def guarded(
        self, endpoint: str, fetch: Callable[[Symbol], Awaitable[T]]
    ) -> Callable[[Symbol], Awaitable[T]]:
        """`fetch`, refused without a call for symbols known not to be listed."""

        async def guarded(symbol: Symbol) -> T:
            await self._listings.require(symbol, endpoint)
            try:
                return await fetch(symbol)
            except NotListed:
                self._listings.refuse(symbol)
                raise

        return guarded


def join_answers(value: T, endpoint: str, ts_event_ms: int, cached: Sequence[Cached[Any]]) -> Fetched[T]:
    """Several answers make one fact: it is as stale as the stalest and as late as the last of them.

    Raises: `ProviderBadPayload` for a fact from the future.
    """
    require_past(ts_event_ms, max(answer.fetched_ms for answer in cached), endpoint)
    states = {answer.state for answer in cached}
    state = next(state for state in ("stale", "miss", "hit") if state in states)
    return Fetched(
        value=value,
        endpoint=endpoint,
        ts_event_ms=ts_event_ms,
        ts_init_ms=max(answer.fetched_ms for answer in cached),
        cache=CacheState(state),
    )
