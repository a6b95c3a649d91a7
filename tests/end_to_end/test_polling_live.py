"""The poller over the real providers and the simulator: one budget, whales for all, prices from trades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.bootstrap_base import Base, build_base
from app.bootstrap_poller import build_poller
from app.bootstrap_use_cases import UseCases, build_use_cases
from app.core.domain.flow import AlertKind, Finding
from app.core.domain.market import Price
from app.core.domain.market_figures import LevelFigures
from app.core.domain.quality import Reading
from app.core.domain.stored import BarQuery, SeriesName
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.services.streaming.poller import Poller
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.flow_facts import snapshot
from tests.live_rig import NOW_MS, LiveSim, RigClock, forget_logging, live_simulator

BTC, ETH = Symbol("BTC"), Symbol("ETH")
WHALES = (View.WHALE_ALERTS, View.WHALE_POSITIONS)


@dataclass
class Worker:
    """The parts of a worker that poll, beside the use cases of its process."""

    sim: LiveSim
    clock: RigClock
    base: Base
    use_cases: UseCases
    poller: Poller
    found: list[Finding]
    levels: list[LevelFigures] = field(default_factory=list)

    async def rounds(self, count: int, step_ms: int = 20_000) -> None:
        for _ in range(count):
            await self.poller.poll()
            self.clock.advance(step_ms)


@asynccontextmanager
async def worker(folder: Path, *, plan: str = "professional", **settings: str) -> AsyncIterator[Worker]:
    clock = RigClock(NOW_MS)
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(live_simulator(clock, plan=plan))
        given = {"DATA_MODE": "demo", "LOG_LEVEL": "ERROR", "PLANNER": "off", "SYMBOLS": "BTC,ETH"}
        given |= {"HOURLY_EVALUATIONS": "off"}
        given |= {"DATABASE_URL": f"sqlite:///{folder / 'signals.db'}"}
        base = build_base(load_settings(given | provider_settings(sim.url) | settings), clock=clock)
        stack.callback(forget_logging)
        use_cases = build_use_cases(base)
        found: list[Finding] = []
        levels: list[LevelFigures] = []

        async def hear(findings: Sequence[Finding], _now_ms: int) -> None:
            found.extend(findings)

        poller = build_poller(
            base,
            use_cases,
            config=base.flow,
            watched=lambda: (BTC, ETH),
            on_findings=hear,
            on_levels=levels.append,
        )
        await stack.enter_async_context(base.running())
        await stack.enter_async_context(use_cases.running())
        await base.store.opened()
        await base.providers_started.wait()
        yield Worker(sim, clock, base, use_cases, poller, found, levels)


async def test_figures_levels_whales_and_minutes_come_from_real_answers(tmp_path: Path) -> None:
    async with worker(tmp_path) as found:
        await found.rounds(4)
        for coin in ("BTC", "ETH"):
            figures = found.poller.market_figures(coin)
            assert figures is not None
            assert figures.funding_percentile is not None
            assert figures.oi_change_percentile is not None
            assert figures.unknown == ()
        assert {one.symbol for one in found.levels} == {"BTC", "ETH"}
        assert all(one.atr_1h_usd and one.below and one.above for one in found.levels)
        await found.base.store.market.flush()
        query = BarQuery(SeriesName.OPEN_INTEREST, "BTC", "1m", 0, found.clock.now_ms() + 1)
        bars = (await found.base.store.bars.bars(query)).rows
        assert bars
        assert {bar.exchange for bar in bars} == {"ALL"}
        # Whales are read by every process from the book, without a further call.
        calls = len(found.sim.calls("coinglass"))
        parts = await found.use_cases.api.derivatives.parts(WHALES, ViewQuery())
        for part in parts.values():
            assert isinstance(part.found, Reading)
            assert (part.found.provider, part.fell_back) == ("stream", None)
        assert len(found.sim.calls("coinglass")) == calls
        whales = [one for one in found.found if one.kind is AlertKind.WHALE_POSITION]
        assert all(one.usd >= 1e6 and one.price for one in whales)


async def test_a_round_within_the_providers_own_refresh_costs_no_call(tmp_path: Path) -> None:
    async with worker(tmp_path) as found:
        await found.rounds(1, step_ms=1_000)
        calls = len(found.sim.calls())
        await found.rounds(3, step_ms=1_000)
        assert len(found.sim.calls()) == calls


async def test_without_a_key_it_polls_what_okx_has_and_names_the_rest(tmp_path: Path) -> None:
    async with worker(tmp_path, COINGLASS_API_KEY="") as found:
        await found.rounds(2)
        figures = found.poller.market_figures("BTC")
        assert figures is not None
        assert figures.funding_8h_frac is not None
        assert any(note.startswith("whales: ") and "no key" in note for note in found.poller.notes())


@pytest.mark.parametrize(("age_ms", "provider"), [(1_000, "stream"), (9_000, "okx")])
async def test_a_trade_of_the_last_seconds_is_the_price_of_a_signal(
    tmp_path: Path, age_ms: int, provider: str
) -> None:
    async with worker(tmp_path) as found:
        now_ms = found.clock.now_ms()
        known = snapshot(as_of_ms=now_ms, price=101_000.0, price_ms=now_ms - age_ms)
        await found.base.warm.publish([known])
        context = await found.use_cases.contexts.gather(BTC)
        assert isinstance(context.price, Reading)
        assert context.price.provider == provider
        assert isinstance(context.price.value, Price)
        assert (context.price.value.price_usd == 101_000.0) == (provider == "stream")
