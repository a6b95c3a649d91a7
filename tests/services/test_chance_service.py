"""Chances out of a published fit: made once a day by one process, used by all while it is for now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.clock import ManualClock
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.signal import Direction
from app.core.domain.track_record import Calibrated, Mean
from app.core.errors import StorageUnavailable
from app.core.record.assembling import RecordColumns, RecordRows
from app.core.record.calibrator import Calibrator
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.services.chance_service import MAX_AGE_MS, ChanceService, Fitted
from app.services.storage.store import SqlStore
from tests.outcome_facts import T0_MS
from tests.record_rig import store_of
from tests.services.storage.conftest import database_url, postgres, postgres_template

__all__ = ["database_url", "postgres", "postgres_template"]


def line(slope: float) -> Calibrator:
    """Chance = slope * score / 100, seen from the trade's side."""
    return Calibrator("isotonic", None, None, (0.0, 100.0), (0.0, slope), n=900, base_rate=0.5)


def judged(*, is_shown: bool) -> Calibrated:
    why_not = "" if is_shown else "the score does not beat the base rate out of sample (skill -0.01)"
    return Calibrated(
        method="logistic",
        n=900,
        fitted_n=1_200,
        brier=0.24,
        base_brier=0.25,
        skill=0.04,
        gain=Mean(0.01, 0.002, 0.02, 900, 500.0),
        log_loss=0.67,
        base_log_loss=0.69,
        reliability=0.001,
        resolution=0.011,
        uncertainty=0.25,
        bins=(),
        is_shown=is_shown,
        why_not=why_not,
    )


class Processes:
    """Several processes over one database and one record."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.fitted: Fitted = (judged(is_shown=True), line(0.8), "")
        self.fits: list[str] = []

    async def _columns(self) -> RecordColumns:
        now_ms = self.clock.now_ms()
        return RecordRows("1.1.0").columns(tier_of=lambda symbol: 1, regimes={}, read_ms=now_ms)

    def _fit(self, _evaluations: Evaluations, outcomes: HorizonOutcomes) -> Fitted:
        self.fits.append(outcomes.horizon)
        return self.fitted

    def start(self, engine_version: str = "1.1.0") -> ChanceService:
        return ChanceService(
            columns=self._columns,
            claims=self.store.state,
            engine_version=engine_version,
            min_coverage_frac=0.5,
            data_mode="live",
            clock=self.clock,
            fit=self._fit,
        )


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[Processes]:
    clock = ManualClock(T0_MS)
    store = store_of(database_url, clock)
    await store.opened()
    yield Processes(store, clock)
    await store.close()


async def test_a_short_has_the_chance_of_the_mirrored_score(processes: Processes) -> None:
    service = processes.start()
    assert service.of(Direction.LONG, 70.0) == (None, "no calibration has been published yet")
    assert await service.keep_current()
    assert processes.fits == ["4h"]
    assert service.of(Direction.LONG, 70.0) == (pytest.approx(0.56), "")
    assert service.of(Direction.SHORT, 30.0) == (pytest.approx(0.56), "")
    assert service.of(Direction.NEUTRAL, 70.0) == (None, "no direction")


async def test_one_process_fits_and_the_others_read_it_within_the_hour(processes: Processes) -> None:
    services = [processes.start() for _ in range(3)]
    assert sum(await asyncio.gather(*(one.keep_current() for one in services))) == 1
    processes.clock.tick(3600)
    assert not any([await one.keep_current() for one in services])
    assert len(processes.fits) == 1
    assert [one.of(Direction.LONG, 50.0) for one in services] == [(pytest.approx(0.4), "")] * 3
    assert await processes.start().keep_current() is False


async def test_it_is_fitted_again_every_day_by_one_of_them(processes: Processes) -> None:
    services = [processes.start() for _ in range(3)]
    for day in range(4):
        processes.clock.set(T0_MS // DAY_MS * DAY_MS + day * DAY_MS)
        for _ in range(30):
            await asyncio.gather(*(one.keep_current() for one in services))
            processes.clock.tick(2_000)
        assert len(processes.fits) == day + 1


async def test_a_kill_while_fitting_costs_an_hour_when_there_is_none(processes: Processes) -> None:
    dying, other = processes.start(), processes.start()

    def dies(_evaluations: Evaluations, _outcomes: HorizonOutcomes) -> Fitted:
        raise MemoryError

    dying._fit = dies
    with pytest.raises(MemoryError):
        await dying.keep_current()
    assert await other.keep_current() is False
    processes.clock.tick(3600)
    assert await other.keep_current() is True


async def test_why_there_is_no_chance_is_published_too(processes: Processes) -> None:
    few, poor = "the record holds 12 of the 400 outcomes", judged(is_shown=False)
    told: list[tuple[Fitted, str]] = [((None, None, few), few), ((poor, None, poor.why_not), poor.why_not)]
    for day, (fitted, why_not) in enumerate(told):
        processes.fitted = fitted
        processes.clock.set(T0_MS + day * DAY_MS)
        service = processes.start()
        await service.keep_current()
        reader = processes.start()
        await reader.keep_current()
        for one in (service, reader):
            assert one.of(Direction.SHORT, 20.0) == (None, why_not)


async def test_an_old_fit_one_of_another_engine_and_one_of_a_later_time_are_not_used(
    processes: Processes,
) -> None:
    service = processes.start()
    await service.keep_current()
    processes.clock.tick(MAX_AGE_MS / 1000)
    assert service.of(Direction.LONG, 60.0)[0] is not None
    processes.clock.tick(1)
    assert service.of(Direction.LONG, 60.0) == (None, "the calibration is 3 days old")
    processes.clock.set(T0_MS - HOUR_MS)
    assert service.of(Direction.LONG, 60.0) == (None, "the calibration knows what has not happened yet")
    processes.clock.set(T0_MS)
    newer = processes.start("2.0.0")
    await newer._read()
    assert newer.of(Direction.LONG, 60.0) == (None, "the calibration is of engine 1.1.0, this is 2.0.0")
    processes.clock.tick(3600)
    assert await newer.keep_current()  # so it fits one of its own at once
    assert newer.of(Direction.LONG, 60.0)[0] is not None


async def test_while_the_database_is_away_what_is_held_stays_in_use(processes: Processes) -> None:
    service = processes.start()
    await service.keep_current()
    processes.store._gate.fall_silent(StorageUnavailable("away"))
    processes.clock.tick(2 * 3600)
    with pytest.raises(StorageUnavailable):
        await service.keep_current()
    assert service.of(Direction.LONG, 60.0)[0] is not None
    processes.store._gate.hear()
