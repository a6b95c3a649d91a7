"""The stream as a source: young prices, whole records, whales; and out of the way in everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.context import Capability, DataMode
from app.core.domain.derivatives import LiquidationOrders, PositionSide
from app.core.domain.flow import StreamGap
from app.core.domain.flow_answer import WhaleBook
from app.core.domain.market import DAY_MS, HOUR_MS, LiquidationHistory, Price, PriceKind, Series, Unit
from app.core.domain.quality import CacheState, Missing, Reading
from app.core.domain.stored import HourSum, LiquidationRow
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import (
    ProviderError,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from app.core.ports import Fetched, Source
from app.services.context_service import ContextService, SourceOrder
from app.services.streaming.stream_source import COLD_S, StreamSource, interest_sources
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.streaming.whale_shelf import WhaleShelf
from tests.derivatives_facts import facts
from tests.flow_facts import NOW_MS, snapshot

BTC = Symbol("BTC")
ONE = ViewQuery(symbol=BTC)
LAST_HOUR_MS = NOW_MS // HOUR_MS * HOUR_MS


def fetched(value: object, at_ms: int = NOW_MS) -> Fetched[object]:
    return Fetched(value, "endpoint", at_ms, at_ms, CacheState.MISS)


class FakeRecord:
    """Hourly sums, orders and gaps; counts how often the past was read."""

    def __init__(self) -> None:
        self.sums: list[HourSum] = []
        self.rows: list[LiquidationRow] = []
        self.found_gaps: list[StreamGap] = []
        self.reads = 0
        self.is_down = False

    async def hours(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[HourSum]:
        self.reads += 1
        self._check()
        return [row for row in self.sums if from_ms < row.hour_ms <= to_ms]

    async def newest(self, symbol: str, limit: int) -> Sequence[LiquidationRow]:
        self._check()
        return self.rows[:limit]

    async def add_gap(self, gap: StreamGap) -> None:
        raise NotImplementedError

    async def gaps(self, since_ms: int) -> Sequence[StreamGap]:
        return self.found_gaps

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the database does not answer")


class Rig:
    def __init__(self, *, min_hours: int = 30) -> None:
        self.clock = ManualClock(NOW_MS)
        self.warm = MemoryWarmCache(now_ms=self.clock.now_ms, monotonic=self.clock.monotonic_s)
        self.record = FakeRecord()
        self.interest_error: ProviderError | None = None
        self.source = StreamSource(
            self.warm,
            record=self.record,
            gaps=self.record,
            interest={"coinglass": Source(Capability.OPEN_INTEREST_USD, "coinglass", "oi", self._interest)},
            clock=self.clock,
            min_hours=min_hours,
        )

    async def _interest(self, _symbol: Symbol) -> Fetched[object]:
        if self.interest_error is not None:
            raise self.interest_error
        return fetched(Series(Unit.USD, HOUR_MS, (LAST_HOUR_MS,), (9e9,), "open interest, all exchanges"))

    def remember(self, hours: int) -> None:
        self.record.sums = [
            HourSum(LAST_HOUR_MS - HOUR_MS * n, "coinglass", 100.0 + n, 50.0, 2) for n in range(hours)
        ]

    async def read(self) -> None:
        """Let the reading that was begun come to its end."""
        with pytest.raises(ProviderNoData, match="is being read"):
            await self.source.liquidations(BTC)
        for _ in range(5):
            await asyncio.sleep(0)


class TestPrice:
    async def test_a_trade_of_the_last_seconds_is_a_price_with_its_exchange(self) -> None:
        rig = Rig()
        await rig.warm.publish([snapshot(price_ms=NOW_MS - 5_000)])
        found = await rig.source.price(BTC)
        assert found.value == Price(96_200.5, PriceKind.LAST_TRADE, "Binance")
        assert (found.ts_event_ms, found.endpoint) == (NOW_MS - 5_000, "stream_trades")

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"price_ms": NOW_MS - 6_000}, "the last trade is 6 s old"),
            ({"price_ms": NOW_MS + 300_000}, "stamped 300 s ahead"),
            ({"price": None, "price_ms": None}, "no trades of BTC are streamed"),
            ({"price_exchange": None}, "no trades of BTC are streamed"),
            ({"as_of_ms": NOW_MS - 91_000}, "the worker has not published for 91 s"),
        ],
    )
    async def test_anything_older_or_less_is_no_price(self, change: dict[str, Any], why: str) -> None:
        rig = Rig()
        await rig.warm.publish([snapshot(**change)])
        with pytest.raises(ProviderNoData, match=why):
            await rig.source.price(BTC)

    async def test_a_coin_that_is_not_streamed_is_not_looked_for_again_at_once(self) -> None:
        rig = Rig()
        with pytest.raises(ProviderNotConfigured):
            await rig.source.price(BTC)
        await rig.warm.publish([snapshot()])
        with pytest.raises(ProviderNotConfigured, match="a moment ago"):
            await rig.source.price(BTC)
        rig.clock.tick(COLD_S)
        assert (await rig.source.price(BTC)).ts_event_ms == NOW_MS - 2_000


class TestLiquidations:
    async def test_a_whole_day_and_enough_hours_are_a_history(self) -> None:
        rig = Rig()
        rig.remember(32)
        await rig.warm.publish([snapshot()])
        await rig.read()
        found = await rig.source.liquidations(BTC)
        value = found.value
        assert isinstance(value, LiquidationHistory)
        assert (len(value.close_ms), value.close_ms[-1]) == (31, LAST_HOUR_MS)
        assert (value.long_usd[-1], value.short_usd[-1]) == (100.0, 50.0)
        assert value.scope == "own record of the coinglass stream"
        assert found.ts_event_ms == LAST_HOUR_MS

    async def test_the_past_is_read_once_an_hour_and_never_within_a_question(self) -> None:
        rig = Rig()
        rig.remember(32)
        await rig.warm.publish([snapshot()])
        await rig.read()
        for _ in range(3):
            await rig.source.liquidations(BTC)
        assert rig.record.reads == 1
        rig.clock.set(LAST_HOUR_MS + HOUR_MS + 15_000)
        later = rig.clock.now_ms()
        await rig.warm.publish([snapshot(as_of_ms=later, covered_since_ms=later - DAY_MS)])
        await rig.read()
        assert rig.record.reads == 2

    async def test_an_hour_counts_once_its_last_events_are_stored(self) -> None:
        rig = Rig()
        rig.remember(40)
        rig.clock.set(LAST_HOUR_MS + 14_000)
        now_ms = rig.clock.now_ms()
        await rig.warm.publish([snapshot(as_of_ms=now_ms, covered_since_ms=now_ms - DAY_MS)])
        await rig.read()
        assert (await rig.source.liquidations(BTC)).ts_event_ms == LAST_HOUR_MS - HOUR_MS

    async def test_a_stream_that_is_not_whole_for_a_day_is_not_offered(self) -> None:
        rig = Rig()
        rig.remember(40)
        await rig.warm.publish([snapshot(covered_since_ms=NOW_MS - 6 * HOUR_MS)])
        with pytest.raises(ProviderNoData, match=r"whole for 6\.0 of 24 h"):
            await rig.source.liquidations(BTC)
        assert rig.record.reads == 0

    async def test_too_short_a_record_is_not_offered(self) -> None:
        rig = Rig(min_hours=124)
        rig.remember(50)
        await rig.warm.publish([snapshot()])
        await rig.read()
        with pytest.raises(ProviderNoData, match="49 whole hours recorded, 124 are needed"):
            await rig.source.liquidations(BTC)

    async def test_without_open_interest_of_the_same_market_it_makes_way(self) -> None:
        rig = Rig()
        rig.remember(40)
        await rig.warm.publish([snapshot()])
        await rig.read()
        rig.interest_error = ProviderUnavailable("coinglass", "oi", "down")
        with pytest.raises(ProviderUnavailable):
            await rig.source.liquidations(BTC)
        await rig.warm.publish([snapshot(source="okx", as_of_ms=NOW_MS)])
        with pytest.raises(ProviderNoData, match="beside liquidations of okx"):
            await rig.source.open_interest(BTC)

    async def test_a_store_that_is_down_is_asked_again_with_the_next_question(self) -> None:
        rig = Rig()
        rig.remember(40)
        rig.record.is_down = True
        await rig.warm.publish([snapshot()])
        await rig.read()
        rig.record.is_down = False
        await rig.read()
        assert (await rig.source.liquidations(BTC)).endpoint == "stream_liquidations"

    async def test_closing_ends_what_is_being_read(self) -> None:
        rig = Rig()
        await rig.warm.publish([snapshot()])
        with pytest.raises(ProviderNoData):
            await rig.source.liquidations(BTC)
        await rig.source.close()
        assert rig.record.reads == 0


class TestOrders:
    async def test_the_newest_recorded_ones_come_as_they_are(self) -> None:
        rig = Rig()
        await rig.warm.publish([snapshot()])
        rig.record.rows = [
            LiquidationRow(
                "BTC", NOW_MS - n, n, "coinglass", "Binance", "BTCUSDT", side, 96e3, 5e3, None, 0, NOW_MS
            )
            for n, side in enumerate(("LONG", "SHORT") * 101)
        ]
        found = await rig.source.orders(ONE)
        value = found.value
        assert isinstance(value, LiquidationOrders)
        assert [order.liquidated_side for order in value.orders[:2]] == [
            PositionSide.LONG,
            PositionSide.SHORT,
        ]
        assert (len(value.orders), value.is_cut, value.min_usd) == (200, True, None)
        assert found.ts_event_ms == NOW_MS

    async def test_a_stopped_stream_an_empty_record_and_a_silent_store_have_none(self) -> None:
        rig = Rig()
        with pytest.raises(ProviderNotConfigured):
            await rig.source.orders(ONE)
        rig.clock.tick(COLD_S)
        await rig.warm.publish([snapshot(as_of_ms=rig.clock.now_ms())])
        with pytest.raises(ProviderNoData):
            await rig.source.orders(ONE)
        rig.record.is_down = True
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            await rig.source.orders(ONE)


class TestWhales:
    async def test_the_book_answers_while_it_is_young(self) -> None:
        rig, known = Rig(), facts()
        alerts: Any = known[View.WHALE_ALERTS]
        positions: Any = known[View.WHALE_POSITIONS]
        await WhaleShelf(rig.warm).put(
            WhaleBook(alerts, NOW_MS - 20_000, "", positions, NOW_MS - 91_000, "", "coinglass")
        )
        found = await rig.source.whale_alerts(ViewQuery())
        assert (found.value, found.ts_event_ms) == (alerts, alerts[0].ts_event_ms)
        with pytest.raises(ProviderNoData, match="the last poll was 91 s ago"):
            await rig.source.whale_positions(ViewQuery())

    async def test_no_book_and_no_answer_are_two_things(self) -> None:
        rig = Rig()
        with pytest.raises(ProviderNotConfigured, match="nobody polls"):
            await rig.source.whale_alerts(ViewQuery())
        await WhaleShelf(rig.warm).put(WhaleBook(alerts_why="not in plan"))
        rig.clock.tick(COLD_S)
        with pytest.raises(ProviderNoData, match="no answer"):
            await rig.source.whale_alerts(ViewQuery())


class TestInTheContext:
    """Beside REST sources, in the order of the configuration."""

    def contexts(self, rig: Rig) -> ContextService:
        async def okx_price(_symbol: Symbol) -> Fetched[object]:
            return fetched(Price(96_000.0, PriceKind.LAST_TRADE, "OKX"))

        async def down(_symbol: Symbol) -> Fetched[object]:
            raise ProviderUnavailable("coinglass", "liquidations", "down")

        async def okx_interest(_symbol: Symbol) -> Fetched[object]:
            return fetched(Series(Unit.USD, HOUR_MS, (LAST_HOUR_MS,), (2e9,), "OKX"))

        rest = [
            Source(Capability.PRICE, "okx", "ticker", okx_price),
            Source(Capability.LIQUIDATIONS, "coinglass", "liquidations", down),
            Source(Capability.OPEN_INTEREST_USD, "okx", "oi", okx_interest),
        ]
        order = {
            Capability.PRICE: ("stream", "okx"),
            Capability.LIQUIDATIONS: ("coinglass", "stream"),
            Capability.OPEN_INTEREST_USD: ("okx",),
        }
        return ContextService(
            sources=SourceOrder.build(order, [*rest, *rig.source.sources()]),
            clock=rig.clock,
            data_mode=DataMode.LIVE,
            deadline_s=5.0,
            is_fresh=lambda *_: True,
        )

    async def test_the_stream_answers_first_and_liquidations_bring_their_own_open_interest(self) -> None:
        rig = Rig()
        rig.remember(40)
        await rig.warm.publish([snapshot()])
        await rig.read()
        context = await self.contexts(rig).gather(BTC)
        assert isinstance(context.price, Reading)
        assert (context.price.provider, context.price.value.exchange) == ("stream", "Binance")
        assert isinstance(context.liquidations, Reading)
        assert isinstance(context.open_interest_usd, Reading)
        assert context.liquidations.provider == context.open_interest_usd.provider == "stream"
        assert context.open_interest_usd.value.values == (9e9,)

    async def test_a_cold_stream_changes_nothing_but_the_list_of_attempts(self) -> None:
        context = await self.contexts(Rig()).gather(BTC)
        assert isinstance(context.price, Reading)
        assert context.price.provider == "okx"
        assert [attempt.outcome for attempt in context.price.attempts] == ["not_configured", "ok"]
        assert isinstance(context.liquidations, Missing)
        assert context.liquidations.reason == "unavailable"
        assert isinstance(context.open_interest_usd, Reading)
        assert context.open_interest_usd.provider == "okx"


def test_open_interest_beside_the_stream_is_found_by_the_name_of_its_feed() -> None:
    async def fetch(_symbol: Symbol) -> Fetched[object]:
        return fetched(1)

    sources = [
        Source(Capability.OPEN_INTEREST_USD, "coinglass", "oi", fetch),
        Source(Capability.OPEN_INTEREST_USD, "okx", "oi", fetch),
        Source(Capability.PRICE, "okx", "ticker", fetch),
    ]
    assert sorted(interest_sources(sources)) == ["coinglass", "okx"]
