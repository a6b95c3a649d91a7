"""Once per coin and full hour, by one of all processes, shortly after the hour or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from app.core.clock import ManualClock
from app.core.domain.evaluations import EvaluationRow, HourCount
from app.core.errors import StorageUnavailable
from app.services.hourly_evaluations import FROM_MS, UNTIL_MS, HourlyEvaluations
from app.services.storage.store import SqlStore
from tests.outcome_facts import HOUR_MS, T0_MS
from tests.record_rig import Evaluator, KilledError, store_of
from tests.services.storage.conftest import database_url, postgres, postgres_template

__all__ = ["database_url", "postgres", "postgres_template"]

COINS = ("BTC", "ETH", "SOL")


class OverError(Exception):
    """The loop has run for as long as the test wants."""


class Process:
    """One process with its own connection to the database that all share."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.evaluator = Evaluator(store, clock)
        self.coins: list[str] = list(COINS)
        self.pauses: list[float] = []
        self.until_ms = 0
        self.loop = HourlyEvaluations(
            evaluate=self.evaluator,
            hours=store.evaluations,
            flush=store.signals.flush,
            coins=self._coins,
            clock=clock,
            sleep=self._sleep,
        )

    async def _coins(self) -> Sequence[str]:
        return self.coins

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.tick(seconds)
        if self.clock.now_ms() >= self.until_ms:
            raise OverError

    async def stored(self) -> Sequence[EvaluationRow]:
        return await self.store.evaluations.evaluations(0, 1_000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS + FROM_MS)


Start = Callable[[], Awaitable[Process]]


@pytest.fixture
async def start(database_url: str, clock: ManualClock) -> AsyncIterator[Start]:
    """Starts one more process on the same database."""
    async with AsyncExitStack() as stack:

        async def one() -> Process:
            store = store_of(database_url, clock)
            stack.push_async_callback(store.close)
            await store.opened()
            return Process(store, clock)

        yield one


