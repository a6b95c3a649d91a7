"""One provider's resources through one client and the process cache: what adapters call.

Owns the cache key and the order cache -> breaker -> quota -> HTTP -> envelope check -> parse. Knows no
provider. A `Resource` says where something is and how long it is good; the adapter writes those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from app.core.errors import ProviderError
from app.services.transport.cache import Cached, Freshness, ResourceCache
from app.services.transport.http import UpstreamClient
from app.services.transport.records import Answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """Something a provider can be asked for.

    endpoint: our id of the endpoint (metrics, errors). path: constant or with validated segments only.
    parse: pure, body to domain objects, raises `ProviderError`. freshness: (value, fetched_ms) -> how long.
    is_asked_ahead: whether a planner may renew it; not what hardly changes, such as a list of coins.
    """

    endpoint: str
    path: str
    params: Mapping[str, str | int]
    parse: Callable[[bytes], T]
    freshness: Callable[[T, int], Freshness]
    is_asked_ahead: bool = True


class Planner(Protocol):
    """Told about every question, so that it can ask ahead."""

    def asked(self, resource: Resource[Any], key: str) -> None: ...


class ResourceClient:
    """`fetch(resource)` answers from the cache or makes exactly one upstream call for all callers.

    `check(endpoint, answer)` is the provider's envelope check: it raises a `ProviderError` subclass.
    """

    def __init__(
        self, client: UpstreamClient, cache: ResourceCache, *, check: Callable[[str, Answer], None]
    ) -> None:
        self.client = client
        self.planner: Planner | None = None
        self._cache = cache
        self._check = check

    async def fetch(self, resource: Resource[T]) -> Cached[T]:
        """Raises: `ProviderError` when there is neither an answer nor an old value young enough."""
        key = self.key(resource)
        if self.planner is not None and resource.is_asked_ahead:
            self.planner.asked(resource, key)
        return await self._cache.fetch(
            key,
            load=partial(self._load, resource, background=False),
            parse=partial(self._parse, resource),
            freshness=resource.freshness,
        )

    async def renew(self, resource: Resource[T], max_age_ms: int) -> Cached[T]:
        """Ask ahead of any question, within the background share of the budget.

        A body another process fetched less than `max_age_ms` ago is taken over instead.

        Raises: `ProviderError`.
        """
        return await self._cache.renew(
            self.key(resource),
            load=partial(self._load, resource, background=True),
            parse=partial(self._parse, resource),
            freshness=resource.freshness,
            max_age_ms=max_age_ms,
        )

    def age_ms(self, key: str) -> int | None:
        """See `ResourceCache.age_ms`."""
        return self._cache.age_ms(key)

    def fresh_for_ms(self, key: str) -> int:
        """See `ResourceCache.fresh_for_ms`."""
        return self._cache.fresh_for_ms(key)

    async def _load(self, resource: Resource[T], *, background: bool) -> bytes:
        answer = await self.client.get(
            resource.path,
            resource.params,
            endpoint=resource.endpoint,
            check=lambda answer: self._check(resource.endpoint, answer),
            background=background,
        )
        return answer.body

    def _parse(self, resource: Resource[T], body: bytes) -> T:
        try:
            return resource.parse(body)
        except ProviderError as error:
            self.client.rejected(error)
            raise

    async def aclose(self) -> None:
        """Close the client; the cache belongs to the process."""
        await self.client.aclose()

    def key(self, resource: Resource[Any]) -> str:
        """What the cache knows it by: provider, endpoint, path and sorted parameters."""
        params = urlencode(sorted(resource.params.items()))
        return f"{self.client.provider}:{resource.endpoint}:{resource.path}?{params}"
