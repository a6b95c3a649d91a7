"""The record: what was said, what became of it, what simple rules would have earned, and how sure all is.

The same for live evaluations and for backtests. Pure and deterministic: the same rows give the same record.
Called by the record service and by the backtest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.core.domain.engine_config import Thresholds
from app.core.domain.outcomes import RECORD_HORIZON
from app.core.domain.track_record import (
    ENOUGH_EFFECTIVE_N,
    DeflatedSharpe,
    Group,
    HorizonRecord,
    TrackRecord,
)
from app.core.errors import InvariantViolation
from app.core.record.at_random import score_random
from app.core.record.baselines import baselines
from app.core.record.columns import LONG, NEUTRAL, SHORT, Evaluations, Flags, HorizonOutcomes
from app.core.record.daily import deflate
from app.core.record.groups import parts_of
from app.core.record.notes import write_notes
from app.core.record.probability import fit_calibrator
from app.core.record.trades import Rule, score_rules

ENGINE = "engine"


def build_record(
    evaluations: Evaluations,
    outcomes: Sequence[HorizonOutcomes],
    *,
    symbol: str | None,
    thresholds: Thresholds,
    variants: int,
    min_coverage_frac: float,
    headline: str = RECORD_HORIZON,
) -> TrackRecord:
    """One record of these rows.

    outcomes: one per horizon, rows as in `evaluations`. symbol: keep this coin's rows only; None: all coins.
    thresholds: of the balanced mode, for the rules beside the engine. variants: engines and settings ever
    tried, this one among them. min_coverage_frac: of a direction; rules beside the engine trade where it can
    speak, and nowhere else. headline: the horizon that stands for the record.

    Raises:
        InvariantViolation: no outcomes of the headline horizon, or no variant.
    """
    if headline not in {one.horizon for one in outcomes} or variants < 1:
        raise InvariantViolation(
            f"a record needs outcomes at {headline} and a variant, got {variants} of them"
        )
    if symbol is not None:
        kept = np.array([name == symbol for name in evaluations.symbols], dtype=np.bool_)[evaluations.coin]
        evaluations, outcomes = evaluations.where(kept), [one.where(kept) for one in outcomes]
    covered = evaluations.coverage >= min_coverage_frac
    rules = [Rule(ENGINE, evaluations.direction), *baselines(evaluations, thresholds, covered)]
    horizons, warnings = zip(*(_horizon(rules, evaluations, one, covered) for one in outcomes), strict=True)
    (first,) = (one for one in horizons if one.horizon == headline)
    (standing,) = (one for one in outcomes if one.horizon == headline)
    deflated = deflate(evaluations.direction, evaluations, standing, variants=variants)
    return _record(
        evaluations, horizons, first, deflated, symbol=symbol, variants=variants, warnings=warnings
    )


def _horizon(
    rules: Sequence[Rule], evaluations: Evaluations, outcomes: HorizonOutcomes, covered: Flags
) -> tuple[HorizonRecord, str]:
    """The record at one horizon, and a warning about its probability or nothing."""
    parts = parts_of(evaluations)
    alone = score_rules([rules[0], *(part.rule for part in parts)], evaluations, outcomes)
    beside = score_rules(rules[1:], evaluations, outcomes, engine=evaluations.direction)
    calibrated, _, said = fit_calibrator(evaluations.where(covered), outcomes.where(covered))
    found = HorizonRecord(
        horizon=outcomes.horizon,
        engine=alone[0],
        groups=tuple(Group(part.trait, stats) for part, stats in zip(parts, alone[1:], strict=True)),
        baselines=(*beside, score_random(evaluations, outcomes, covered)),
        calibrated=calibrated,
        no_calibration=said if calibrated is None else "",
    )
    is_shown = calibrated is not None and calibrated.is_shown
    return found, f"At {outcomes.horizon} {said}." if is_shown and said else ""


def _record(
    evaluations: Evaluations,
    horizons: tuple[HorizonRecord, ...],
    headline: HorizonRecord,
    deflated: DeflatedSharpe | None,
    *,
    symbol: str | None,
    variants: int,
    warnings: Sequence[str],
) -> TrackRecord:
    n = len(evaluations)
    counts = {side: int(np.sum(evaluations.direction == side)) for side in (LONG, NEUTRAL, SHORT)}
    notes = write_notes(headline, neutral=counts[NEUTRAL], deflated=deflated)
    return TrackRecord(
        symbol=symbol,
        from_ms=int(evaluations.at_ms[0]) if n else None,
        to_ms=int(evaluations.at_ms[-1]) if n else None,
        engine_versions=evaluations.versions,
        evaluations=n,
        neutral=counts[NEUTRAL],
        long=counts[LONG],
        short=counts[SHORT],
        headline=headline.horizon,
        horizons=horizons,
        variants=variants,
        deflated=deflated,
        enough_data=(headline.engine.effective_n or 0.0) >= ENOUGH_EFFECTIVE_N,
        notes=(*notes, *(text for text in warnings if text)),
    )
