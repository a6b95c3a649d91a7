"""The cache: one load per key, old values while refreshing or failing, callers that give up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.errors import ProviderTimeout, ProviderUnavailable
from app.services.transport.cache import Cached, Freshness, ResourceCache

FRESH = Freshness(fresh_ms=1000, revalidate_ms=2000, error_ms=10_000)


class Origin:
    """Counts loads; answers "1", "2", ... unless told to fail or to wait."""

    def __init__(self) -> None:
        self.loads = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def load(self) -> bytes:
        self.loads += 1
        number = self.loads
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return str(number).encode()


class Rig:
    def __init__(self, **options: object) -> None:
        self.clock = ManualClock()
        self.origin = Origin()
        self.counts: list[tuple[str, str]] = []
        self.cache = ResourceCache(
            now_ms=self.clock.now_ms,
            observe=lambda provider, state: self.counts.append((provider, state)),
            **options,  # type: ignore[arg-type]
        )

    def fetch(
        self, key: str = "okx:ticker", freshness: Freshness = FRESH
    ) -> Coroutine[Any, Any, Cached[int]]:
        return self.cache.fetch(
            key, load=self.origin.load, parse=int, freshness=lambda _value, _fetched_ms: freshness
        )

    def advance(self, step_ms: int) -> None:
        """Move market time; process time stays."""
        self.clock.set(self.clock.now_ms() + step_ms)

    async def rest(self) -> None:
        """Let background loads run to their end."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_the_second_ask_is_a_hit_with_the_time_of_the_first(rig: Rig) -> None:
    first = await rig.fetch()
    rig.advance(999)
    second = await rig.fetch()
    assert (first.value, first.state) == (1, "miss")
    assert (second.value, second.state, second.fetched_ms) == (1, "hit", first.fetched_ms)
    assert rig.counts == [("okx", "miss"), ("okx", "hit")]


async def test_fifty_callers_make_one_load(rig: Rig) -> None:
    found = await asyncio.gather(*(rig.fetch() for _ in range(50)))
    assert rig.origin.loads == 1
    assert {cached.value for cached in found} == {1}


async def test_an_old_value_is_served_at_once_while_it_is_refreshed(rig: Rig) -> None:
    await rig.fetch()
    rig.advance(1500)
    old = await rig.fetch()
    assert (old.value, old.state) == (1, "stale")
    await rig.rest()
    assert rig.origin.loads == 2
    assert (await rig.fetch()).value == 2


async def test_a_value_past_revalidation_is_awaited(rig: Rig) -> None:
    await rig.fetch()
    rig.advance(3000)
    assert ((await rig.fetch()).value, rig.origin.loads) == (2, 2)


async def test_a_failed_refresh_serves_the_old_value_marked_stale(rig: Rig) -> None:
    first = await rig.fetch()
    rig.advance(10_999)
    rig.origin.error = ProviderTimeout("okx", "ticker", "x")
    old = await rig.fetch()
    assert (old.value, old.state, old.fetched_ms) == (1, "stale", first.fetched_ms)


async def test_a_refresh_that_hangs_serves_the_old_value_after_a_moment_and_is_kept_when_it_ends() -> None:
    rig = Rig(patience_s=0.0)
    first = await rig.fetch()
    rig.advance(10_000)
    rig.origin.gate = asyncio.Event()
    for _ in range(3):
        old = await rig.fetch()
        assert (old.value, old.state, old.fetched_ms) == (1, "stale", first.fetched_ms)
    rig.origin.gate.set()
    await rig.rest()
    assert ((await rig.fetch()).value, rig.origin.loads) == (2, 2)


async def test_without_a_value_young_enough_a_slow_refresh_is_awaited() -> None:
    rig = Rig(patience_s=0.0)
    await rig.fetch()
    rig.advance(11_000)
    rig.origin.gate = asyncio.Event()
    waiting = asyncio.create_task(rig.fetch())
    await rig.rest()
    assert not waiting.done()
    rig.origin.gate.set()
    assert (await waiting).value == 2


async def test_a_refresh_within_the_patience_is_the_answer(rig: Rig) -> None:
    await rig.fetch()
    rig.advance(5000)
    rig.origin.gate = asyncio.Event()
    waiting = asyncio.create_task(rig.fetch())
    await rig.rest()
    rig.origin.gate.set()
    assert ((await waiting).value, (await waiting).state) == (2, "miss")


