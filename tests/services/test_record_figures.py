"""The record for the metrics: rates only where there are trades, and none that are old."""

from __future__ import annotations

import asyncio

import pytest

from app.core.domain.track_record import RecordAnswer
from app.core.errors import StorageUnavailable
from app.services.record_figures import EVERY_S, FIRST_S, HorizonFigures, RecordFigures
from tests.track_facts import horizon, record, trades


def answer() -> RecordAnswer:
    told = record(
        horizons=(horizon("1h", trades(scored=0)), horizon("4h", trades(scored=200, wins=80, net=-0.001)))
    )
    return RecordAnswer(0, 0, told, "", "")


async def test_a_horizon_without_an_outcome_has_a_count_and_no_rate() -> None:
    async def read() -> RecordAnswer:
        return answer()

    figures = RecordFigures(read)
    assert figures.horizons == ()
    await figures.refresh()
    assert figures.horizons == (HorizonFigures("1h", 0, None, None), HorizonFigures("4h", 200, 0.4, -0.001))


async def test_it_reads_on_and_forgets_what_it_cannot_read_any_more() -> None:
    told: list[RecordAnswer | StorageUnavailable] = [answer(), StorageUnavailable("away"), answer()]
    pauses: list[float] = []
    seen: list[int] = []

    async def read() -> RecordAnswer:
        found = told.pop(0)
        if isinstance(found, StorageUnavailable):
            raise found
        return found

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        seen.append(len(figures.horizons))
        if not told:
            raise asyncio.CancelledError

    figures = RecordFigures(read, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await figures.run()
    assert pauses == [FIRST_S, EVERY_S, EVERY_S, EVERY_S]
    assert seen == [0, 2, 0, 2]
