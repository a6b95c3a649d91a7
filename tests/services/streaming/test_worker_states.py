"""What a worker says of its parts, and what pipelines that end leave behind."""

from __future__ import annotations

import asyncio

import pytest

from app.core.domain.flow import PipelineStatus
from app.core.domain.status import DependencyState
from app.core.errors import BusUnavailable
from app.services.streaming.bus_backlog import BusBacklog
from app.services.streaming.pipeline_totals import PipelineTotals
from app.services.streaming.worker_state import alarm_state, bus_state, start_state


def status(events: int, *, symbols: int = 2, lag_ms: int | None = 100) -> PipelineStatus:
    return PipelineStatus(1_000, events, 1, 2, 3, 4, symbols, 5, {"kept": events}, lag_ms, 6)


def test_counts_of_a_pipeline_that_ended_stay_and_what_it_held_does_not() -> None:
    totals = PipelineTotals()
    totals.end(status(10))
    totals.end(status(20))
    found = totals.with_present([status(5, symbols=3, lag_ms=None)])
    assert found is not None
    assert (found.events, found.ticks, found.alerts["kept"]) == (35, 18, 35)
    assert (found.symbols, found.lag_ms) == (3, None)


def test_a_process_that_analysed_nothing_has_no_totals() -> None:
    assert PipelineTotals().with_present([]) is None


def test_a_part_that_fails_says_so() -> None:
    assert start_state(is_ready=False).state is DependencyState.STARTING
    assert start_state(is_ready=True).state is DependencyState.OK
    assert bus_state(is_up=True).state is DependencyState.OK
    assert bus_state(is_up=False).state is DependencyState.DOWN
    assert alarm_state(()).state is DependencyState.OK
    found = alarm_state(["poll: failed 1 times", "outbox: away"])
    assert (found.state, found.detail) == (DependencyState.DOWN, "poll: failed 1 times; outbox: away")


async def test_the_backlog_is_unknown_while_the_bus_is_away() -> None:
    answers: list[int | BusUnavailable] = [7, BusUnavailable("away"), 3]
    seen: list[int | None] = []

    class Log:
        async def waiting(self) -> int:
            answer = answers.pop(0)
            if isinstance(answer, BusUnavailable):
                raise answer
            return answer

    async def sleep(_seconds: float) -> None:
        seen.append(backlog.frames)
        if not answers:
            raise asyncio.CancelledError

    backlog = BusBacklog(Log(), sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await backlog.run()
    assert seen == [7, None, 3]
