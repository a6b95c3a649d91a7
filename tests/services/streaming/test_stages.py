"""The worker's loops go on after a bug, and the bug is shown until it is long past."""

from __future__ import annotations

import asyncio
import logging

import pytest

from app.core.clock import ManualClock
from app.services.streaming import stages as stages_module
from app.services.streaming.stages import ALARM_S, Stages


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.stages = Stages(monotonic=self.clock.monotonic_s, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_faults_are_counted_by_loop_and_a_loop_without_one_counts_none(rig: Rig) -> None:
    ends = asyncio.Event()
    left = [ValueError("a bug"), KeyError("another")]

    async def stumble() -> None:
        if left:
            raise left.pop()
        ends.set()
        await asyncio.Event().wait()

    rig.stages.add("poll", stumble)
    rig.stages.add("keep", asyncio.Event().wait)  # type: ignore[arg-type]
    running = asyncio.create_task(rig.stages.run())
    await ends.wait()
    assert rig.stages.faults() == {"poll": 2, "keep": 0}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_loop_that_fails_starts_again_with_growing_pauses_and_an_alarm(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0
    done = asyncio.Event()

    async def loop() -> None:
        nonlocal starts
        starts += 1
        if starts < 9:
            raise NameError("a bug")
        done.set()
        await asyncio.Event().wait()

    rig.stages.add("detect", loop)
    with caplog.at_level(logging.CRITICAL):
        task = asyncio.create_task(rig.stages.run())
        async with asyncio.timeout(30):
            await done.wait()
    assert rig.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert rig.stages.alarms() == ("detect: failed 8 times since the start, last by NameError",)
    rig.clock.tick(ALARM_S)
    assert rig.stages.alarms() == ()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_loop_s_bug_leaves_the_others_running(rig: Rig) -> None:
    ticks = 0
    enough = asyncio.Event()

    async def healthy() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            if ticks > 50:
                enough.set()
            await asyncio.sleep(0)

    async def broken() -> None:
        raise ValueError("a bug")

    rig.stages.add("broken", broken)
    rig.stages.add("healthy", healthy)
    task = asyncio.create_task(rig.stages.run())
    async with asyncio.timeout(30):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ticks > 50


async def test_a_loop_that_returns_is_over(rig: Rig) -> None:
    runs = []

    async def once() -> None:
        runs.append(1)

    rig.stages.add("once", once)
    async with asyncio.timeout(30):
        await rig.stages.run()
    assert runs == [1]
    assert rig.stages.alarms() == ()


async def test_being_cancelled_is_no_fault(rig: Rig) -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    rig.stages.add("waits", waits)
    task = asyncio.create_task(rig.stages.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.stages.alarms() == ()


async def test_a_stage_that_did_not_hear_its_end_is_told_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stages_module, "_END_S", 0.01)
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while heard < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # as the wait_for of Python 3.11 does when both come at once
                heard += 1
        raise asyncio.CancelledError

    stages = Stages(monotonic=lambda: 0.0)
    stages.add("deaf", deaf)
    running = asyncio.create_task(stages.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert heard == 2
    assert [vars(record)["stage"] for record in caplog.records] == ["deaf"]


async def test_a_stage_that_ends_in_order_is_told_once() -> None:
    finished: list[str] = []

    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            finished.append("its sends")

    stages = Stages(monotonic=lambda: 0.0)
    stages.add("careful", careful)
    running = asyncio.create_task(stages.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert finished == ["its sends"]
