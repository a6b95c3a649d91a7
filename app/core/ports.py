"""What use cases need from the outside, as protocols. Adapters implement these; only bootstrap names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.core.domain.catalog import CatalogAnswer, EndpointInfo
from app.core.domain.context import Capability
from app.core.domain.market import MarketReading
from app.core.domain.quality import CacheState
from app.core.domain.status import ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import ProviderError

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T_co]):
    """What one source answered.

    ts_event_ms: close of the newest bar or time of the event; ts_init_ms: when the bytes arrived here
    (market time); cache: how it was obtained.
    """

    value: T_co
    endpoint: str
    ts_event_ms: int
    ts_init_ms: int
    cache: CacheState


class Askable(Protocol[T_co]):
    """Anything that can be asked about a coin: a `Source` or a `Probe`."""

    @property
    def provider(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def fetch(self) -> Callable[[Symbol], Awaitable[Fetched[T_co]]]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One way to get one capability: a provider and the call that fetches it.

    `fetch` raises `ProviderError` when it cannot; it never returns a default.
    """

    capability: Capability
    provider: str
    endpoint: str
    fetch: Callable[[Symbol], Awaitable[Fetched[object]]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One premium capability for `/debug/premium`: tried alone, bypassing nothing (cache included).

    `fetch` answers the figures as named readings; the endpoint says which upstream resource it is.
    """

    name: str
    provider: str
    endpoint: str
    fetch: Callable[[Symbol], Awaitable[Fetched[tuple[MarketReading, ...]]]]


@dataclass(frozen=True, slots=True)
class ViewSource:
    """One way to get one view, declared also while no key is set (then `fetch` raises "not configured").

    fetch: answers the type that `View` names for the view; raises `ProviderError`, never a default.
    plan_needed: the cheapest plan of the provider that has it for a query, in lower case; None where the
    provider knows no plans. `Fetched.endpoint` says which upstream resource answered.
    is_reduced: tells less than the sources of the same provider before it.
    """

    view: View
    provider: str
    endpoint: str
    fetch: Callable[[ViewQuery], Awaitable[Fetched[object]]]
    plan_needed: Callable[[ViewQuery], str | None]
    is_reduced: bool = False


class EndpointCatalog(Protocol):
    """Every endpoint of one provider, described and callable by its id."""

    def endpoints(self) -> tuple[EndpointInfo, ...]:
        """All endpoints, with what this service's key may ask for now."""
        ...

    async def call(
        self, endpoint: str, params: Mapping[str, str], *, is_raw: bool, cursor: str
    ) -> CatalogAnswer:
        """Ask one endpoint; `cursor`: the `next_cursor` of the page before, empty for the first.

        Raises:
            UnknownEndpoint, InvalidParameter, PlanTooLow: before anything is asked.
            ProviderError: what the provider did.
        """
        ...


class Provider(Protocol):
    """A provider adapter, as the composition root and the health route see it."""

    name: str

    def sources(self) -> tuple[Source, ...]:
        """Factor inputs this adapter can fetch; empty when not configured."""
        ...

    def probes(self) -> tuple[Probe, ...]:
        """Premium capabilities, for `/debug/premium`."""
        ...

    def views(self) -> tuple[ViewSource, ...]:
        """Views for the typed routes, best first; declared even without a key."""
        ...

    async def start(self) -> None:
        """Learn what changes rarely (plan, instruments). Never raises `ProviderError`: failure is a state."""
        ...

    async def close(self) -> None:
        """Release the HTTP client."""
        ...

    def known_bases(self) -> frozenset[str]:
        """Base assets this provider lists; empty while unknown."""
        ...

    def status(self) -> ProviderStatus: ...

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """Extra raw figures for `/market/{symbol}` beyond the factor inputs, by group name.

        Groups fail alone: a failed one is its error, so that the answer can say why it is not there.
        """
        ...
