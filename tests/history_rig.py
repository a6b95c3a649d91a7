"""The providers of a backfill on a real simulator over loopback; waits move the clock. Not a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.backfill_parts import open_providers
from app.core.domain.stored import RatioScope, SeriesName
from app.core.history_ports import HistoryProvider, HistorySource
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.live_rig import LiveSim, RigClock, live_simulator


@dataclass(slots=True)
class HistoryRig:
    """A simulator and the providers that ask it. waits: seconds waited for budgets and between failures."""

    clock: RigClock
    sim: LiveSim
    providers: tuple[HistoryProvider, ...]
    waits: list[float]

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(int(seconds * 1000) + 1)

    def sources(self, provider: str = "") -> list[HistorySource]:
        return [
            source for item in self.providers if provider in ("", item.name) for source in item.histories()
        ]

    def source(self, provider: str, series: SeriesName, scope: RatioScope | None = None) -> HistorySource:
        (found,) = [
            source
            for source in self.sources(provider)
            if source.series is series and source.scope in (None, scope)
        ]
        return found


@asynccontextmanager
async def history_rig(
    settings: Mapping[str, str] | None = None, *, plan: str = "professional"
) -> AsyncIterator[HistoryRig]:
    clock = RigClock()
    async with live_simulator(clock, plan=plan) as sim:
        rig = HistoryRig(clock, sim, (), [])
        given = {"DATA_MODE": "demo", **provider_settings(sim.url), **(settings or {})}
        async with open_providers(load_settings(given), clock, sleep=rig.sleep) as providers:
            rig.providers = providers
            yield rig
