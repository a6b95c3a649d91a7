"""Several processes on one real Redis: one load, one budget; and nothing breaks when Redis is sick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from app.core.clock import ManualClock
from app.core.errors import ProviderBadPayload, ProviderRateLimited, ProviderTimeout
from app.services.transport.cache import Cached, Freshness, ResourceCache
from app.services.transport.limits import EndpointLimit
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared import RedisStore, StoredBody
from app.services.transport.shared_limits import SharedQuota

FRESH = Freshness(fresh_ms=1000, error_ms=60_000)


class RedisServer(Protocol):
    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def connect(stack: AsyncExitStack) -> Callable[..., RedisLink]:
    def link(server: RedisServer, **options: Any) -> RedisLink:
        # Patient: on a busy machine a healthy Redis must not pass for a sick one.
        made = RedisLink(server.url, **{"timeout_s": 5.0, **options})
        stack.push_async_callback(made.aclose)
        return made

    return link


class Process:
    """One process: its own cache and connection, one upstream in common."""

    loads = 0

    def __init__(self, link: RedisLink, clock: ManualClock, prefix: str) -> None:
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.store = RedisStore(link, prefix=prefix)
        self.cache = ResourceCache(
            now_ms=clock.now_ms, shared=self.store, sleep=lambda _s: asyncio.sleep(0.002)
        )

    async def load(self) -> bytes:
        Process.loads += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return str(Process.loads).encode()

    async def fetch(self) -> Cached[int]:
        return await self.cache.fetch(
            "okx:ticker", load=self.load, parse=int, freshness=lambda _value, _fetched_ms: FRESH
        )

    async def renew(self) -> Cached[int]:
        return await self.cache.renew(
            "okx:ticker",
            load=self.load,
            parse=int,
            freshness=lambda _value, _fetched_ms: FRESH,
            max_age_ms=500,
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pair(
    redis_process: RedisServer,
    connect: Callable[..., RedisLink],
    clock: ManualClock,
    request: pytest.FixtureRequest,
) -> tuple[Process, Process]:
    Process.loads = 0
    prefix = f"{request.node.name}:"
    return (
        Process(connect(redis_process), clock, prefix),
        Process(connect(redis_process), clock, prefix),
    )


async def test_what_one_process_fetched_the_other_reuses(pair: tuple[Process, Process]) -> None:
    first = await pair[0].fetch()
    second = await pair[1].fetch()
    assert (first.state, second.state, second.value) == ("miss", "hit", 1)
    assert second.fetched_ms == first.fetched_ms
    assert Process.loads == 1


async def test_two_processes_at_once_make_one_load(pair: tuple[Process, Process]) -> None:
    pair[0].gate = pair[1].gate = asyncio.Event()
    both = [asyncio.create_task(process.fetch()) for process in pair]
    while not Process.loads:  # noqa: ASYNC110  the gate is ours, Redis' answer is not an event here
        await asyncio.sleep(0.001)
    pair[0].gate.set()
    assert {(await task).value for task in both} == {1}
    assert Process.loads == 1


@pytest.mark.parametrize("renewing", [False, True])
async def test_a_body_that_arrives_between_the_look_and_the_lock_is_not_fetched_again(
    pair: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch, renewing: bool
) -> None:
    first, second = pair
    lock = second.store.lock

    async def late(key: str, ttl_ms: int) -> str | None:
        # The other process fetches, shares and unlocks after this one has looked and before it locks.
        if not Process.loads:
            await first.fetch()
        return await lock(key, ttl_ms)

    monkeypatch.setattr(second.store, "lock", late)
    found = await (second.renew() if renewing else second.fetch())
    assert found.value == 1
    assert Process.loads == 1
    assert await lock("okx:ticker", 1000) is not None  # and the lock is free again


async def test_a_shared_body_that_is_too_old_is_fetched_again_by_one_of_them(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    await pair[0].fetch()
    clock.set(clock.now_ms() + 1000)
    assert (await pair[1].fetch()).value == 2
    assert (await pair[0].fetch()).value == 2
    assert Process.loads == 2


async def test_an_old_shared_body_stands_in_when_the_load_fails(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    await pair[0].fetch()
    clock.set(clock.now_ms() + 5000)
    pair[1].error = ProviderTimeout("okx", "ticker", "x")
    old = await pair[1].fetch()
    assert (old.value, old.state) == (1, "stale")


async def test_after_a_failed_load_the_lock_is_free(pair: tuple[Process, Process]) -> None:
    pair[0].error = ProviderTimeout("okx", "ticker", "x")
    with pytest.raises(ProviderTimeout):
        await pair[0].fetch()
    assert (await pair[1].fetch()).state == "miss"


async def test_a_body_another_release_wrote_is_ignored(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    await pair[0].store.put("okx:ticker", StoredBody(b"?", clock.now_ms()), 60_000)

    def parse(body: bytes) -> int:
        if body == b"?":
            raise ProviderBadPayload("okx", "ticker", "x")
        return int(body)

    found = await pair[1].cache.fetch(
        "okx:ticker", load=pair[1].load, parse=parse, freshness=lambda _value, _fetched_ms: FRESH
    )
    assert found.state == "miss"


async def test_a_lock_is_only_given_back_by_its_holder(pair: tuple[Process, Process]) -> None:
    store = pair[0].store
    token = await store.lock("k", 10_000)
    assert token
    await store.unlock("k", "somebody else")
    assert await store.lock("k", 10_000) is None
    await store.unlock("k", token)
    assert await store.lock("k", 10_000)


async def test_a_redis_that_never_was_costs_nothing_but_the_sharing(
    connect: Callable[..., RedisLink], clock: ManualClock
) -> None:
    class Nowhere:
        url = "redis://127.0.0.1:1/0"

    Process.loads = 0
    faults: list[str] = []
    link = connect(Nowhere(), observe=faults.append)
    process = Process(link, clock, "x:")
    assert (await process.fetch()).value == 1
    assert (await process.fetch()).state == "hit"
    assert faults
    assert not link.is_healthy


async def test_redis_stopping_and_returning_is_noticed_without_a_restart(
    own_redis: RedisServer, connect: Callable[..., RedisLink], clock: ManualClock
) -> None:
    Process.loads = 0
    faults: list[str] = []
    link = connect(own_redis, monotonic=clock.monotonic_s, rest_s=2.0, observe=faults.append)
    process = Process(link, clock, "x:")
    await process.fetch()
    own_redis.stop()
    clock.set(clock.now_ms() + 1000)
    assert (await process.fetch()).value == 2
    assert not link.is_healthy
    told = len(faults)
    own_redis.start()
    clock.tick(2)
    assert (await process.fetch()).value == 3
    assert link.is_healthy
    assert len(faults) == told
    assert await process.store.get("okx:ticker") == StoredBody(b"3", clock.now_ms())


async def test_a_burst_of_commands_is_no_fault(
    redis_process: RedisServer, connect: Callable[..., RedisLink], request: pytest.FixtureRequest
) -> None:
    faults: list[str] = []
    link = connect(redis_process, observe=faults.append)
    store = RedisStore(link, prefix=f"{request.node.name}:")
    tokens = await asyncio.gather(*(store.lock("k", 10_000) for _ in range(300)))
    assert len([token for token in tokens if token]) == 1
    assert faults == []


@pytest.mark.parametrize(
    "command",
    [("REPLICAOF", "127.0.0.1", "1"), ("CLIENT", "PAUSE", "60000", "ALL")],
    ids=["read-only", "slow"],
)
async def test_a_read_only_or_slow_redis_answers_from_memory(
    own_redis: RedisServer, connect: Callable[..., RedisLink], clock: ManualClock, command: tuple[str, ...]
) -> None:
    Process.loads = 0
    admin: Redis = Redis.from_url(own_redis.url)
    await admin.execute_command(*command)
    await admin.aclose()
    reasons: list[str] = []
    link = RedisLink(own_redis.url, timeout_s=0.05, observe=reasons.append)
    process = Process(link, clock, "x:")
    assert (await process.fetch()).value == 1
    assert reasons[0] in ("error", "timeout")
    await link.aclose()


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
    assert await spend(quota, 5) == 2  # of the eight that were left
    now_s[0] += 61
    assert await spend(quota, 9) == 3  # of the twelve


async def test_calls_made_without_redis_are_told_when_it_is_back(
    own_redis: RedisServer, connect: Callable[..., RedisLink]
) -> None:
    one = SharedQuota("p", connect(own_redis), calls=12)
    assert await spend(one, 4) == 4
    link = one._link
    healthy, link._resting_until_s = link._resting_until_s, float("inf")
    assert await spend(one, 5) == 2
    link._resting_until_s = healthy
    assert await spend(one, 1) == 1
    assert await spend(SharedQuota("p", connect(own_redis), calls=12), 20) == 5


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
