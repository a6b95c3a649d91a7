"""Readiness: one word for the service, from states the adapters keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import pytest

from app.core.domain.context import DataMode
from app.core.domain.market import MarketReading
from app.core.domain.status import (
    DependencyState,
    DependencyStatus,
    ProviderState,
    ProviderStatus,
    ReadyReport,
    ReadyStatus,
)
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.health_service import HealthService


@dataclass
class Stub:
    """A provider of which only the status matters."""

    name: str
    state: ProviderState
    last_success_ms: int | None = 1

    def status(self) -> ProviderStatus:
        return ProviderStatus(self.name, self.state, self.last_success_ms, None, "closed", None, None, None)

    def sources(self) -> tuple[Source, ...]:
        return ()

    def probes(self) -> tuple[Probe, ...]:
        return ()

    def views(self) -> tuple[ViewSource, ...]:
        return ()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def known_bases(self) -> frozenset[str]:
        return frozenset()

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        return {}


async def nothing() -> None:
    """Asking for a price changes nothing."""


async def report(
    *providers: Stub, dependency: str = "ok", try_price: Callable[[], Awaitable[None]] = nothing
) -> ReadyReport:
    service = HealthService(
        providers=providers,
        price_providers=("okx", "coinapi"),
        dependencies=[lambda: DependencyStatus("redis", DependencyState(dependency), "")],
        data_mode=DataMode.LIVE,
        try_price=try_price,
    )
    return await service.ready()


async def test_all_well_is_ok_and_a_missing_key_is_no_fault() -> None:
    found = await report(Stub("okx", ProviderState.OK), Stub("lunarcrush", ProviderState.NOT_CONFIGURED))
    assert (found.status, found.price_ok) == (ReadyStatus.OK, True)


@pytest.mark.parametrize("state", [ProviderState.DEGRADED, ProviderState.DOWN, ProviderState.AUTH_FAILED])
async def test_a_fault_beside_a_working_price_is_degraded(state: ProviderState) -> None:
    found = await report(Stub("okx", ProviderState.OK), Stub("lunarcrush", state))
    assert (found.status, found.price_ok) == (ReadyStatus.DEGRADED, True)


@pytest.mark.parametrize(
    "state", [ProviderState.DOWN, ProviderState.AUTH_FAILED, ProviderState.NOT_CONFIGURED]
)
async def test_without_a_price_source_the_service_is_unavailable(state: ProviderState) -> None:
    found = await report(Stub("okx", state), Stub("lunarcrush", ProviderState.OK))
    assert (found.status, found.price_ok) == (ReadyStatus.UNAVAILABLE, False)


async def test_a_price_source_that_failed_once_may_still_serve() -> None:
    found = await report(Stub("okx", ProviderState.DEGRADED, last_success_ms=5))
    assert found.price_ok


async def test_a_price_source_that_never_answered_cannot_serve() -> None:
    found = await report(Stub("okx", ProviderState.DEGRADED, last_success_ms=None))
    assert found.status is ReadyStatus.UNAVAILABLE


async def test_a_second_price_source_keeps_the_service_up() -> None:
    found = await report(Stub("okx", ProviderState.DOWN), Stub("coinapi", ProviderState.UNUSED, None))
    assert (found.status, found.price_ok) == (ReadyStatus.DEGRADED, True)


async def test_redis_down_degrades_and_never_stops_the_service() -> None:
    found = await report(Stub("okx", ProviderState.OK), dependency="down")
    assert found.status is ReadyStatus.DEGRADED


async def test_a_service_that_is_not_ready_asks_for_a_price_itself_and_recovers() -> None:
    okx = Stub("okx", ProviderState.DOWN, last_success_ms=5)

    async def answered() -> None:
        okx.state = ProviderState.OK

    found = await report(okx, try_price=answered)
    assert (found.status, found.price_ok) == (ReadyStatus.OK, True)


async def test_a_service_that_is_ready_asks_nobody() -> None:
    async def asked() -> None:
        raise AssertionError("readiness asked upstream although a price can be served")

    assert (await report(Stub("okx", ProviderState.OK), try_price=asked)).price_ok
