"""Several processes on one real Redis: one load, one budget; and nothing breaks when Redis is sick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from app.core.clock import ManualClock
from app.core.errors import ProviderBadPayload, ProviderTimeout
from app.services.transport.cache import Cached, Freshness, ResourceCache
from app.services.transport.redis_link import RedisLink
from app.services.transport.shared import RedisStore, StoredBody
from tests.services.transport.conftest import RedisServer

FRESH = Freshness(fresh_ms=1000, error_ms=60_000)


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
