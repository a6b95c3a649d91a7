"""The record of scheduled evaluations, put together over the ground of a process. A part of `bootstrap`.

Every process makes it alike: claims in the store decide who evaluates an hour, follows outcomes and fits the
calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.bootstrap_base import Base
from app.core.backtest.engine_record import engine_record
from app.core.domain.engine_config import EngineConfig
from app.core.domain.symbol import Symbol
from app.core.signal_engine import ENGINE_VERSION
from app.services.calibration_service import CandlesNow
from app.services.chance_service import ChanceService
from app.services.evaluation_outcomes import EvaluationOutcomes
from app.services.hourly_evaluations import Evaluate, HourlyEvaluations
from app.services.record_reading import RecordReader
from app.services.streaming.funding_paid import PaidFunding
from app.services.streaming.stages import Stages
from app.services.track_record_service import KEEP_S, TrackRecordService


@dataclass(frozen=True, slots=True)
class Record:
    """What answers and signals ask of the record. chances: also to be run (`record_stages`)."""

    track: TrackRecordService
    chances: ChanceService


def record_of(base: Base, resolve: Callable[[str], Symbol], engine: EngineConfig) -> Record:
    """The record as it is read. engine: whose thresholds and weights the simple rules beside it have."""
    store, clock, speed = base.store, base.clock, base.settings.market_speed()
    reader = RecordReader(
        evaluations=store.evaluations,
        outcomes=store.signal_outcomes,
        bars=store.bars,
        tier_of=base.flow.tier_of,
        clock=clock,
        engine_version=ENGINE_VERSION,
    )
    track = TrackRecordService(
        reader=reader,
        evaluations=store.evaluations,
        trades=store.trades,
        hours=store.evaluations,
        engine_version=ENGINE_VERSION,
        verify=store.verify,
        build=partial(engine_record, config=engine),
        why_no_probability=lambda: chances.why_none(),  # it learns from the record, so it is made after it
        resolve=resolve,
        clock=clock,
        # Minutes of the market: a fast replay has hours of it in one of ours.
        keep_s=KEEP_S / speed,
    )
    chances = ChanceService(
        columns=track.columns,
        claims=store.state,
        engine_version=ENGINE_VERSION,
        min_coverage_frac=engine.least_coverage_frac,
        data_mode=base.settings.data_mode,
        clock=clock,
        speed=speed,
    )
    return Record(track, chances)


def record_stages(base: Base, record: Record, evaluate: Evaluate, candles: CandlesNow) -> Stages:
    """The loops that make the record: evaluations, their outcomes, the calibration."""
    store, clock, speed = base.store, base.clock, base.settings.market_speed()
    evaluations = HourlyEvaluations(
        evaluate=evaluate,
        hours=store.evaluations,
        flush=store.signals.flush,
        coins=lambda: _watched(base),
        clock=clock,
        speed=speed,
    )
    outcomes = EvaluationOutcomes(
        evaluations=store.evaluations,
        outcomes=store.signal_outcomes,
        claims=store.state,
        candles=candles,
        funding=PaidFunding(base.okx, monotonic=clock.monotonic_s),
        tier_of=base.flow.tier_of,
        clock=clock,
        speed=speed,
    )
    stages = Stages(monotonic=clock.monotonic_s)
    if base.settings.hourly_evaluations:
        stages.add("evaluations", evaluations.run)
    stages.add("evaluation outcomes", outcomes.run)
    stages.add("calibration", record.chances.run)
    return stages


async def _watched(base: Base) -> Sequence[str]:
    """The coins that are followed, as the store has them where it answers: an hour is evaluated once."""
    await base.watchlist.load()
    return base.watchlist.symbols()