async def test_a_value_too_old_does_not_hide_the_error(rig: Rig) -> None:
    await rig.fetch()
    rig.advance(11_000)
    rig.origin.error = ProviderTimeout("okx", "ticker", "x")
    with pytest.raises(ProviderTimeout):
        await rig.fetch()


async def test_an_error_is_not_remembered(rig: Rig) -> None:
    rig.origin.error = ProviderUnavailable("okx", "ticker", "x")
    results = await asyncio.gather(*(rig.fetch() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, ProviderUnavailable) for result in results)
    rig.origin.error = None
    assert (await rig.fetch()).value == 2


async def test_a_caller_that_gives_up_neither_stops_nor_spoils_the_load(rig: Rig) -> None:
    rig.origin.gate = asyncio.Event()
    hasty = asyncio.create_task(rig.fetch())
    patient = asyncio.create_task(rig.fetch())
    await rig.rest()
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    rig.origin.gate.set()
    assert (await patient).value == 1
    assert rig.origin.loads == 1


async def test_a_load_that_fails_after_everyone_left_warns_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.origin.gate = asyncio.Event()
    rig.origin.error = ProviderTimeout("okx", "ticker", "x")
    caller = asyncio.create_task(rig.fetch())
    await rig.rest()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    rig.origin.gate.set()
    await rig.rest()
    del caller
    assert caplog.text == ""


async def test_a_bug_in_a_background_refresh_is_reported(rig: Rig) -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    await rig.fetch()
    rig.advance(1500)
    rig.origin.error = KeyError("bug")
    assert (await rig.fetch()).state == "stale"
    await rig.rest()
    assert [type(context["exception"]) for context in reported] == [KeyError]


async def test_settled_is_what_has_no_load_behind_an_answer_in_siblings_too(rig: Rig) -> None:
    sibling = rig.cache.sibling(max_entries=4)
    await rig.cache.settled()
    await rig.fetch()
    rig.advance(1500)
    rig.origin.gate = asyncio.Event()
    slow = asyncio.create_task(
        sibling.fetch("okx:bars", load=rig.origin.load, parse=int, freshness=lambda _value, _ms: FRESH)
    )
    assert (await rig.fetch()).state == "stale"
    waiting = asyncio.create_task(rig.cache.settled())
    await rig.rest()
    assert not waiting.done()
    rig.origin.gate.set()
    await waiting
    assert slow.done() or (await slow).state == "miss"
    assert rig.origin.loads == 3


async def test_a_value_from_the_future_is_loaded_again(rig: Rig) -> None:
    await rig.fetch()
    rig.advance(-500)
    assert (await rig.fetch()).value == 2
    rig.advance(-500)
    rig.origin.error = ProviderTimeout("okx", "ticker", "x")
    assert (await rig.fetch()).state == "stale"


async def test_the_number_of_values_is_bounded() -> None:
    rig = Rig(max_entries=3)
    for number in range(10):
        await rig.fetch(f"okx:{number}")
    await rig.fetch("okx:9")
    assert rig.origin.loads == 10
    await rig.fetch("okx:0")
    assert rig.origin.loads == 11


async def test_clearing_forgets_values_and_loads_under_way(rig: Rig) -> None:
    rig.origin.gate = asyncio.Event()
    waiting = asyncio.create_task(rig.fetch())
    await rig.rest()
    await rig.cache.clear()
    rig.origin.gate.set()
    assert (await waiting).value == 1
    assert (await rig.fetch()).value == 2


async def test_closing_stops_loads_under_way(rig: Rig) -> None:
    rig.origin.gate = asyncio.Event()
    waiting = asyncio.create_task(rig.fetch())
    await rig.rest()
    await rig.cache.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_freshness_is_asked_with_the_value_and_its_time(rig: Rig) -> None:
    asked: list[tuple[int, int]] = []

    def freshness(value: int, fetched_ms: int) -> Freshness:
        asked.append((value, fetched_ms))
        return FRESH

    await rig.cache.fetch("okx:x", load=rig.origin.load, parse=int, freshness=freshness)
    assert asked == [(1, rig.clock.now_ms())]
