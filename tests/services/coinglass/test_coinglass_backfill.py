"""CoinGlass pages of the past against the simulator: every series, units, plan floors and the budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import (
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
    SeriesName,
    TakerRow,
)
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderNoData, ProviderPlanLimited, ProviderTimeout
from app.core.history_ports import HistorySource
from app.services.backfill_plan import BackfillRequest
from app.services.backfill_report import Outcome
from app.services.backfill_service import BackfillService
from tests.history_rig import HistoryRig, history_rig
from tests.live_rig import NOW_MS, WORLD, fault
from tests.memory_store import MemoryStore

BTC, PEPE = Symbol("BTC"), Symbol("PEPE")
CLOSED_MS = NOW_MS // HOUR_MS * HOUR_MS
HOURS = list(range(CLOSED_MS - 23 * HOUR_MS, CLOSED_MS + 1, HOUR_MS))


@pytest.fixture
async def rig() -> AsyncIterator[HistoryRig]:
    async with history_rig() as found:
        yield found


def closes(rows: tuple[BarRow, ...]) -> list[int]:
    return [row.close_ms for row in rows]


async def day(source: HistorySource, symbol: Symbol = BTC) -> tuple[Any, ...]:
    return await source.fetch(symbol, "1h", NOW_MS - DAY_MS, NOW_MS + 5 * HOUR_MS)


class TestSeries:
    async def test_candles_of_the_preferred_exchange_per_coin(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("coinglass", SeriesName.CANDLES), PEPE)
        assert closes(rows) == HOURS
        bars = WORLD.candles("PEPE", "Binance", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        row = rows[-1]
        assert isinstance(row, CandleRow)
        assert (row.exchange, row.symbol, row.source) == ("Binance", "PEPE", "coinglass")
        assert row.close == pytest.approx(bars.close[-1], rel=1e-3)  # listed per thousand, stored per coin

    async def test_open_interest_has_its_range_in_dollars_and_in_coins(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("coinglass", SeriesName.OPEN_INTEREST))
        assert closes(rows) == HOURS
        row = rows[-1]
        assert isinstance(row, OpenInterestRow)
        assert row.exchange == "ALL"
        assert None not in row
        assert row.low_usd <= row.close_usd <= row.high_usd  # type: ignore[operator]
        held = WORLD.open_interest("BTC", "All", "base", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        assert row.close_base == pytest.approx(held.values[-1], rel=1e-6)

    async def test_funding_is_a_fraction_weighted_both_ways(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("coinglass", SeriesName.FUNDING))
        assert closes(rows) == HOURS
        row = rows[-1]
        assert isinstance(row, FundingRow)
        weighted = WORLD.funding_weighted("BTC", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        assert row.oi_weighted_8h_frac == pytest.approx(weighted.values[-1], abs=1e-8)
        assert row.volume_weighted_8h_frac == pytest.approx(row.oi_weighted_8h_frac, abs=5e-6)
        assert row.rate_8h_frac is None

    @pytest.mark.parametrize("scope", list(RatioScope))
    async def test_ratios_are_shares_of_their_own_scope(self, rig: HistoryRig, scope: RatioScope) -> None:
        rows = await day(rig.source("coinglass", SeriesName.LONG_SHORT, scope))
        assert closes(rows) == HOURS
        assert all(isinstance(row, RatioRow) and row.scope == scope.value for row in rows)
        assert 0 < rows[-1].long_share_frac < 1

    async def test_taker_volume_of_the_pair_in_dollars(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("coinglass", SeriesName.TAKER_VOLUME))
        assert closes(rows) == HOURS
        buys, sells = WORLD.taker_volume("BTC", "Binance", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        row = rows[-1]
        assert isinstance(row, TakerRow)
        assert (row.buy_usd, row.sell_usd) == pytest.approx((buys.values[-1], sells.values[-1]), rel=1e-5)

    async def test_two_pages_join_without_a_gap_or_an_overlap(self, rig: HistoryRig) -> None:
        for source in rig.sources("coinglass"):
            middle = CLOSED_MS - 100 * HOUR_MS + 1
            one = await source.fetch(BTC, "1h", middle - source.page_ms("1h"), middle)
            two = await source.fetch(BTC, "1h", middle, CLOSED_MS + 1)
            joined = closes(one + two)
            assert joined == list(range(CLOSED_MS - 1099 * HOUR_MS, CLOSED_MS + 1, HOUR_MS)), source.name

    async def test_a_bar_that_may_still_grow_is_left_for_later(self, rig: HistoryRig) -> None:
        candles = rig.source("coinglass", SeriesName.CANDLES)
        rig.clock.advance(CLOSED_MS + HOUR_MS + 30_000 - NOW_MS)  # half a minute after the close
        assert (await day(candles))[-1].close_ms == CLOSED_MS

    async def test_a_coin_that_is_not_listed_is_no_data(self, rig: HistoryRig) -> None:
        for source in rig.sources("coinglass"):
            with pytest.raises(ProviderNoData):
                await day(source, Symbol("NOPE"))


class TestPlan:
    async def test_bars_below_the_floor_of_the_plan_are_refused_without_a_call(self) -> None:
        async with history_rig(plan="hobbyist") as rig:
            rig.sim.forget_calls()
            for source in rig.sources("coinglass"):
                with pytest.raises(ProviderPlanLimited, match="1h bars"):
                    await day(source)
            lists = {"futures_supported_coins", "futures_supported_exchange_pairs"}
            assert {call["endpoint"] for call in rig.sim.calls("coinglass")} <= lists
            four_hours = rig.source("coinglass", SeriesName.FUNDING)
            assert await four_hours.fetch(BTC, "4h", NOW_MS - DAY_MS, NOW_MS)
            assert four_hours.max_days("4h") == 180

    async def test_without_a_key_there_is_nothing_to_ask(self, rig: HistoryRig) -> None:
        from app.services.coinglass import build_provider
        from app.services.transport.cache import ResourceCache

        provider = build_provider(
            api_key=None,
            base_url=rig.sim.url,
            cache=ResourceCache(now_ms=rig.clock.now_ms),
            observe=lambda _call: None,
            now_ms=rig.clock.now_ms,
            monotonic=rig.clock.monotonic_s,
        )
        assert provider.histories() == ()


def service_of(rig: HistoryRig, store: MemoryStore) -> BackfillService:
    return BackfillService(
        rig.sources(),
        writer=store,
        reader=store,
        states=store,
        now_ms=rig.clock.now_ms,
        sleep=rig.sleep,
    )


async def fill(rig: HistoryRig, store: MemoryStore, *, days: int, interval: str, coins: int = 1) -> Any:
    symbols = tuple(Symbol(coin.base) for coin in WORLD.coins()[:coins])
    service = service_of(rig, store)
    tasks = await service.plan(BackfillRequest(symbols, days, interval, frozenset(SeriesName)))
    return await service.run(tasks, stopping=asyncio.Event(), on_progress=lambda *_: None)


class TestBothProviders:
    async def test_the_smallest_plan_is_kept_to_and_waited_for(self) -> None:
        """Nine calls a coin and page on a plan of thirty a minute: the backfill waits, nothing is refused."""
        async with history_rig(plan="hobbyist") as rig:
            store = MemoryStore()
            rig.sim.forget_calls()
            reports = await fill(rig, store, days=20, interval="4h", coins=3)
            assert {report.outcome for report in reports} == {Outcome.DONE}
            calls = rig.sim.calls("coinglass")
            assert {call["status"] for call in calls} == {200}
            assert len(calls) == 3 * 9  # a half whose other half had to wait is not asked for again
            assert sum(rig.waits) > 20

    async def test_a_plan_that_lacks_the_bars_is_a_state_and_okx_fills_its_part(self) -> None:
        async with history_rig(plan="hobbyist") as rig:
            store = MemoryStore()
            reports = await fill(rig, store, days=3, interval="1h")
            outcomes = {(report.provider, report.outcome) for report in reports}
            assert outcomes == {("coinglass", Outcome.NOT_IN_PLAN), ("okx", Outcome.DONE)}

    async def test_one_broken_endpoint_fails_its_series_alone(self, rig: HistoryRig) -> None:
        rig.sim.break_with(fault("coinglass", "truncate", 20, endpoint="futures_price_history"))
        reports = await fill(rig, MemoryStore(), days=3, interval="1h")
        failed = [(report.provider, report.series) for report in reports if report.outcome is Outcome.ERROR]
        assert failed == [("coinglass", "candles")]


@pytest.mark.parametrize("provider", ["coinglass", "okx"])
async def test_the_wait_for_the_bytes_of_one_answer_is_a_setting_here_too(provider: str) -> None:
    async with history_rig({"READ_TIMEOUT_SECONDS": "0.1"}) as rig:
        rig.sim.break_with(fault(provider, "hang"))
        with pytest.raises(ProviderTimeout, match="no data in time"):
            await day(rig.source(provider, SeriesName.CANDLES))
