"""The signal use case tells its listener of every computed signal once, with what it was computed from."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import Price, PriceKind
from app.core.domain.quality import CacheState
from app.core.domain.signal import Direction, Mode, Signal
from app.core.domain.stored import Trigger
from app.core.domain.symbol import Symbol
from app.core.errors import NoPriceAvailable, ProviderTimeout
from app.core.ports import Fetched, Source
from app.services.context_service import ContextService, SourceOrder
from app.services.signal_service import SignalService
from tests.stored_facts import NOW_MS


class Bench:
    def __init__(self) -> None:
        self.told: list[tuple[Signal, EnhancedSignalContext, Trigger]] = []
        self.price_ms = NOW_MS
        self.error: ProviderTimeout | None = None
        clock = ManualClock(NOW_MS)
        source = Source(Capability.PRICE, "okx", "market_ticker", self._price)
        contexts = ContextService(
            sources=SourceOrder.build({capability: ("okx",) for capability in Capability}, [source]),
            clock=clock,
            data_mode=DataMode.DEMO,
            deadline_s=5.0,
            is_fresh=lambda _capability, _fetched, _now_ms: True,
        )
        self.use_case = SignalService(
            contexts=contexts,
            providers=[],
            engine=EngineConfig(),
            clock=clock,
            deadline_s=5.0,
            on_signal=lambda *told: self.told.append(told),
        )

    async def _price(self, _symbol: Symbol) -> Fetched[object]:
        if self.error is not None:
            raise self.error
        price = Price(96_200.5, PriceKind.LAST_TRADE, "OKX")
        return Fetched(price, "market_ticker", self.price_ms, NOW_MS, CacheState.MISS)


async def test_each_computed_signal_is_told_once_with_its_context() -> None:
    bench = Bench()
    answers = [await bench.use_case.signal("btc-usdt", mode) for mode in Mode]
    assert bench.told == [(answer.signal, answer.context, Trigger.REQUEST) for answer in answers]


async def test_what_could_not_be_computed_is_not_told() -> None:
    bench = Bench()
    bench.error = ProviderTimeout("okx", "market_ticker", "no answer")
    with pytest.raises(NoPriceAvailable):
        await bench.use_case.signal("BTC", Mode.BALANCED)
    assert bench.told == []


async def test_a_look_at_the_market_is_no_signal() -> None:
    bench = Bench()
    await bench.use_case.market("BTC")
    assert bench.told == []


async def test_the_evaluation_of_an_hour_is_balanced_and_says_why_it_was_made() -> None:
    bench = Bench()
    signal = await bench.use_case.scheduled(Symbol("BTC"))
    ((told, context, trigger),) = bench.told
    assert (told, trigger, signal.mode) == (signal, Trigger.SCHEDULE, Mode.BALANCED)
    assert context.symbol == Symbol("BTC")


async def test_an_evaluation_on_a_stale_price_is_not_told() -> None:
    bench = Bench()
    bench.price_ms = NOW_MS - round(EngineConfig().max_age.price_s + 1) * 1000
    signal = await bench.use_case.scheduled(Symbol("BTC"))
    assert (signal.price_stale, signal.direction) == (True, Direction.NEUTRAL)
    assert bench.told == []


async def test_a_signal_carries_its_chance_or_why_there_is_none() -> None:
    bench = Bench()
    assert (await bench.use_case.signal("BTC", Mode.BALANCED)).signal.no_probability == "not computed"
    asked: list[tuple[Direction, float]] = []

    def chance(direction: Direction, score: float) -> tuple[float | None, str]:
        asked.append((direction, score))
        return 0.61, ""

    bench.use_case._chance = chance
    signal = await bench.use_case.scheduled(Symbol("BTC"))
    assert (signal.probability, signal.no_probability) == (0.61, "")
    assert asked == [(signal.direction, signal.score)]
    assert bench.told[-1][0] == signal
