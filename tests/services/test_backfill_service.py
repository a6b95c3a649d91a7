"""The backfill as a use case: resumes, fetches only what is missing, fails series by series."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import ManualClock
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import CandleRow, SeriesName
from app.core.domain.symbol import Symbol
from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.core.history_ports import HistorySource
from app.services.backfill_plan import BackfillRequest
from app.services.backfill_report import Outcome, SeriesReport
from app.services.backfill_service import MAX_FAULTS, BackfillService
from tests.memory_store import MemoryStore

BTC, ETH = Symbol("BTC"), Symbol("ETH")
START_MS = 1_760_011_200_000  # 2025-10-09T12:00Z
PAGE_BARS = 50


def close_at(at_ms: int) -> float:
    """A price for every hour: a walk with a jump now and then, the same whoever asks."""
    return 1000 * math.exp(_WALK[at_ms // HOUR_MS % len(_WALK)])


def _walk() -> list[float]:
    rng = random.Random(11)
    found = [0.0]
    for _ in range(4000):
        found.append(found[-1] + rng.gauss(0, 0.005) + (0.2 if rng.random() < 0.01 else 0.0))
    return found


_WALK = _walk()


@dataclass
class Candles:
    """A provider with hourly candles. faults: raised by the next calls, one each. holes: hours without."""

    clock: ManualClock
    provider: str = "okx"
    exchange: str | None = "OKX"
    page_bars: int = PAGE_BARS
    max_days: int | None = None
    faults: list[ProviderError | None] = field(default_factory=list)
    always: ProviderError | None = None
    holes: frozenset[int] = frozenset()
    lag_ms: int = 0
    on_call: Callable[[], None] = lambda: None
    calls: list[tuple[str, int, int]] = field(default_factory=list)

    async def fetch(self, symbol: Symbol, interval: str, from_ms: int, to_ms: int) -> tuple[CandleRow, ...]:
        self.calls.append((symbol.base, from_ms, to_ms))
        self.on_call()
        fault = self.faults.pop(0) if self.faults else self.always
        if fault is not None:
            raise fault
        now_ms = self.clock.now_ms()
        return tuple(
            CandleRow("OKX", symbol.base, interval, at_ms, *[close_at(at_ms)] * 4, 1.0, self.provider, now_ms)
            for at_ms in range(-(-from_ms // HOUR_MS) * HOUR_MS, to_ms, HOUR_MS)
            if at_ms <= now_ms - self.lag_ms and at_ms not in self.holes
        )

    def source(self, series: SeriesName = SeriesName.CANDLES) -> HistorySource:
        return HistorySource(
            series,
            self.provider,
            self.exchange,
            None,
            frozenset({"1h"}),
            (),
            self.page_bars,
            lambda _interval: self.max_days,
            self.fetch,
        )


class Rig:
    """A service over one store, and a clock that its waiting moves."""

    def __init__(self, store: MemoryStore | None = None, now_ms: int = START_MS) -> None:
        self.clock = ManualClock(now_ms)
        self.store = store or MemoryStore()
        self.waits: list[float] = []
        self.stopping = asyncio.Event()
        self.seen: list[tuple[int, int, str]] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.tick(seconds)

    async def run(
        self, *sources: HistorySource, days: int = 10, symbols: tuple[Symbol, ...] = (BTC,)
    ) -> tuple[SeriesReport, ...]:
        service = BackfillService(
            sources,
            writer=self.store,
            reader=self.store,
            states=self.store,
            now_ms=self.clock.now_ms,
            sleep=self.sleep,
        )
        tasks = await service.plan(BackfillRequest(symbols, days, "1h", frozenset(SeriesName)))
        return await service.run(
            tasks, stopping=self.stopping, on_progress=lambda *seen: self.seen.append(seen)
        )


def facts(store: MemoryStore) -> dict[tuple[Any, ...], tuple[float, bool]]:
    return {key: (row.close, row.is_outlier) for key, row in store.rows.items()}


class TestWhatIsFetched:
    async def test_every_closed_bar_of_the_window_is_stored_once(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock)
        (report,) = await rig.run(candles.source())
        stored = rig.store.of(CandleRow)
        assert [row.close_ms for row in stored] == list(
            range(START_MS - 10 * DAY_MS + HOUR_MS, START_MS + 1, HOUR_MS)
        )
        assert (report.outcome, report.fetched, report.written) == (Outcome.DONE, 240, 240)
        assert (report.missing_bars, report.exchange) == (0, "OKX")
        assert len(candles.calls) == math.ceil(240 / PAGE_BARS)

    async def test_a_second_run_asks_for_nothing(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock)
        await rig.run(candles.source())
        candles.calls.clear()
        (report,) = await rig.run(candles.source())
        assert candles.calls == []
        assert report.outcome is Outcome.UP_TO_DATE
        assert report.to_ms == START_MS

    async def test_later_and_with_more_days_only_the_new_ends_are_asked_for(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock)
        await rig.run(candles.source(), days=10)
        candles.calls.clear()
        rig.clock.tick(3 * 3600)
        (report,) = await rig.run(candles.source(), days=11)
        assert report.fetched == 24
        assert [(from_ms, to_ms) for _, from_ms, to_ms in candles.calls] == [
            (START_MS + 3 * HOUR_MS - 11 * DAY_MS + 1, START_MS - 10 * DAY_MS + 1),
            (START_MS + 1, START_MS + 3 * HOUR_MS + 1),
        ]

    async def test_a_bar_that_comes_late_is_asked_for_again(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock, lag_ms=90_000)
        (report,) = await rig.run(candles.source())
        assert report.to_ms == START_MS - HOUR_MS
        rig.clock.tick(120)
        (report,) = await rig.run(candles.source())
        assert (report.fetched, report.to_ms) == (1, START_MS)

    async def test_holes_of_the_source_are_counted_and_not_asked_for_again(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock, holes=frozenset(START_MS - k * HOUR_MS for k in (5, 6, 100)))
        (report,) = await rig.run(candles.source())
        assert report.missing_bars == 3
        candles.calls.clear()
        await rig.run(candles.source())
        assert candles.calls == []

    async def test_a_source_that_keeps_less_is_asked_for_less(self) -> None:
        rig = Rig()
        (report,) = await rig.run(Candles(rig.clock, max_days=3).source())
        assert report.fetched == 72

    async def test_bars_that_aged_out_since_are_fetched_again(self) -> None:
        rig = Rig()
        await rig.run(Candles(rig.clock).source())
        before = dict(rig.store.rows)
        oldest = sorted(rig.store.rows, key=lambda key: key[4])[:30]
        for key in oldest:
            del rig.store.rows[key]
        candles = Candles(rig.clock)
        (report,) = await rig.run(candles.source())
        assert report.fetched == 30
        assert rig.store.rows.keys() == before.keys()

    async def test_a_bar_size_that_is_not_offered_is_a_state(self) -> None:
        rig = Rig()
        source = Candles(rig.clock).source()
        service = BackfillService(
            [source], writer=rig.store, reader=rig.store, states=rig.store, now_ms=rig.clock.now_ms
        )
        tasks = await service.plan(BackfillRequest((BTC,), 10, "8h", frozenset(SeriesName)))
        (report,) = await service.run(tasks, stopping=rig.stopping, on_progress=lambda *_: None)
        assert report.outcome is Outcome.NOT_OFFERED

    async def test_memory_holds_a_page_at_a_time(self) -> None:
        rig = Rig()
        await rig.run(Candles(rig.clock).source(), days=30)
        assert rig.store.largest_put == PAGE_BARS

    async def test_progress_counts_every_page_up_to_the_last(self) -> None:
        rig = Rig()
        failing = Candles(rig.clock, provider="other", always=ProviderAuthFailed("other", "x", "refused"))
        await rig.run(Candles(rig.clock).source(), failing.source(), symbols=(BTC, ETH))
        assert [done for done, _, _ in rig.seen] == sorted(done for done, _, _ in rig.seen)
        assert rig.seen[-1][:2] == (20, 20)


class TestStopped:
    async def test_it_stops_after_the_page_under_way_and_goes_on_from_there(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock)
        candles.on_call = lambda: rig.stopping.set() if len(candles.calls) == 2 else None
        (report,) = await rig.run(candles.source())
        assert (report.outcome, report.written) == (Outcome.STOPPED, 2 * PAGE_BARS)
        again = Rig(rig.store)
        rest = Candles(again.clock)
        (report,) = await again.run(rest.source())
        assert report.fetched == 240 - 2 * PAGE_BARS
        assert len(rig.store.rows) == 240

    async def test_waiting_for_a_budget_ends_at_once(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock, always=ProviderRateLimited("okx", "x", "wait", retry_after_s=60))
        candles.on_call = rig.stopping.set
        (report,) = await rig.run(candles.source())
        assert report.outcome is Outcome.STOPPED

    @settings(max_examples=15)
    @given(kills=st.lists(st.integers(1, 12), max_size=4), page_bars=st.integers(20, 120))
    def test_killed_anywhere_and_resumed_it_ends_as_in_one_go(self, kills: list[int], page_bars: int) -> None:
        """Rows and flags alike; a kill loses what is not flushed, as a real one does."""

        async def scenario() -> None:
            whole = Rig()
            await whole.run(Candles(whole.clock).source(), days=25)
            store = MemoryStore()
            for after in kills:
                rig = Rig(store)
                candles = Candles(rig.clock, page_bars=page_bars)
                task = asyncio.create_task(rig.run(candles.source(), days=25))

                def kill(after: int = after, candles: Candles = candles, task: Any = task) -> None:
                    if len(candles.calls) == after:
                        task.cancel()

                candles.on_call = kill
                await asyncio.gather(task, return_exceptions=True)
                store.lost.clear()
            last = Rig(store)
            await last.run(Candles(last.clock, page_bars=page_bars).source(), days=25)
            assert facts(store) == facts(whole.store)
            assert any(is_outlier for _, is_outlier in facts(store).values())

        asyncio.run(scenario())

    @pytest.mark.parametrize("first_days", [3, 12, 20])
    async def test_older_bars_put_in_front_complete_the_flags_behind_them(self, first_days: int) -> None:
        """A flag that is set stays, so growing may leave flags that one go has not, and never fewer."""
        whole, grown = Rig(), Rig()
        await whole.run(Candles(whole.clock).source(), days=25)
        for days in (first_days, 25):
            await grown.run(Candles(grown.clock).source(), days=days)
        one, two = facts(whole.store), facts(grown.store)
        assert one.keys() == two.keys()
        flagged_in_one = {key for key, (_, is_outlier) in one.items() if is_outlier}
        assert flagged_in_one <= {key for key, (_, is_outlier) in two.items() if is_outlier}


class TestFailures:
    async def test_a_used_up_budget_is_waited_for_as_long_as_it_says(self) -> None:
        rig = Rig()
        limited = ProviderRateLimited("okx", "x", "call budget used up", retry_after_s=7.5)
        (report,) = await rig.run(Candles(rig.clock, faults=[None, limited, limited]).source())
        assert report.outcome is Outcome.DONE
        assert rig.waits == [7.5, 7.5]

    async def test_faults_that_pass_are_tried_again_ever_later(self) -> None:
        rig = Rig()
        fault = ProviderUnavailable("okx", "x", "HTTP 503")
        (report,) = await rig.run(Candles(rig.clock, faults=[fault, fault]).source())
        assert (report.outcome, rig.waits) == (Outcome.DONE, [4.0, 8.0])

    async def test_a_fault_that_stays_fails_its_series_and_not_the_others(self) -> None:
        rig = Rig()
        bad = Candles(rig.clock, always=ProviderUnavailable("okx", "x", "HTTP 503"))
        good = Candles(rig.clock)
        reports = await rig.run(bad.source(), good.source(SeriesName.CANDLES))
        assert [report.outcome for report in reports] == [Outcome.ERROR, Outcome.DONE]
        assert "HTTP 503" in reports[0].detail
        assert len(bad.calls) == MAX_FAULTS + 1

    async def test_a_budget_that_never_comes_back_is_given_up(self) -> None:
        rig = Rig()
        limited = ProviderRateLimited("okx", "x", "call budget used up", retry_after_s=100)
        (report,) = await rig.run(Candles(rig.clock, always=limited).source())
        assert report.outcome is Outcome.ERROR

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (ProviderPlanLimited("coinglass", "x", "the plan lacks 1h bars"), Outcome.NOT_IN_PLAN),
            (ProviderNoData("okx", "x", "not listed on OKX"), Outcome.NO_DATA),
            (ProviderAuthFailed("coinglass", "x", "the API key was refused"), Outcome.ERROR),
            (ProviderBadPayload("okx", "x", "unexpected shape"), Outcome.ERROR),
        ],
    )
    async def test_what_does_not_pass_is_not_asked_again(
        self, error: ProviderError, outcome: Outcome
    ) -> None:
        rig = Rig()
        candles = Candles(rig.clock, always=error)
        (report,) = await rig.run(candles.source())
        assert report.outcome is outcome
        assert error.detail in report.detail
        assert len(candles.calls) == 1

    async def test_a_series_that_fails_half_way_keeps_what_it_has(self) -> None:
        rig = Rig()
        broken = ProviderBadPayload("okx", "x", "unexpected shape")
        (report,) = await rig.run(Candles(rig.clock, faults=[None, None, broken]).source())
        assert (report.outcome, report.written) == (Outcome.ERROR, 2 * PAGE_BARS)
        (report,) = await rig.run(Candles(rig.clock).source())
        assert report.fetched == 240 - 2 * PAGE_BARS

    async def test_a_store_that_is_down_fails_series_by_name(self) -> None:
        rig = Rig()
        candles = Candles(rig.clock)
        candles.on_call = lambda: setattr(rig.store, "is_down", True)
        (report,) = await rig.run(candles.source())
        assert (report.outcome, report.written) == (Outcome.ERROR, 0)
        assert "database" in report.detail

    async def test_no_bars_at_all_is_no_data(self) -> None:
        rig = Rig()
        (report,) = await rig.run(Candles(rig.clock, lag_ms=40 * DAY_MS).source())
        assert (report.outcome, report.from_ms) == (Outcome.NO_DATA, None)
        assert rig.store.states == {}  # it may be a fault of the source: everything is asked again

    async def test_a_coin_listed_lately_is_not_asked_about_its_empty_past_again(self) -> None:
        rig = Rig()
        listed_ms = START_MS - 3 * DAY_MS
        before = frozenset(range(START_MS - 40 * DAY_MS, listed_ms, HOUR_MS))
        (report,) = await rig.run(Candles(rig.clock, holes=before).source(), days=30)
        assert (report.fetched, report.missing_bars) == (73, 0)
        again = Candles(rig.clock, holes=before)
        await rig.run(again.source(), days=30)
        assert again.calls == []


async def test_the_exchange_of_a_coin_is_learned_from_its_bars() -> None:
    rig = Rig()
    (report,) = await rig.run(Candles(rig.clock, exchange=None).source())
    assert report.exchange == "OKX"
    rig.clock.tick(3600)
    (report,) = await rig.run(Candles(rig.clock, exchange=None).source())
    assert (report.exchange, report.fetched) == ("OKX", 1)
