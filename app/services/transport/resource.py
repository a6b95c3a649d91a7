"""One provider's resources through one client and the process cache: what adapters call.

Owns the cache key and the order cache -> breaker -> quota -> HTTP -> envelope check -> parse. Knows no
provider. A `Resource` says where something is and how long it is good; the adapter writes those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
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
    """

    endpoint: str
    path: str
    params: Mapping[str, str | int]
    parse: Callable[[bytes], T]
    freshness: Callable[[T, int], Freshness]


class ResourceClient:
    """`fetch(resource)` answers from the cache or makes exactly one upstream call for all callers.

    `check(endpoint, answer)` is the provider's envelope check: it raises a `ProviderError` subclass.
    """

    def __init__(
        self, client: UpstreamClient, cache: ResourceCache, *, check: Callable[[str, Answer], None]
    ) -> None:
        self.client = client
        self._cache = cache
        self._check = check

    async def fetch(self, resource: Resource[T]) -> Cached[T]:
        """Raises: `ProviderError` when there is neither an answer nor an old value young enough."""

        async def load() -> bytes:
            answer = await self.client.get(
                resource.path,
                resource.params,
                endpoint=resource.endpoint,
                check=lambda answer: self._check(resource.endpoint, answer),
            )
            return answer.body

        def parse(body: bytes) -> T:
            try:
                return resource.parse(body)
            except ProviderError as error:
                self.client.rejected(error)
                raise

        return await self._cache.fetch(
            self._key(resource), load=load, parse=parse, freshness=resource.freshness
        )

    async def aclose(self) -> None:
        """Close the client; the cache belongs to the process."""
        await self.client.aclose()

    def _key(self, resource: Resource[T]) -> str:
        params = urlencode(sorted(resource.params.items()))
        return f"{self.client.provider}:{resource.endpoint}:{resource.path}?{params}"
