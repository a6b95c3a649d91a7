"""The planner in virtual time: whom it asks, what it leaves alone, what it leaves for others."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.core.errors import ProviderError, ProviderPlanLimited, ProviderRateLimited, ProviderUnavailable
from app.services.transport.cache import Cached, Freshness, ResourceCache
from app.services.transport.limits import Quota, background_calls
from app.services.transport.planner import FORGOTTEN, MAX_RESOURCES, BudgetPlanner
from app.services.transport.resource import Resource
from bench.virtual_time import run_virtual

Work = Callable[["Rig"], Coroutine[Any, Any, None]]


def resource(name: str, **params: str) -> Resource[bytes]:
    return Resource(
        name, f"/{name}", params, lambda body: body, lambda _v, _at: Freshness(60_000, 0, 600_000)
    )


class Rig:
    """A planner over the real cache and quota; `fails` says what an endpoint answers instead."""

    def __init__(self, calls: int, min_period_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.now_s = loop.time
        self.quota = Quota("p", calls=calls, window_s=60.0, monotonic=loop.time)
        self.cache = ResourceCache(now_ms=lambda: int(loop.time() * 1000))
        self.asked: list[tuple[float, str]] = []
        self.fails: dict[str, ProviderError] = {}
        self.planner = BudgetPlanner(
            self, self.quota, min_period_s=lambda _endpoint: min_period_s, monotonic=loop.time
        )

    def key(self, wanted: Resource[Any]) -> str:
        return f"p:{wanted.endpoint}?{sorted(wanted.params.items())}"

    def age_ms(self, key: str) -> int | None:
        return self.cache.age_ms(key)

    def fresh_for_ms(self, key: str) -> int:
        return self.cache.fresh_for_ms(key)

    async def renew(self, wanted: Resource[Any], max_age_ms: int) -> Cached[Any]:
        async def load() -> bytes:
            slot = await self.quota.acquire(wanted.endpoint, 0.0, background=True)
            self.asked.append((self.now_s(), wanted.endpoint))
            await asyncio.sleep(0.2)
            self.quota.release(slot, sent=True)
            if wanted.endpoint in self.fails:
                raise self.fails[wanted.endpoint]
            return b"x"

        return await self.cache.renew(
            self.key(wanted), load=load, parse=wanted.parse, freshness=wanted.freshness, max_age_ms=max_age_ms
        )

    async def question(self, wanted: Resource[Any]) -> None:
        """Renew it outside the planner's share, as an answer to somebody does."""

        async def load() -> bytes:
            return b"x"

        await self.cache.renew(
            self.key(wanted), load=load, parse=wanted.parse, freshness=wanted.freshness, max_age_ms=1
        )

    def want(self, wanted: Resource[Any], times: int = 1) -> None:
        for _ in range(times):
            self.planner.asked(wanted, self.key(wanted))

    def counts(self, since_s: float = 0.0) -> Counter[str]:
        return Counter(name for at_s, name in self.asked if at_s >= since_s)


def simulate(work: Work, *, calls: int = 60, min_period_s: float = 1.0) -> Rig:
    async def run() -> Rig:
        rig = Rig(calls, min_period_s)
        await work(rig)
        await rig.planner.close()
        await rig.cache.aclose()
        return rig

    return run_virtual(run())


def test_rates_follow_the_square_root_of_demand() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.start()
        for _ in range(900):
            for n in range(10):
                rig.want(resource("hot", n=str(n)), 9)
                rig.want(resource("cool", n=str(n)), 1)
            await asyncio.sleep(1)

    counts = simulate(work, min_period_s=0.1).counts(since_s=120)
    assert counts["hot"] / counts["cool"] == pytest.approx(3.0, rel=0.1)


def test_a_list_for_all_coins_wins_by_the_sum_of_its_questions() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.start()
        for _ in range(300):
            for n in range(4):
                rig.want(resource("bulk"))
                rig.want(resource(f"coin{n}"))
            await asyncio.sleep(1)

    counts = simulate(work, min_period_s=0.1).counts(since_s=60)
    assert counts["bulk"] == pytest.approx(2 * counts["coin0"], rel=0.15)


def test_nothing_is_asked_faster_than_the_provider_renews_it() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.start()
        for _ in range(300):
            rig.want(resource("list"), 50)
            await asyncio.sleep(1)

    times = [at_s for at_s, _ in simulate(work, min_period_s=20.0).asked]
    assert all(later - earlier >= 20.0 for earlier, later in itertools.pairwise(times))
    assert len(times) >= 13


def test_what_nobody_asks_for_costs_nothing_and_is_forgotten() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.start()
        rig.want(resource("once"))
        await asyncio.sleep(3_000)
        assert rig.planner.plan().resources
        await asyncio.sleep(1_200)
        rig.asked.clear()
        await asyncio.sleep(3_600)
        assert rig.planner.plan().resources == ()

    assert simulate(work).asked == []
    assert 0.5**6 < FORGOTTEN < 0.5**5


