"""How many answers are made at once, who waits, who is refused, and the grace under overload."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.api import answer_cache
from app.api.answer_cache import GRACE_S, WAITING_PER_MAKE, AnswerCache
from app.api.errors import Overloaded
from app.core.clock import ManualClock


class Maker:
    """Makes numbered answers, each after its gate is opened."""

    def __init__(self) -> None:
        self.made = self.running = self.most = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> bytes:
        self.made += 1
        self.running += 1
        self.most = max(self.most, self.running)
        number = self.made
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return b"%d" % number


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_few_are_made_at_once_a_few_wait_and_the_rest_is_refused() -> None:
    cache, make = AnswerCache(reuse_s=1.0, monotonic=ManualClock().monotonic_s, max_makes=2), Maker()
    places = 2 * (1 + WAITING_PER_MAKE)
    asking = [asyncio.create_task(cache.get(number, make)) for number in range(places)]
    await turns()
    assert make.running == 2
    with pytest.raises(Overloaded):
        await cache.get("one more", make)
    same = asyncio.create_task(cache.get(0, make))  # one that is being made already needs no place
    make.gate.set()
    assert len({(await task).body for task in asking}) == places
    assert (await same).body == (await asking[0]).body
    assert make.most == 2
    assert (await cache.get("one more", make)).body


async def test_who_waits_too_long_for_a_turn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "TURN_WITHIN_S", 0.0)
    cache, make = AnswerCache(reuse_s=1.0, monotonic=ManualClock().monotonic_s, max_makes=1), Maker()
    first = asyncio.create_task(cache.get(1, make))
    await turns()
    with pytest.raises(Overloaded):
        await cache.get(2, make)
    make.gate.set()
    assert (await first).body == b"1"
    assert (await cache.get(2, make)).body == b"2"


async def test_a_maker_that_fails_gives_its_place_back() -> None:
    async def fail() -> bytes:
        raise ValueError

    cache, make = AnswerCache(reuse_s=1.0, monotonic=ManualClock().monotonic_s, max_makes=1), Maker()
    make.gate.set()
    for number in range(5):
        with pytest.raises(ValueError):
            await cache.get(number, fail)
    assert (await cache.get(9, make)).body == b"1"


class TestGrace:
    @pytest.fixture
    def parts(self) -> Any:
        clock, make, shedding = ManualClock(), Maker(), [False]
        make.gate.set()
        cache = AnswerCache(reuse_s=1.0, monotonic=clock.monotonic_s, is_shedding=lambda: shedding[0])
        return cache, clock, make, shedding

    async def test_nobody_waits_for_the_next_answer_while_questions_are_refused(self, parts: Any) -> None:
        cache, clock, make, shedding = parts
        await cache.get("BTC", make)
        clock.tick(1.1)
        shedding[0] = True
        make.gate.clear()
        assert [(await cache.get("BTC", make)).body for _ in range(3)] == [b"1"] * 3
        make.gate.set()
        await turns()
        assert (await cache.get("BTC", make)).body == b"2"
        assert make.made == 2

    async def test_not_longer_than_half_a_second(self, parts: Any) -> None:
        cache, clock, make, shedding = parts
        await cache.get("BTC", make)
        shedding[0] = True
        clock.tick(1.0 + GRACE_S)
        assert (await cache.get("BTC", make)).body == b"2"

    async def test_not_while_nobody_is_refused(self, parts: Any) -> None:
        cache, clock, make, _ = parts
        await cache.get("BTC", make)
        clock.tick(1.1)
        assert (await cache.get("BTC", make)).body == b"2"

    async def test_never_where_nothing_is_reused(self, parts: Any) -> None:
        _, _, make, _ = parts
        cache = AnswerCache(reuse_s=0.0, monotonic=ManualClock().monotonic_s, is_shedding=lambda: True)
        assert [(await cache.get("BTC", make)).body for _ in range(2)] == [b"1", b"2"]
