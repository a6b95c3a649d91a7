"""Store first, upstream for the rest: when upstream is spared, what is joined, what if one is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.core.clock import ManualClock
from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.history import ReplayedInterest
from app.core.domain.market import HOUR_MS, Unit
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.stored import BarQuery, BarRow, Page
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.services.history_recorder import HistoryRecorder
from app.services.open_interest_replay import OpenInterestReplay
from tests.stored_facts import LAST_CLOSE_MS, NOW_MS, FakeStore, closes, interest

UPSTREAM_USD, STORED_USD = 9e9, 8e9


class FakeUpstream:
    """Open interest of the hours it is given, or nothing."""

    def __init__(self, times: Sequence[int] | None) -> None:
        self.label = "open interest, all exchanges"
        self.provider = "coinglass"
        self.size_ms = HOUR_MS
        self.times = times
        self.asked: list[ViewQuery] = []

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        self.asked.append(query)
        view = View.OPEN_INTEREST_HISTORY
        assert list(views) == [view]
        if self.times is None:
            return {view: Part(view, Missing(MissingReason.TIMEOUT, "coinglass: no answer"), None)}
        times, values = tuple(self.times), tuple(UPSTREAM_USD for _ in self.times)
        history = OpenInterestHistory(
            Unit.USD, self.size_ms, times, values, values, values, values, self.label
        )
        reading: Reading[object] = Reading(history, self.provider, "oi", times[-1], NOW_MS, CacheState.MISS)
        return {view: Part(view, reading, None)}


class Bench:
    def __init__(self, stored: Sequence[int], upstream: Sequence[int] | None) -> None:
        self.store, self.upstream = FakeStore(), FakeUpstream(upstream)
        self.store.rows = [interest(at_ms, usd=STORED_USD) for at_ms in stored]
        self.use_case = OpenInterestReplay(
            bars=self.store,
            upstream=self.upstream,
            recorder=HistoryRecorder(self.store),
            clock=ManualClock(NOW_MS),
        )

    async def ask(
        self, limit: int = 10, before_ms: int | None = None, interval: str | None = "1h"
    ) -> ReplayedInterest:
        return await self.use_case.replay(Symbol("BTC"), interval, limit=limit, before_ms=before_ms)


def times(found: ReplayedInterest) -> list[int]:
    return [bar.close_ms for bar in found.bars]


async def test_a_complete_page_comes_from_the_store_alone() -> None:
    bench = Bench(closes(12), closes(12))
    found = await bench.ask(10)
    assert bench.upstream.asked == []
    assert times(found) == closes(10)
    assert (found.stored_bars, found.stored_from, found.store_fault) == (10, ("coinglass",), None)
    assert isinstance(found.part.found, Reading)
    assert (found.part.found.provider, found.part.found.endpoint) == ("store", "stored from coinglass")
    assert found.label == "open interest, all exchanges, stored from coinglass"
    assert found.next_ms == closes(10)[0]


async def test_an_older_page_is_complete_up_to_its_cursor() -> None:
    bench = Bench(closes(30), None)
    cursor = closes(11)[0]
    found = await bench.ask(10, before_ms=cursor)
    assert bench.upstream.asked == []
    assert times(found) == closes(20, last_ms=cursor - HOUR_MS)[-10:]


@pytest.mark.parametrize(
    "stored",
    [closes(12)[:-1], closes(12)[:5] + closes(12)[6:], closes(9)],
    ids=["last bar missing", "a hole", "too few"],
)
async def test_upstream_is_asked_for_what_the_store_lacks(stored: list[int]) -> None:
    bench = Bench(stored, closes(12))
    found = await bench.ask(10)
    assert len(bench.upstream.asked) == 1
    assert times(found) == closes(10)
    assert {bar.close_usd for bar in found.bars} == {UPSTREAM_USD}
    assert found.stored_bars == 0


async def test_bars_of_which_only_the_close_is_stored_are_asked_for_again() -> None:
    bench = Bench([], closes(12))
    bench.store.rows = [interest(at_ms)._replace(high_usd=None) for at_ms in closes(12)]
    found = await bench.ask(10)
    assert len(bench.upstream.asked) == 1
    assert {bar.high_usd for bar in found.bars} == {UPSTREAM_USD}


async def test_bars_that_upstream_no_longer_has_are_joined_from_the_store() -> None:
    bench = Bench(closes(20)[:15], closes(8))
    found = await bench.ask(30)
    assert times(found) == closes(20)
    by_close = {bar.close_ms: bar.close_usd for bar in found.bars}
    assert [by_close[at_ms] for at_ms in closes(20)] == [STORED_USD] * 12 + [UPSTREAM_USD] * 8
    assert (found.stored_bars, found.stored_from) == (12, ("coinglass",))
    assert found.next_ms is None


async def test_what_upstream_answered_is_handed_to_the_store_once() -> None:
    bench = Bench([], closes(8))
    await bench.ask()
    assert [row.close_ms for row in bench.store.put_rows] == closes(8)
    assert bench.store.put_rows[-1].high_usd == UPSTREAM_USD
    await bench.ask()
    assert len(bench.store.put_rows) == 8


async def test_a_store_that_is_down_leaves_upstream_alone_and_is_named() -> None:
    bench = Bench(closes(20), closes(8))
    bench.store.is_down = True
    found = await bench.ask(5)
    assert times(found) == closes(5)
    assert found.store_fault == "the database does not answer"
    assert found.next_ms == closes(5)[0]


async def test_a_store_that_hangs_does_not_hold_upstream_up() -> None:
    class Hanging(FakeStore):
        async def bars(self, query: BarQuery) -> Page[BarRow]:
            await asyncio.Event().wait()
            raise AssertionError(query)

    store, upstream = Hanging(), FakeUpstream(closes(8))
    use_case = OpenInterestReplay(
        bars=store,
        upstream=upstream,
        recorder=HistoryRecorder(store),
        clock=ManualClock(NOW_MS),
        patience_s=0.0,
    )
    found = await use_case.replay(Symbol("BTC"), "1h", limit=5, before_ms=None)
    assert times(found) == closes(5)
    assert found.store_fault == "no answer within 0 s"


async def test_without_upstream_the_stored_bars_are_shown_holes_and_all() -> None:
    stored = closes(12)[:5] + closes(12)[7:]
    found = await Bench(stored, None).ask(20)
    assert times(found) == stored
    assert isinstance(found.part.found, Missing)
    assert found.stored_bars == 10


async def test_without_upstream_and_totals_the_bars_of_one_exchange_are_shown_under_its_name() -> None:
    bench = Bench([], None)
    bench.store.rows = [
        *[interest(at_ms, exchange="OKX", usd=1e9) for at_ms in closes(8)],
        *[interest(at_ms, exchange="Binance", usd=2e9) for at_ms in closes(9)[:-1]],
    ]
    found = await bench.ask(10)
    assert {(bar.exchange, bar.close_usd) for bar in found.bars} == {("OKX", 1e9)}
    assert times(found) == closes(8)
    assert found.label == "open interest, OKX, stored from coinglass"
    assert isinstance(found.part.found, Missing)


async def test_without_either_there_is_nothing_and_both_say_why() -> None:
    bench = Bench([], None)
    bench.store.is_down = True
    found = await bench.ask()
    assert (found.bars, found.interval_ms, found.label, found.next_ms) == ((), None, None, None)
    assert isinstance(found.part.found, Missing)
    assert found.store_fault is not None


async def test_totals_are_not_joined_to_one_exchange() -> None:
    bench = Bench(closes(20)[:15], closes(8))
    bench.upstream.label, bench.upstream.provider = "OKX open interest in USD", "okx"
    found = await bench.ask(30)
    assert times(found) == closes(8)
    assert {bar.exchange for bar in found.bars} == {"OKX"}
    bench.store.rows += [interest(at_ms, exchange="OKX", source="okx") for at_ms in closes(9)]
    assert times(await bench.ask(30)) == closes(9)


async def test_a_label_that_names_nobody_is_answered_and_not_stored() -> None:
    bench = Bench(closes(20)[:15], closes(8))
    bench.upstream.label = "all"
    found = await bench.ask(30)
    assert times(found) == closes(8)
    assert bench.store.put_rows == []


async def test_without_a_bar_size_an_hour_is_looked_up_and_upstream_decides() -> None:
    assert times(await Bench(closes(12), None).ask(10, interval=None)) == closes(10)
    last_ms = LAST_CLOSE_MS // (4 * HOUR_MS) * 4 * HOUR_MS
    bench = Bench(closes(3), [last_ms])
    bench.upstream.size_ms = 4 * HOUR_MS
    found = await bench.ask(10, interval=None)
    assert bench.upstream.asked[0].interval is None
    assert (times(found), found.interval_ms) == ([last_ms], 4 * HOUR_MS)


async def test_bars_known_in_coins_only_are_no_bars_in_usd() -> None:
    bench = Bench([], closes(8))
    bench.store.rows = [interest(at_ms, usd=None) for at_ms in closes(12)]
    found = await bench.ask(8)
    assert {bar.close_usd for bar in found.bars} == {UPSTREAM_USD}


async def test_pages_backwards_hold_every_bar_once() -> None:
    bench = Bench(closes(60)[:50], closes(30))
    seen: list[int] = []
    before_ms: int | None = None
    while True:
        found = await bench.ask(7, before_ms)
        seen = times(found) + seen
        before_ms = found.next_ms
        if before_ms is None:
            break
    assert seen == closes(60)
