"""Is a score worth a probability? Fits on the past only, judged on what came after, fold by fold.

Walk-forward with an expanding past: before each fold only outcomes are fitted on that were over an embargo of
one horizon before it began. Two base rates of that same past have to be beaten: each side's own share of wins
(a market that rises is no merit of a score that likes to say LONG) and that of both sides together (after a
trend has turned, the sides' own are the poorer guess, and no merit either). Called by `report` and by the
service that answers live.

A fit may fall: then a higher score went with fewer wins. It is kept as it is and signals are not turned
round: its chance for a LONG lies below the base rate, which is what a trader has to know, and the
text of `fit_calibrator` tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.core.calibration.blocks import FEW_BLOCKS
from app.core.calibration.logistic import MIN_WINDOWS
from app.core.calibration.scores import (
    block_bootstrap,
    brier,
    brier_skill,
    decompose,
    log_loss,
    reliability,
)
from app.core.domain.formatting import format_effective_n
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, Calibrated, Mean
from app.core.record.calibrator import Calibrator, Outcomes, fit_better, pool_sides
from app.core.record.columns import Evaluations, Flags, Floats, HorizonOutcomes
from app.core.record.trades import block_length_ms

# Equal parts of the time; the first has no past and is only fitted on.
FOLDS = 7


@dataclass(frozen=True, slots=True)
class Predictions:
    """Outcomes of all judged folds, and what was said of each beforehand, 0..1, from the past of its fold.
    by_side, pooled: the base rates of its side and of both."""

    outcomes: Outcomes
    chance: Floats
    by_side: Floats
    pooled: Floats

    @property
    def base(self) -> Floats:
        """The better of the two base rates, over all of them: the one to beat."""
        won = self.outcomes.won
        return self.by_side if brier(self.by_side, won) <= brier(self.pooled, won) else self.pooled


def predict_forward(evaluations: Evaluations, outcomes: HorizonOutcomes) -> Predictions:
    """What each fold would have been told. Folds whose past cannot be fitted are left out."""
    rows = pool_sides(evaluations, outcomes)
    if not len(evaluations):
        return Predictions(rows, np.empty(0), np.empty(0), np.empty(0))
    from_ms, until_ms = int(evaluations.at_ms[0]), int(evaluations.at_ms[-1])
    edges = np.linspace(from_ms, until_ms + 1, FOLDS + 1).astype(np.int64).tolist()
    chance, by_side, pooled = (np.full(len(rows), np.nan) for _ in range(3))
    for begin_ms, end_ms in pairwise(edges[1:]):
        past = rows.where(rows.end_ms < begin_ms - outcomes.length_ms)
        # What was not over when the last evaluation was made is known only where it was quick.
        fold = (rows.at_ms >= begin_ms) & (rows.at_ms < end_ms) & (rows.end_ms <= until_ms)
        if past.tells and fold.any():
            fitted = fit_better(past, outcomes.length_ms)
            chance[fold] = fitted.chances_of(rows.side_score[fold])
            by_side[fold] = np.where(rows.is_long[fold], *past.base_rates())
            pooled[fold] = fitted.base_rate
    judged: Flags = np.isfinite(chance)
    return Predictions(rows.where(judged), chance[judged], by_side[judged], pooled[judged])


def fit_calibrator(
    evaluations: Evaluations, outcomes: HorizonOutcomes
) -> tuple[Calibrated | None, Calibrator | None, str]:
    """How good the fits were, the one to use from now on, and what to say.

    The calibrator is fitted on all of the past, and None unless its kind beat the base rate out of sample;
    the text then says why not. Where there is one, the text is empty or a warning.
    """
    rows = pool_sides(evaluations, outcomes)
    past = rows.where(rows.end_ms <= int(evaluations.at_ms[-1])) if len(evaluations) else rows
    if not past.tells:
        return None, None, _too_little(past)
    found = predict_forward(evaluations, outcomes)
    block_ms = block_length_ms(outcomes)
    if np.unique(found.outcomes.at_ms // block_ms).size < FEW_BLOCKS:
        return None, None, _no_fold(past)
    now = fit_better(past, outcomes.length_ms)
    judged = _judge(found, now, block_ms)
    if not judged.is_shown:
        return judged, None, judged.why_not
    return judged, now, _warning(now)


def _judge(found: Predictions, now: Calibrator, block_ms: int) -> Calibrated:
    won = found.outcomes.won
    error = (found.chance - won) ** 2
    gains = [
        block_bootstrap((base - won) ** 2 - error, found.outcomes.at_ms, block_ms, draws=1_000)
        for base in (found.by_side, found.pooled)
    ]
    gain = min(gains, key=lambda one: one.low)
    bins = reliability(found.chance, won)
    parts = decompose(bins)
    why_not = _why_not(gain)
    score, base = brier(found.chance, won), brier(found.base, won)
    return Calibrated(
        method=now.method,
        n=won.size,
        fitted_n=now.n,
        brier=score,
        base_brier=base,
        skill=brier_skill(score, base),
        gain=gain,
        log_loss=log_loss(found.chance, won),
        base_log_loss=log_loss(found.base, won),
        reliability=parts.reliability,
        resolution=parts.resolution,
        uncertainty=parts.uncertainty,
        bins=bins,
        is_shown=not why_not,
        why_not=why_not,
    )


def _why_not(gain: Mean) -> str:
    if gain.mean <= 0.0:
        return "on later trades the score was no better than the base rate"
    if gain.effective_n < ENOUGH_EFFECTIVE_N:
        found = format_effective_n(gain.effective_n)
        return f"{found} independent outcomes, {ENOUGH_EFFECTIVE_N:.0f} are needed to judge one"
    if gain.low <= 0.0:
        return "on later trades the score was better than the base rate, but not surely"
    return ""


def _too_little(past: Outcomes) -> str:
    if len(past) < MIN_WINDOWS:
        return f"{len(past):,} trades are over, {MIN_WINDOWS} are needed to fit one"
    return "all trades so far ended alike"


def _no_fold(past: Outcomes) -> str:
    return f"{len(past):,} trades are over, too few to test a fit on later ones"


def _warning(now: Calibrator) -> str:
    if not now.is_falling:
        return ""
    return "a higher score went with fewer wins: the chance falls as the score rises"
