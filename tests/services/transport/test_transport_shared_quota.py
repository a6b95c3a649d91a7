"""Several processes on one real Redis share one budget of calls, and go on carefully without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.core.errors import ProviderRateLimited
from app.services.transport.limits import EndpointLimit
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared_limits import SharedQuota
from tests.services.transport.conftest import RedisServer

Quotas = Callable[..., SharedQuota]


@pytest.fixture
def quotas(
    redis_process: RedisServer, connect: Callable[..., RedisLink], request: pytest.FixtureRequest
) -> Quotas:
    def make(
        calls: int | None, window_s: float = 60.0, classes: tuple[EndpointLimit, ...] = ()
    ) -> SharedQuota:
        return SharedQuota(
            "p",
            connect(redis_process),
            calls=calls,
            window_s=window_s,
            classes=classes,
            prefix=f"{request.node.name}:",
        )

    return make


async def spend(quota: SharedQuota, calls: int, endpoint: str = "e") -> int:
    """How many of `calls` immediate calls were let through."""
    passed = 0
    for _ in range(calls):
        try:
            slot = await quota.acquire(endpoint, 0)
        except ProviderRateLimited:
            continue
        quota.release(slot, sent=True)
        passed += 1
    await quota.settled()
    return passed


async def test_two_processes_share_one_budget(quotas: Quotas) -> None:
    one, two = quotas(10), quotas(10)
    passed = await asyncio.gather(spend(one, 10), spend(two, 10))
    assert sum(passed) == 10


async def test_requests_under_way_elsewhere_count(quotas: Quotas) -> None:
    one, two = quotas(1), quotas(1)
    slot = await one.acquire("e", 0)
    with pytest.raises(ProviderRateLimited):
        await two.acquire("e", 0)
    one.release(slot, sent=False)
    await one.settled()
    assert await spend(two, 1) == 1


async def test_a_refused_call_gives_its_own_slot_back(quotas: Quotas) -> None:
    one, two = quotas(5), quotas(5)
    await spend(one, 5)
    assert await spend(two, 1) == 0
    assert two.left() == 5


async def test_a_slot_of_another_process_is_waited_for(quotas: Quotas) -> None:
    one, two = quotas(1, 0.001), quotas(1, 0.001)
    assert await spend(one, 1) == 1
    two.release(await two.acquire("e", 5), sent=True)
    await two.settled()


async def test_a_pause_holds_for_every_process_and_is_never_cut(quotas: Quotas) -> None:
    one, two = quotas(100), quotas(100)
    one.pause(30)
    one.pause(1)
    await one.settled()
    with pytest.raises(ProviderRateLimited) as refused:
        await two.acquire("e", 0)
    assert refused.value.retry_after_s == pytest.approx(30, abs=2)


async def test_usage_headers_fill_the_shared_budget(quotas: Quotas) -> None:
    one, two = quotas(80), quotas(80)
    await spend(one, 1)
    one.observe_usage(78, 80)
    await one.settled()
    assert await spend(two, 5) == 2


async def test_absurd_usage_headers_fill_no_more_than_the_limit(quotas: Quotas) -> None:
    one, two = quotas(80), quotas(100)
    one.observe_usage(20_000_000, 20_000_000)
    one.observe_usage(None, 100_001)
    await one.settled()
    assert one.limit() == 80
    one.observe_usage(500, 80)
    await one.settled()
    assert await spend(two, 30) == 20


async def test_endpoint_classes_are_shared_too(quotas: Quotas) -> None:
    classes = (EndpointLimit(2, 60.0),)
    one, two = quotas(None, classes=classes), quotas(None, classes=classes)
    await spend(one, 1, "ticker")
    assert await spend(two, 5, "ticker") == 1
    assert await spend(two, 5, "candles") == 2


async def test_without_redis_a_process_takes_a_quarter_of_what_was_left_then_of_the_plan(
    own_redis: RedisServer, connect: Callable[..., RedisLink]
) -> None:
    """Four processes that each keep to their part stay inside the plan together."""
    now_s = [1_000.0]
    quota = SharedQuota("p", connect(own_redis), calls=12, monotonic=lambda: now_s[0])
    assert await spend(quota, 4) == 4
    own_redis.stop()
    now_s[0] += 5
    assert await spend(quota, 5) == 2  # of the eight that were left
    now_s[0] += 61
    assert await spend(quota, 9) == 3  # of the twelve


async def test_calls_made_without_redis_are_told_when_it_is_back(
    own_redis: RedisServer, connect: Callable[..., RedisLink]
) -> None:
    now_s = [1_000.0]
    one = SharedQuota("p", connect(own_redis), calls=12, monotonic=lambda: now_s[0])
    assert await spend(one, 4) == 4
    link = one._link
    healthy, link._resting_until_s = link._resting_until_s, float("inf")
    now_s[0] += 5
    assert await spend(one, 5) == 2
    link._resting_until_s = healthy
    assert await spend(one, 1) == 1
    assert await spend(SharedQuota("p", connect(own_redis), calls=12), 20) == 5


async def test_who_alone_got_no_answer_takes_nothing_while_the_others_spend_what_is_left(
    own_redis: RedisServer, connect: Callable[..., RedisLink]
) -> None:
    one, two = (SharedQuota("p", connect(own_redis), calls=12) for _ in range(2))
    assert await spend(one, 4) == 4
    one._link._resting_until_s = float("inf")
    assert await spend(two, 20) == 8
    with pytest.raises(ProviderRateLimited) as refused:
        await one.acquire("e", 0)
    assert 4 < (refused.value.retry_after_s or 0) <= 5


async def test_without_redis_a_pause_and_what_others_used_still_count(
    own_redis: RedisServer, connect: Callable[..., RedisLink]
) -> None:
    quota = SharedQuota("p", connect(own_redis), calls=3)
    assert await spend(quota, 2) == 2
    own_redis.stop()
    quota.pause(30)
    quota.observe_usage(1, 3)
    await quota.settled()
    with pytest.raises(ProviderRateLimited):
        await quota.acquire("e", 0)
