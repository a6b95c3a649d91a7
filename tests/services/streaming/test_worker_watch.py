"""Whether a web process notices that the worker beside it is gone, and does not ask for one nobody wants."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.status import DependencyState
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.streaming.worker_watch import EVERY_S, SILENT_S, START_S, WorkerWatch
from tests.flow_facts import report

OK, STARTING, DOWN = DependencyState.OK, DependencyState.STARTING, DependencyState.DOWN


class Rig:
    """One board, a worker that speaks when it is told to, and a web process that has just begun."""

    def __init__(self, *, is_expected: bool = True, **given: Any) -> None:
        self.clock = ManualClock()
        self.behind_ms = 0
        speed = given.get("speed", 1.0)
        warm = MemoryWarmCache(now_ms=self.clock.now_ms, monotonic=lambda: 0.0)
        self.board = StatusBoard(warm, now_ms=self.clock.now_ms, speed=speed)
        self.watch = WorkerWatch(
            self.board.read,
            is_expected=is_expected,
            now_ms=self.clock.now_ms,
            monotonic=self.clock.monotonic_s,
            **given,
        )

    async def speak(self, worker: str = "all", *, ago_ms: int = 0) -> None:
        await self.board.put(report(worker, as_of_ms=self.clock.now_ms() - ago_ms - self.behind_ms))

    async def after(self, seconds: float, *, speaks: bool = False) -> DependencyState:
        """Time passes as the loop sees it."""
        passed_s = 0.0
        while passed_s < seconds:
            step_s = min(EVERY_S, seconds - passed_s)
            passed_s += step_s
            self.clock.tick(step_s)
            if speaks:
                await self.speak()
            await self.watch.refresh()
        return self.watch.status().state


async def test_a_worker_that_speaks_is_ok_and_one_that_was_killed_is_down_with_the_age() -> None:
    rig = Rig()
    assert await rig.after(START_S, speaks=True) is OK
    assert await rig.after(SILENT_S) is OK
    assert await rig.after(65.0) is DOWN
    assert rig.watch.status().name == "worker"
    assert rig.watch.status().detail == "the last report is 95 s old"


async def test_it_is_still_down_when_its_last_report_has_gone_from_the_board_and_ok_when_it_is_back() -> None:
    rig = Rig(is_expected=False)
    await rig.after(5.0, speaks=True)
    assert await rig.after(3_600.0) is DOWN
    assert await rig.after(5.0, speaks=True) is OK


async def test_a_web_process_that_starts_late_does_not_take_an_old_report_for_life() -> None:
    rig = Rig()
    await rig.speak(ago_ms=300_000)
    await rig.watch.refresh()
    assert (rig.watch.status().state, rig.watch.status().detail) == (STARTING, "the last report is 300 s old")
    assert await rig.after(START_S) is DOWN


async def test_a_clock_that_is_set_back_makes_no_worker_silent() -> None:
    rig = Rig()
    await rig.after(START_S, speaks=True)
    rig.behind_ms = 90_000
    assert await rig.after(SILENT_S + 10.0, speaks=True) is OK


async def test_a_clock_of_another_host_makes_no_worker_silent() -> None:
    rig = Rig()
    rig.behind_ms = 120_000
    await rig.after(30.0, speaks=True)
    assert await rig.after(START_S, speaks=True) is OK


@pytest.mark.parametrize(("is_expected", "state"), [(True, DOWN), (False, STARTING)])
async def test_where_none_ever_spoke_only_an_expected_one_is_missed(
    is_expected: bool, state: DependencyState
) -> None:
    rig = Rig(is_expected=is_expected)
    assert await rig.after(START_S - 1) is STARTING
    assert await rig.after(1.0) is state
    assert "none has reported" in rig.watch.status().detail


async def test_one_of_several_workers_that_speaks_is_enough() -> None:
    rig = Rig()
    await rig.speak("ingest")
    await rig.after(START_S)
    await rig.speak("detect-1")
    await rig.watch.refresh()
    assert rig.watch.status().state is OK