def test_the_watchlist_is_warm_without_any_question() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.watch([resource("watched")])
        rig.planner.start()
        await asyncio.sleep(7_200)
        assert [row.is_watched for row in rig.planner.plan().resources] == [True]
        rig.planner.watch([])
        await asyncio.sleep(60)
        assert rig.planner.plan().resources == ()

    assert len(simulate(work, min_period_s=60.0).asked) >= 115


def test_never_more_than_the_background_share_and_the_reserve_stays_for_questions() -> None:
    async def work(rig: Rig) -> None:
        for n in range(200):
            rig.want(resource(f"r{n}"))
        rig.planner.start()
        for _ in range(10):
            await asyncio.sleep(30)
            slot = await rig.quota.acquire("question", 0.0)  # refused at once were the reserve gone
            rig.quota.release(slot, sent=True)

    rig = simulate(work, calls=30, min_period_s=0.1)
    times = [at_s for at_s, _ in rig.asked]
    most = max(sum(at <= other < at + 60 for other in times) for at in times)
    assert most <= background_calls(30) == 24
    assert most >= 22


def test_calls_are_spread_over_the_minute() -> None:
    async def work(rig: Rig) -> None:
        for n in range(100):
            rig.want(resource(f"r{n}"))
        rig.planner.start()
        await asyncio.sleep(120)

    times = [at_s for at_s, _ in simulate(work, calls=60, min_period_s=0.1).asked]
    in_five_s = max(sum(at <= other < at + 5 for other in times) for at in times)
    assert in_five_s <= 48 / 60 * 5 + 3


def test_usage_by_another_program_slows_the_planner_down() -> None:
    async def work(rig: Rig) -> None:
        for n in range(100):
            rig.want(resource(f"r{n}"))
        rig.quota.observe_usage(58, 60)
        rig.planner.start()
        await asyncio.sleep(30)

    assert simulate(work, calls=60, min_period_s=0.1).asked == []


@pytest.mark.parametrize(
    ("error", "least_s"),
    [
        (ProviderRateLimited("p", "bad", "wait", retry_after_s=120.0), 120.0),
        (ProviderPlanLimited("p", "bad", "not in plan"), 600.0),
        (ProviderUnavailable("p", "bad", "down"), 5.0),
    ],
)
def test_a_refused_resource_is_left_alone_as_long_as_it_was_told(
    error: ProviderError, least_s: float
) -> None:
    async def work(rig: Rig) -> None:
        rig.fails["bad"] = error
        rig.planner.watch([resource("bad"), resource("good")])
        rig.planner.start()
        await asyncio.sleep(900)

    rig = simulate(work, min_period_s=1.0)
    times = [at_s for at_s, name in rig.asked if name == "bad"]
    assert all(later - earlier >= least_s for earlier, later in itertools.pairwise(times))
    assert len(times) < 12
    assert rig.counts()["good"] > 400


def test_histories_are_asked_when_their_bar_is_due_and_not_before() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.watch([resource("history", interval="1m")])
        rig.planner.start()
        await asyncio.sleep(600)

    times = [at_s for at_s, _ in simulate(work, min_period_s=1.0).asked]
    assert all(later - earlier >= 60.0 for earlier, later in itertools.pairwise(times))
    assert len(times) == 10


def test_the_number_of_remembered_resources_is_bounded() -> None:
    async def work(rig: Rig) -> None:
        rig.want(resource("wanted"), 5)
        for n in range(MAX_RESOURCES + 50):
            rig.want(resource("any", n=str(n)))
        rows = rig.planner.plan().resources
        assert len(rows) == MAX_RESOURCES
        assert "wanted" in {row.endpoint for row in rows}

    simulate(work)


def test_a_young_process_claims_no_efficiency_from_values_in_their_first_period() -> None:
    """400 lists at 48 calls a minute come round every 500 s: values before that are young, not fresh."""

    async def work(rig: Rig) -> None:
        rig.planner.watch([resource(f"r{n}") for n in range(400)])
        rig.planner.start()
        await asyncio.sleep(480)
        assert rig.planner.plan().efficiency is None

    simulate(work, calls=60)


def test_efficiency_is_at_most_one_however_often_questions_renew() -> None:
    async def work(rig: Rig) -> None:
        wanted = [resource(f"r{n}") for n in range(40)]
        rig.planner.watch(wanted)
        rig.planner.start()
        for _ in range(600):
            for one in wanted:
                await rig.question(one)
            await asyncio.sleep(1)
        assert rig.planner.plan().efficiency == 1.0

    simulate(work, calls=60)


def test_the_plan_shows_age_period_next_poll_and_efficiency() -> None:
    async def work(rig: Rig) -> None:
        rig.planner.watch([resource(f"r{n}") for n in range(40)])
        rig.planner.start()
        await asyncio.sleep(600)
        plan = rig.planner.plan()
        assert plan.calls_per_minute == background_calls(60)
        assert plan.efficiency is not None
        assert 0.85 < plan.efficiency <= 1.0
        assert plan.next_poll_s is not None
        row = plan.resources[0]
        assert row.age_s is not None
        assert (row.outcome, row.min_period_s) == ("ok", 1.0)
        assert row.period_s == pytest.approx(50.0)

    simulate(work, calls=60)
