"""What the HTTP layer needs from the inside, as protocols, bundled in `ApiServices`.

The composition root passes the real use cases, tests pass fakes. Nothing here knows a provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.domain.answer import MarketAnswer, ProbeResult, SignalAnswer
from app.core.domain.budget import BudgetReport
from app.core.domain.catalog import CatalogAnswer, EndpointInfo
from app.core.domain.signal import Mode
from app.core.domain.status import ReadyReport
from app.core.domain.symbol import Symbol
from app.core.domain.views import Parts, View, ViewQuery


class SignalUseCase(Protocol):
    """Text in, signal out."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def signal(self, text: str, mode: Mode) -> SignalAnswer:
        """Raises: InvalidParameter, UnknownSymbol, NoPriceAvailable."""
        ...


class MarketUseCase(Protocol):
    """Raw readings of one coin."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def market(self, text: str) -> MarketAnswer:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def probe_premium(self, text: str) -> tuple[ProbeResult, ...]:
        """Try every premium capability alone. Raises: InvalidParameter, UnknownSymbol."""
        ...


class DerivativesUseCase(Protocol):
    """Parts of the derivatives market; what cannot be had is a part that says why."""

    def resolve(self, text: str) -> Symbol:
        """Raises: InvalidParameter, UnknownSymbol."""
        ...

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        """Every view of `views` under one deadline; never raises a provider error."""
        ...


class CatalogUseCase(Protocol):
    """Every endpoint of a provider, described and callable by its id."""

    def endpoints(self) -> tuple[EndpointInfo, ...]: ...

    async def call(
        self, endpoint: str, params: Mapping[str, str], *, is_raw: bool, cursor: str
    ) -> CatalogAnswer:
        """Raises: UnknownEndpoint, InvalidParameter, PlanTooLow, ProviderError."""
        ...


class BudgetUseCase(Protocol):
    """How the calls of a provider's key are spent; reads states, calls nobody."""

    def budget(self) -> BudgetReport: ...


class HealthUseCase(Protocol):
    """Readiness of the process and of what it depends on; reads states, calls nobody."""

    async def ready(self) -> ReadyReport: ...


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The use cases behind the routes."""

    signals: SignalUseCase
    market: MarketUseCase
    derivatives: DerivativesUseCase
    catalog: CatalogUseCase
    budget: BudgetUseCase
    health: HealthUseCase
