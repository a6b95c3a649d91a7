"""What the live feed gathers: for somebody or not at all, each part by its own pace, faults as values."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.core.clock import Clock
from app.core.domain.alerts import StoredAlert
from app.core.domain.answer import SignalAnswer
from app.core.domain.flow import FlowSnapshot
from app.core.domain.flow_answer import FlowState, FlowTopAnswer, StreamStatusAnswer
from app.core.domain.flow_config import FlowConfig
from app.core.domain.live import LiveCard, LiveFault, LiveMarket, LiveQuote
from app.core.domain.stored import StoredSignal
from app.core.domain.symbol import Symbol
from app.core.errors import NoPriceAvailable
from app.services.alert_service import AlertService
from app.services.flow_service import FlowService
from app.services.history_recorder import HistoryRecorder
from app.services.live_cards import AT_ONCE, CardShelf, change_24h
from app.services.live_demand import Demand
from app.services.live_service import LiveParts, LiveService
from app.services.live_warm import SharedReading
from app.services.record_service import RecordService
from app.services.streaming.warm_cache import MemoryWarmCache
from bench.virtual_time import run_virtual
from tests.api.conftest import make_context, make_signal
from tests.flow_facts import CASCADE, NOW_MS, FakeAlerts, alert, mirrored, snapshot, stored
from tests.stored_facts import FakeStore, signal_row


class LoopClock:
    """Market and process time of the virtual loop."""

    def now_ms(self) -> int:
        return NOW_MS + round(self.monotonic_s() * 1000)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


class CountingWarm(MemoryWarmCache):
    """Counts how often all coins are read."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
        self.readings = 0

    async def read_all(self) -> Sequence[FlowSnapshot]:
        self.readings += 1
        return await super().read_all()


