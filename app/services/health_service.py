"""Readiness: every provider and dependency with its state, and whether a price can be served at all.

Reads states that the adapters already keep. Only while no price can be served it asks for one itself: a
balancer sends no traffic to a service that is not ready, so nothing else would notice that it is again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from app.core.domain.context import DataMode
from app.core.domain.status import DependencyStatus, ProviderState, ProviderStatus, ReadyReport, ReadyStatus
from app.core.ports import Provider

_NOT_SERVING = {ProviderState.DOWN, ProviderState.AUTH_FAILED, ProviderState.NOT_CONFIGURED}
_HEALTHY = {ProviderState.OK, ProviderState.UNUSED, ProviderState.NOT_CONFIGURED}


class HealthService:
    """Builds the readiness report from what is known right now."""

    def __init__(
        self,
        *,
        providers: Sequence[Provider],
        price_providers: Sequence[str],
        dependencies: Sequence[Callable[[], DependencyStatus]],
        data_mode: DataMode,
        try_price: Callable[[], Awaitable[object]],
    ) -> None:
        self._providers = providers
        self._price_providers = frozenset(price_providers)
        self._dependencies = dependencies
        self._data_mode = data_mode
        self._try_price = try_price

    async def ready(self) -> ReadyReport:
        """`ok`, `degraded` while a price can be served, else `unavailable`.

        May take as long as one price: an open breaker lets nothing through until its rest is over.
        """
        if not self._price_ok():
            await self._try_price()
        statuses = tuple(provider.status() for provider in self._providers)
        dependencies = tuple(state() for state in self._dependencies)
        price_ok = self._price_ok()
        return ReadyReport(
            status=_overall(statuses, dependencies, price_ok=price_ok),
            price_ok=price_ok,
            data_mode=self._data_mode,
            providers=statuses,
            dependencies=dependencies,
        )

    def _price_ok(self) -> bool:
        return any(self._can_price(provider.status()) for provider in self._providers)

    def _can_price(self, status: ProviderStatus) -> bool:
        if status.provider not in self._price_providers or status.state in _NOT_SERVING:
            return False
        # A provider that has failed since start and never answered is a hope, not a price.
        return status.state is not ProviderState.DEGRADED or status.last_success_ms is not None


def _overall(
    statuses: Sequence[ProviderStatus], dependencies: Sequence[DependencyStatus], *, price_ok: bool
) -> ReadyStatus:
    if not price_ok:
        return ReadyStatus.UNAVAILABLE
    healthy = all(s.state in _HEALTHY for s in statuses) and all(d.state != "down" for d in dependencies)
    return ReadyStatus.OK if healthy else ReadyStatus.DEGRADED
