"""The signal use case tells its listener of every computed signal once, with what it was computed from."""

from __future__ import annotations

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import Capability, DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.evaluations import EvaluationFailure, Moment
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

MOMENT = Moment(NOW_MS, NOW_MS + 600_000)


class Bench:
    def __init__(self, data_mode: DataMode = DataMode.DEMO) -> None:
        self.told: list[tuple[Signal, EnhancedSignalContext, Trigger]] = []
        self.price_ms = NOW_MS
        self.error: ProviderTimeout | None = None
        self.takes_s = 0.0
        self.clock = clock = ManualClock(NOW_MS)
        source = Source(Capability.PRICE, "okx", "market_ticker", self._price)
        contexts = ContextService(
            sources=SourceOrder.build({capability: ("okx",) for capability in Capability}, [source]),
            clock=clock,
            data_mode=data_mode,
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
        self.clock.tick(self.takes_s)
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
    assert await bench.use_case.scheduled(Symbol("BTC"), MOMENT) is None
    ((told, context, trigger),) = bench.told
    assert (told.as_of_ms, trigger, told.mode) == (NOW_MS, Trigger.SCHEDULE, Mode.BALANCED)
    assert context.symbol == Symbol("BTC")


async def test_an_evaluation_on_a_stale_price_is_not_told() -> None:
    bench = Bench()
    bench.price_ms = NOW_MS - round(EngineConfig().max_age.price_s + 1) * 1000
    assert await bench.use_case.scheduled(Symbol("BTC"), MOMENT) is EvaluationFailure.STALE_PRICE
    assert bench.told == []


async def test_without_a_price_there_is_no_evaluation() -> None:
    bench = Bench()
    bench.error = ProviderTimeout("okx", "market_ticker", "no answer")
    assert await bench.use_case.scheduled(Symbol("BTC"), MOMENT) is EvaluationFailure.NO_PRICE


@pytest.mark.parametrize(
    ("moment", "failure"),
    [
        (Moment(NOW_MS, NOW_MS + 1), None),
        (Moment(NOW_MS - 600_000, NOW_MS), EvaluationFailure.LATE),
        (Moment(NOW_MS + 1, NOW_MS + 600_000), EvaluationFailure.LATE),
    ],
)
async def test_an_evaluation_outside_of_its_moment_is_not_told(
    moment: Moment, failure: EvaluationFailure | None
) -> None:
    bench = Bench()
    assert await bench.use_case.scheduled(Symbol("BTC"), moment) is failure
    assert len(bench.told) == (failure is None)


@pytest.mark.parametrize("data_mode", [DataMode.DEMO, DataMode.REPLAY])
async def test_an_answer_that_took_until_after_the_moment_is_late_but_for_a_replay_of_the_past(
    data_mode: DataMode,
) -> None:
    bench = Bench(data_mode)
    bench.takes_s = 600.0
    failure = await bench.use_case.scheduled(Symbol("BTC"), Moment(NOW_MS, NOW_MS + 600_000))
    is_late = data_mode is DataMode.DEMO
    assert failure is (EvaluationFailure.LATE if is_late else None)
    assert [told.as_of_ms for told, *_ in bench.told] == ([] if is_late else [NOW_MS])


async def test_a_signal_carries_its_chance_or_why_there_is_none() -> None:
    bench = Bench()
    assert (await bench.use_case.signal("BTC", Mode.BALANCED)).signal.no_probability == "not computed"
    asked: list[tuple[Direction, float]] = []

    def chance(direction: Direction, score: float) -> tuple[float | None, str]:
        asked.append((direction, score))
        return 0.61, ""

    bench.use_case._chance = chance
    assert await bench.use_case.scheduled(Symbol("BTC"), MOMENT) is None
    signal = bench.told[-1][0]
    assert (signal.probability, signal.no_probability) == (0.61, "")
    assert asked == [(signal.direction, signal.score)]
