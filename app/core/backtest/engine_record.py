"""The record of an engine with everything that was ever tried counted in: the same live and in a backtest."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.backtest.variants import ever_tried
from app.core.domain.engine_config import EngineConfig
from app.core.domain.signal import Mode
from app.core.domain.track_record import TrackRecord
from app.core.record.columns import Evaluations, HorizonOutcomes
from app.core.record.report import build_record


def engine_record(
    evaluations: Evaluations,
    outcomes: Sequence[HorizonOutcomes],
    config: EngineConfig,
    *,
    symbol: str | None,
) -> TrackRecord:
    """`build_record` under the thresholds of `config`, with its variants. Raises: see there."""
    return build_record(
        evaluations,
        outcomes,
        symbol=symbol,
        thresholds=config.thresholds[Mode.BALANCED],
        variants=ever_tried(config),
        min_coverage_frac=config.least_coverage_frac,
    )
