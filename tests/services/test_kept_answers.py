"""Answers that take long: one at a time, kept for a while, failures and goers forgotten."""

from __future__ import annotations

import asyncio

import pytest

from app.core.clock import ManualClock
from app.services.kept_answers import KeptAnswers


class Maker:
    def __init__(self) -> None:
        self.made = 0
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return number


def kept(clock: ManualClock) -> KeptAnswers[str, int]:
    return KeptAnswers(keep_s=60.0, max_keys=2, monotonic=clock.monotonic_s)


async def test_an_answer_is_kept_for_its_time() -> None:
    clock, make = ManualClock(), Maker()
    answers = kept(clock)
    assert [await answers.get("a", make) for _ in range(3)] == [1, 1, 1]
    clock.tick(60)
    assert await answers.get("a", make) == 2


async def test_many_at_once_wait_for_one_and_a_goer_takes_it_from_nobody() -> None:
    make = Maker()
    answers = kept(ManualClock())
    make.go.clear()
    first, *others = [asyncio.ensure_future(answers.get("a", make)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    make.go.set()
    assert await asyncio.gather(*others) == [1, 1, 1, 1]
    assert first.cancelled() or first.done()


async def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    make = Maker()
    answers = kept(ManualClock())
    make.error = ValueError("no")
    found = await asyncio.gather(*(answers.get("a", make) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError, ValueError]
    make.error = None
    assert await answers.get("a", make) == 2


async def test_of_many_keys_the_oldest_is_forgotten() -> None:
    make = Maker()
    answers = kept(ManualClock())
    for key in ("a", "b", "c"):
        await answers.get(key, make)
    assert await answers.get("c", make) == 3
    assert await answers.get("a", make) == 4


async def test_a_failure_that_nobody_waits_for_is_no_noise() -> None:
    make = Maker()
    answers = kept(ManualClock())
    make.error = ValueError("no")
    make.go.clear()
    task = asyncio.ensure_future(answers.get("a", make))
    await asyncio.sleep(0)
    task.cancel()
    make.go.set()
    await asyncio.sleep(0)
    with pytest.raises(ValueError):
        await answers.get("a", make)


async def test_within_its_grace_an_old_answer_is_given_while_a_new_one_is_made() -> None:
    clock, make = ManualClock(), Maker()
    answers = KeptAnswers[str, int](keep_s=60.0, max_keys=2, monotonic=clock.monotonic_s, grace_s=600.0)
    assert await answers.get("a", make) == 1
    make.go.clear()
    clock.tick(61)
    assert [await answers.get("a", make) for _ in range(3)] == [1, 1, 1]  # nobody waits
    make.go.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert await answers.get("a", make) == 2
    assert make.made == 2
    clock.tick(661)
    assert await answers.get("a", make) == 3  # too old to be given: waited for


async def test_a_renewal_that_fails_leaves_the_old_answer_and_is_tried_again() -> None:
    clock, make = ManualClock(), Maker()
    answers = KeptAnswers[str, int](keep_s=60.0, max_keys=2, monotonic=clock.monotonic_s, grace_s=600.0)
    assert await answers.get("a", make) == 1
    clock.tick(61)
    make.error = ValueError("no")
    for _ in range(2):
        assert await answers.get("a", make) == 1
        for _ in range(3):
            await asyncio.sleep(0)
    assert make.made == 3
    make.error = None
    assert await answers.get("a", make) == 1
    for _ in range(3):
        await asyncio.sleep(0)
    assert await answers.get("a", make) == 4