async def test_two_processes_on_one_database_make_one_evaluation_per_coin_and_hour(
    start: Start, clock: ManualClock
) -> None:
    one, two = await start(), await start()
    for hour in range(3):
        clock.set(T0_MS + hour * HOUR_MS + FROM_MS)
        counts = await asyncio.gather(one.loop.make_due(), two.loop.make_due(), one.loop.make_due())
        assert sum(counts) == 3
    found = [(row.symbol, row.as_of_ms // HOUR_MS) for row in await one.stored()]
    hours = [T0_MS // HOUR_MS + hour for hour in range(3)]
    assert sorted(found) == sorted((coin, hour) for coin in COINS for hour in hours)
    assert len(one.evaluator.made) + len(two.evaluator.made) == 9


async def test_a_process_that_starts_again_within_the_moment_evaluates_nothing_twice(
    start: Start, clock: ManualClock
) -> None:
    assert await (await start()).loop.make_due() == 3
    clock.tick(30)
    assert await (await start()).loop.make_due() == 0


async def test_a_kill_between_claim_and_write_costs_the_hour_and_nothing_is_made_twice(
    start: Start, clock: ManualClock
) -> None:
    one, two = await start(), await start()
    one.evaluator.dies_at = "ETH"
    with pytest.raises(KilledError):
        await one.loop.make_due()
    await two.loop.make_due()
    clock.tick(3600)
    await two.loop.make_due()
    found = sorted((row.symbol, row.as_of_ms // HOUR_MS - T0_MS // HOUR_MS) for row in await two.stored())
    assert found == [("BTC", 0), ("BTC", 1), ("ETH", 1), ("SOL", 0), ("SOL", 1)]
    # Expected 2, made 1, failed 0: one was missed, and is counted as that.
    counts = {one.symbol: one for one in await two.store.evaluations.hour_counts(clock.now_ms())}
    assert counts["ETH"] == HourCount("ETH", 2, 1, {})


async def test_an_hour_that_was_missed_stays_missed(start: Start, clock: ManualClock) -> None:
    process = await start()
    await process.loop.make_due()
    clock.set(T0_MS + HOUR_MS + UNTIL_MS)  # a start ten minutes after the hour is too late for it
    assert await process.loop.make_due() == 0
    clock.set(T0_MS + 4 * HOUR_MS + FROM_MS)
    assert await process.loop.make_due() == 3
    (count, *_) = await process.store.evaluations.hour_counts(clock.now_ms())
    assert count == HourCount("BTC", 5, 2, {})
    assert len([row for row in await process.stored() if row.symbol == "BTC"]) == 2


async def test_without_a_usable_price_there_is_no_evaluation_but_a_reason(start: Start) -> None:
    process = await start()
    process.evaluator.no_price, process.evaluator.stale = {"ETH"}, {"SOL"}
    assert await process.loop.make_due() == 1
    assert [row.symbol for row in await process.stored()] == ["BTC"]
    assert await process.store.evaluations.hour_counts(T0_MS) == [
        HourCount("BTC", 1, 1, {}),
        HourCount("ETH", 1, 0, {"no_price": 1}),
        HourCount("SOL", 1, 0, {"stale_price": 1}),
    ]


async def test_what_comes_after_its_moment_is_not_kept_and_counts_as_late(
    start: Start, clock: ManualClock
) -> None:
    process = await start()
    process.coins = ["BTC"]
    process.evaluator.takes_s = UNTIL_MS / 1000  # paused while it was made
    assert await process.loop.make_due() == 0
    assert await process.stored() == []
    clock.set(T0_MS + HOUR_MS + FROM_MS)
    process.evaluator.takes_s = 0.0
    assert await process.loop.make_due() == 1
    assert [row.as_of_ms // HOUR_MS for row in await process.stored()] == [T0_MS // HOUR_MS + 1]
    clock.tick(3600)
    assert await process.store.evaluations.hour_counts(T0_MS + HOUR_MS) == [
        HourCount("BTC", 2, 1, {"late": 1})
    ]


@pytest.mark.parametrize("takes_s", [0.0, 200.0, 1_200.0, 3_600.0, 5_000.0])
async def test_however_fast_the_clock_there_is_at_most_one_evaluation_per_coin_and_hour(
    start: Start, clock: ManualClock, takes_s: float
) -> None:
    process = await start()
    process.evaluator.takes_s = takes_s
    for _ in range(12):
        await process.loop.make_due()
        clock.tick(700)
    found = [(row.symbol, row.as_of_ms // HOUR_MS) for row in await process.stored()]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestTheLoop:
    async def test_the_clock_going_over_the_hour_brings_one_evaluation_each(
        self, start: Start, clock: ManualClock
    ) -> None:
        process = await start()
        process.coins = ["BTC"]
        clock.set(T0_MS - 10_000)
        process.until_ms = T0_MS + 3 * HOUR_MS
        with pytest.raises(OverError):
            await process.loop.run()
        moments = [row.as_of_ms - T0_MS for row in await process.stored()]
        # Once an hour, from the moment on and within one pause of it.
        assert [ms // HOUR_MS for ms in moments] == [0, 1, 2]
        assert all(FROM_MS <= ms % HOUR_MS <= FROM_MS + 15_000 for ms in moments)
        assert max(process.pauses) <= 5.0

    async def test_it_waits_no_longer_than_until_the_moment(self, start: Start, clock: ManualClock) -> None:
        process = await start()
        clock.set(T0_MS + FROM_MS - 1_500)
        assert process.loop._pause_s() == pytest.approx(1.5)

    async def test_a_database_that_is_away_is_asked_again_while_the_moment_lasts(
        self, start: Start, clock: ManualClock
    ) -> None:
        process = await start()
        asked = 0

        async def coins() -> Sequence[str]:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise StorageUnavailable("away")
            return ["BTC"]

        process.loop._coins = coins
        process.until_ms = clock.now_ms() + 60_000
        with pytest.raises(OverError):
            await process.loop.run()
        assert asked == 3
        assert [row.symbol for row in await process.stored()] == ["BTC"]

    async def test_a_long_list_stops_when_the_moment_is_over(self, start: Start, clock: ManualClock) -> None:
        process = await start()
        process.coins = [f"C{n}" for n in range(20)]
        clock.set(T0_MS + UNTIL_MS - 1)
        settle = process.store.evaluations.settle

        async def slow(symbol: str, hour_ms: int, failure: str | None) -> None:
            await settle(symbol, hour_ms, failure)
            clock.tick(1)

        process.store.evaluations.settle = slow  # type: ignore[method-assign]
        assert 1 <= await process.loop.make_due() <= 3