class Sink:
    """Everything that was told, newest value by part."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.cards: list[tuple[float, str]] = []
        self.newest: dict[str, LiveCard] = {}
        self.faults: dict[str, LiveFault | None] = {}

    def coins(self, coins: Sequence[tuple[str, bool]]) -> None:
        self.told["coins"] = coins

    def quotes(self, quotes: Mapping[str, LiveQuote | None]) -> None:
        self.told["quotes"] = quotes

    def card(self, card: LiveCard) -> None:
        self.cards.append((asyncio.get_running_loop().time(), card.symbol))
        self.newest[card.symbol] = card

    def market(self, market: LiveMarket) -> None:
        self.told["market"] = market

    def top(self, answer: FlowTopAnswer) -> None:
        self.told["top"] = answer

    def alerts(self, rows: Sequence[StoredAlert]) -> None:
        self.told["alerts"] = rows

    def signals(self, rows: Sequence[StoredSignal]) -> None:
        self.told["signals"] = rows

    def stream(self, answer: StreamStatusAnswer) -> None:
        self.told["stream"] = answer

    def fault(self, what: str, fault: LiveFault | None) -> None:
        self.faults[what] = fault


class Rig:
    """The service over memory, in virtual time. evaluate: what the next evaluations do."""

    def __init__(self, *coins: str, read_every_s: float = 0.5) -> None:
        clock = LoopClock()
        self.coins: list[tuple[str, bool]] = [(coin, True) for coin in coins or ("BTC", "ETH", "SOL")]
        self.warm, self.store, self.history = CountingWarm(clock), FakeStore(), FakeAlerts()
        self.evaluated: list[str] = []
        self.at_once = self.most_at_once = 0
        self.takes_s, self.errors = 0.01, dict[str, Exception]()
        shared = SharedReading(self.warm, keep_s=0.9 * read_every_s, monotonic=clock.monotonic_s)
        flow = FlowService(shared, resolve=Symbol, config=FlowConfig(), clock=clock)
        self.service = LiveService(
            LiveParts(
                coins=lambda: self.coins,
                warm=shared,
                flow=flow,
                config=FlowConfig(),
                cards=CardShelf(evaluate=self._evaluate, monotonic=clock.monotonic_s),
                alerts=AlertService(self.history, resolve=Symbol),
                signals=RecordService(log=self.store, recorder=HistoryRecorder(self.store), resolve=Symbol),
                clock=clock,
                read_every_s=read_every_s,
            )
        )
        self.sink = Sink()
        self._task: asyncio.Task[None] | None = None

    async def _evaluate(self, symbol: Symbol) -> SignalAnswer:
        self.evaluated.append(symbol.base)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if symbol.base in self.errors:
            raise self.errors[symbol.base]
        return SignalAnswer(make_signal(symbol.base), make_context(symbol.base), 1.0)

    async def __aenter__(self) -> Rig:
        self._task = asyncio.create_task(self.service.run(self.sink))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def test_nothing_is_asked_while_nobody_listens_and_again_when_the_last_one_has_been_gone_for_a_while() -> (
    None
):
    async def scene() -> None:
        async with Rig() as rig:
            await asyncio.sleep(100)
            assert (rig.evaluated, rig.warm.readings, rig.history.queries) == ([], 0, [])
            rig.service.demand.enter()
            await asyncio.sleep(10)
            assert rig.evaluated
            assert rig.history.queries
            rig.service.demand.leave()
            await asyncio.sleep(45)
            counts = len(rig.evaluated), rig.warm.readings, len(rig.history.queries)
            await asyncio.sleep(100)
            assert counts == (len(rig.evaluated), rig.warm.readings, len(rig.history.queries))

    run_virtual(scene())


@pytest.mark.parametrize(("every_s", "most"), [(0.5, 21), (1.0, 11)])
def test_all_coins_are_read_once_for_every_part_that_shows_them(every_s: float, most: int) -> None:
    async def scene() -> None:
        async with Rig(read_every_s=every_s) as rig:
            rig.service.demand.enter()
            await asyncio.sleep(10)
            assert most - 3 <= rig.warm.readings <= most

    run_virtual(scene())


def test_each_coin_is_evaluated_about_every_ten_seconds_and_not_all_at_once() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            rig.service.demand.enter()
            await asyncio.sleep(61)
            by_coin = {
                coin: [at for at, told in rig.sink.cards if told == coin] for coin in ("BTC", "ETH", "SOL")
            }
            for times in by_coin.values():
                assert 6 <= len(times) <= 8
            later = sorted(at for times in by_coin.values() for at in times if at > 5)
            assert all(after - before > 2 for before, after in itertools.pairwise(later))

    run_virtual(scene())


def test_a_long_list_is_renewed_more_slowly_and_few_at_once() -> None:
    async def scene() -> None:
        async with Rig(*(f"C{number}" for number in range(200))) as rig:
            rig.takes_s = 0.5
            rig.service.demand.enter()
            await asyncio.sleep(60)
            assert rig.most_at_once <= AT_ONCE
            assert len(rig.evaluated) <= 60 * 8
            assert set(rig.evaluated) == {f"C{number}" for number in range(200)}

    run_virtual(scene())


def test_a_coin_that_is_added_is_shown_within_seconds_and_one_switched_off_is_asked_for_no_more() -> None:
    async def scene() -> None:
        async with Rig("BTC") as rig:
            rig.service.demand.enter()
            await asyncio.sleep(3)
            rig.coins.append(("DOGE", True))
            await asyncio.sleep(2)
            assert "DOGE" in rig.sink.newest
            rig.coins[0] = ("BTC", False)
            await asyncio.sleep(2)
            asked = rig.evaluated.count("BTC")
            await asyncio.sleep(60)
            assert rig.evaluated.count("BTC") == asked
            assert rig.sink.told["coins"] == [("BTC", False), ("DOGE", True)]
            assert set(rig.sink.told["quotes"]) == {"DOGE"}

    run_virtual(scene())


def test_cards_that_were_asked_for_before_anybody_listened_are_shown_to_whoever_comes() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            assert len(await rig.service.cards()) == 3
            rig.sink.newest.clear()
            rig.service.demand.enter()
            await asyncio.sleep(0.1)
            assert set(rig.sink.newest) == {"BTC", "ETH", "SOL"}
            assert len(rig.evaluated) <= 4

    run_virtual(scene())


def test_a_card_of_a_coin_that_came_while_nobody_listened_is_shown_at_once() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            rig.service.demand.enter()
            await asyncio.sleep(15)
            rig.service.demand.leave()
            await asyncio.sleep(60)
            rig.coins.append(("DOGE", True))
            await rig.service.cards()
            rig.sink.newest.clear()
            rig.service.demand.enter()
            await asyncio.sleep(0.1)
            assert "DOGE" in rig.sink.newest

    run_virtual(scene())


def test_a_coin_without_a_price_has_a_card_that_says_so_and_the_others_have_theirs() -> None:
    async def scene() -> None:
        async with Rig("BTC", "ETH") as rig:
            rig.errors["ETH"] = NoPriceAvailable("ETH", ("okx: timeout",))
            rig.service.demand.enter()
            await asyncio.sleep(2)
            card = rig.sink.newest["ETH"]
            assert card.signal is None
            assert card.fault is not None
            assert (card.fault.code, "okx: timeout" in card.fault.detail) == ("no_price", True)
            assert rig.sink.newest["BTC"].signal is not None
            rig.errors.clear()
            await asyncio.sleep(21)
            assert rig.sink.newest["ETH"].signal is not None

    run_virtual(scene())


def test_a_bug_in_one_evaluation_costs_that_card_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with Rig("BTC", "ETH") as rig:
            rig.errors["ETH"] = ZeroDivisionError("secret of the inside")
            rig.service.demand.enter()
            await asyncio.sleep(12)
            fault = rig.sink.newest["ETH"].fault
            assert fault is not None
            assert fault.code == "internal_error"
            assert "secret" not in fault.detail
            assert rig.evaluated.count("BTC") > 1

    run_virtual(scene())
    assert "an evaluation failed" in caplog.text


def test_a_store_that_is_away_is_a_fault_and_goes_when_it_is_back() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            rig.history.is_down = rig.store.is_down = True
            rig.service.demand.enter()
            await asyncio.sleep(3)
            assert {name: fault and fault.code for name, fault in rig.sink.faults.items()} == {
                "alerts": "storage_unavailable",
                "signals": "storage_unavailable",
            }
            assert rig.sink.told["market"].state is FlowState.NO_WORKER  # the rest goes on
            rig.history.is_down = rig.store.is_down = False
            rig.history.rows, rig.store.kept = [stored(alert(1))], [signal_row(1)]
            await asyncio.sleep(3)
            assert rig.sink.faults == {"alerts": None, "signals": None}
            assert [row.alert.id for row in rig.sink.told["alerts"]] == [alert(1).id]
            assert [row.id for row in rig.sink.told["signals"]] == [signal_row(1).id]

    run_virtual(scene())


def test_quotes_and_sums_never_swap_the_sides() -> None:
    async def told(found: FlowSnapshot) -> tuple[LiveQuote, LiveMarket]:
        async with Rig("BTC") as rig:
            await rig.warm.publish([found])
            rig.service.demand.enter()
            await asyncio.sleep(1)
            return rig.sink.told["quotes"]["BTC"], rig.sink.told["market"]

    async def scene() -> None:
        found = snapshot(cascade=CASCADE)
        quote, market = await told(found)
        window = next(one for one in found.liquidations if one.window_s == 3600)
        assert quote.liquidations_1h is not None
        assert (quote.liquidations_1h.long_usd, quote.liquidations_1h.short_usd) == (
            window.long_usd,
            window.short_usd,
        )
        assert window.long_usd > window.short_usd
        assert (market.liquidations_1h.long_usd, market.liquidations_1h.coins) == (window.long_usd, 1)
        assert quote.flow_5m is not None
        assert (quote.flow_5m.buy_usd, quote.flow_5m.sell_usd) == (120_000.0, 100_000.0)
        other, other_market = await told(mirrored(found))
        assert other.liquidations_24h is not None
        assert quote.liquidations_24h is not None
        assert other.liquidations_24h.long_usd == quote.liquidations_24h.short_usd
        assert other_market.liquidations_24h.short_usd == market.liquidations_24h.long_usd
        assert other.flow_5m is not None
        assert other.flow_5m.buy_usd == quote.flow_5m.sell_usd

    run_virtual(scene())


def test_what_is_stale_is_told_with_its_time_but_neither_summed_nor_called_a_cascade() -> None:
    async def scene() -> None:
        async with Rig("BTC", "ETH") as rig:
            old = snapshot(as_of_ms=NOW_MS - 200_000, cascade=CASCADE)
            await rig.warm.publish([old])
            rig.service.demand.enter()
            await asyncio.sleep(1)
            quote, market = rig.sink.told["quotes"]["BTC"], rig.sink.told["market"]
            assert (quote.as_of_ms, quote.cascade) == (NOW_MS - 200_000, None)
            assert rig.sink.told["quotes"]["ETH"] is None
            assert (market.state, market.coins_seen) == (FlowState.STALE, 0)
            assert (market.liquidations_24h.long_usd, market.liquidations_24h.is_whole) == (0, False)

    run_virtual(scene())


def test_sums_are_not_whole_while_a_coin_with_liquidations_is_not_published_any_more() -> None:
    async def scene() -> None:
        async with Rig("BTC", "ETH") as rig:
            fresh = dataclasses.replace(snapshot(as_of_ms=NOW_MS), symbol="ETH", covered_since_ms=0)
            await rig.warm.publish([fresh])
            rig.service.demand.enter()
            await asyncio.sleep(1)
            assert rig.sink.told["market"].liquidations_1h.is_whole
            await rig.warm.publish([snapshot(as_of_ms=NOW_MS - 200_000)])
            await asyncio.sleep(1)
            market = rig.sink.told["market"]
            assert (market.coins_seen, market.liquidations_1h.is_whole) == (1, False)
            await rig.warm.publish([dataclasses.replace(fresh, liquidations=())])
            await asyncio.sleep(1)
            assert not rig.sink.told["market"].liquidations_24h.is_whole

    run_virtual(scene())


def test_the_route_evaluates_what_is_due_once_for_all_who_ask_and_waits_no_longer_than_its_patience() -> None:
    async def scene() -> None:
        async with Rig("BTC", "ETH") as rig:
            both = await asyncio.gather(rig.service.cards(), rig.service.cards())
            assert [card.symbol for card in both[0]] == ["BTC", "ETH"]
            assert sorted(rig.evaluated) == ["BTC", "ETH"]
            await rig.service.cards()
            assert len(rig.evaluated) == 2
            await asyncio.sleep(11)
            rig.takes_s = 100
            begun_s = asyncio.get_running_loop().time()
            rig.coins.append(("SOL", True))
            old = await rig.service.cards()
            assert asyncio.get_running_loop().time() - begun_s == pytest.approx(6)
            assert old[0].signal is not None  # the one of before
            assert old[2].fault is not None
            assert old[2].fault.code == "timeout"

    run_virtual(scene())


def test_who_comes_after_a_pause_waits_for_the_first_figures_but_not_long() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            begun_s = asyncio.get_running_loop().time()
            await rig.service.gathered(2.0)
            assert asyncio.get_running_loop().time() - begun_s == pytest.approx(2)
            rig.service.demand.enter()
            await rig.service.gathered(2.0)
            assert asyncio.get_running_loop().time() - begun_s < 2.1

    run_virtual(scene())


def test_the_change_of_a_day_is_against_the_close_24_hours_before() -> None:
    context = make_context()
    day_ms, hour_ms = 86_400_000, 3_600_000
    assert not isinstance(context.price, type(None))
    price_ms = context.price.ts_event_ms  # type: ignore[union-attr]
    bars = context.candles.value  # type: ignore[union-attr]
    column = (100_000.0, 1.0)

    def of(*close_ms: int) -> float | None:
        candles = dataclasses.replace(
            bars, close_ms=close_ms, open=column, high=column, low=column, close=column
        )
        reading = dataclasses.replace(context.candles, value=candles)  # type: ignore[type-var]
        return change_24h(dataclasses.replace(context, candles=reading))

    assert of(price_ms - day_ms - 60_000, price_ms) == pytest.approx(96_200.5 / 100_000 - 1)
    assert of(price_ms - day_ms - hour_ms, price_ms) is None  # the bar in between is missing
    assert of(price_ms - day_ms + 1, price_ms) is None


def test_demand_lingers_after_the_last_listener_and_counts_each() -> None:
    now = [0.0]
    demand = Demand(monotonic=lambda: now[0], linger_s=30)
    assert not demand.is_wanted
    demand.enter()
    demand.enter()
    demand.leave()
    now[0] = 100
    assert demand.is_wanted
    demand.leave()
    now[0] = 129.9
    assert demand.is_wanted
    now[0] = 130
    assert not demand.is_wanted
