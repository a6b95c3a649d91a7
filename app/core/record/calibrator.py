"""A score as the chance that its trade wins: the two fits, and which of them the past prefers.

Both sides share one fit by mirror: a LONG at 70 is a SHORT at 30 upside down. So a row is (score, did LONG
win) or (100 - score, did SHORT win), and `Calibrator.chance` wants the score seen from the trade's side.
Called by `probability`; a `Calibrator` is plain values and goes through JSON and back exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from app.core.calibration.isotonic import Isotonic, fit_isotonic
from app.core.calibration.logistic import MIN_WINDOWS, Calibration, fit
from app.core.calibration.scores import brier
from app.core.domain.signal import Direction
from app.core.record.columns import SCORED, Evaluations, Flags, Floats, HorizonOutcomes, Ints

LOGISTIC: Final = "logistic"
ISOTONIC: Final = "isotonic"
# Newest share of the past on which the two fits are compared.
_INNER_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Trades of both sides that are over, one row each, seen from their own side. side_score: 0..100, high
    means the engine was for it; won: 0 or 1; end_ms: when it was over at the latest, whatever came first;
    is_long: which side it is."""

    at_ms: Ints
    end_ms: Ints
    side_score: Floats
    won: Floats
    is_long: Flags

    def __len__(self) -> int:
        return self.won.size

    def where(self, kept: Flags) -> Outcomes:
        """The chosen rows."""
        return Outcomes(*(getattr(self, field.name)[kept] for field in fields(self)))

    def base_rates(self) -> tuple[float, float]:
        """Share of wins of (LONG, SHORT); of all where a side has none.

        A market that rises lets every LONG win more often: a score has to beat that, too.
        """
        whole = float(self.won.mean())
        long, short = self.won[self.is_long], self.won[~self.is_long]
        return float(long.mean()) if long.size else whole, float(short.mean()) if short.size else whole

    @property
    def tells(self) -> bool:
        """Enough to fit: 500 outcomes, and not all of one kind."""
        return len(self) >= MIN_WINDOWS and 0.0 < float(self.won.mean()) < 1.0


def pool_sides(evaluations: Evaluations, outcomes: HorizonOutcomes) -> Outcomes:
    """Scored trades of both sides in order of time.

    A trade counts as over only when its whole horizon is, even if a barrier was touched early: of trades that
    still run only the quick ones are known, and quick ones are no fair sample.
    """
    parts = []
    sides = ((outcomes.long, evaluations.score), (outcomes.short, 100.0 - evaluations.score))
    for side, score in sides:
        kept = side.state == SCORED
        end_ms = np.maximum(side.end_ms, evaluations.at_ms + outcomes.length_ms)
        is_long = np.full(kept.size, side is outcomes.long)
        won = side.win.astype(np.float64)
        parts.append(Outcomes(evaluations.at_ms, end_ms, score, won, is_long).where(kept))
    long, short = parts
    columns = [np.concatenate([getattr(one, field.name) for one in (long, short)]) for field in fields(long)]
    order = np.argsort(columns[0], kind="stable")
    return Outcomes(*(column[order] for column in columns))


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A fitted chance. method: `logistic` (alpha, beta: logit p = alpha + beta logit(score / 100)) or
    `isotonic` (knots, chances; straight lines between); the other's parameters are None or empty. n: outcomes
    it was fitted on; base_rate: their share of wins."""

    method: str
    alpha: float | None
    beta: float | None
    knots: tuple[float, ...]
    chances: tuple[float, ...]
    n: int
    base_rate: float

    @property
    def is_falling(self) -> bool:
        """The higher the score, the lower the chance: the engine was wrong more often than right."""
        return self.beta is not None and self.beta < 0.0

    def chances_of(self, side_score: Floats) -> Floats:
        """Chances, 0..1, of scores seen from the side of each trade."""
        if self.alpha is None or self.beta is None:
            return Isotonic(self.knots, self.chances).apply(side_score)
        return Calibration(self.alpha, self.beta, (), self.n).apply(side_score / 100.0)

    def chance(self, score: float, direction: Direction) -> float | None:
        """Chance that the trade of this answer wins; None of NEUTRAL, which is no trade.

        score: of the engine, 0 bearish..100 bullish, whatever the direction.
        """
        if direction is Direction.NEUTRAL:
            return None
        side_score = score if direction is Direction.LONG else 100.0 - score
        return float(self.chances_of(np.array([side_score]))[0])


def fit_better(past: Outcomes, embargo_ms: int) -> Calibrator:
    """The fit that was better on the newest third of the past, fitted again on all of it.

    embargo_ms: nothing that was over later than so long before that third is fitted on. With too little to
    compare on, the logistic one: it has two parameters.

    Raises:
        InvariantViolation: fewer than 500 outcomes.
    """
    return _FITS[_better(past, embargo_ms)](past)


def _better(past: Outcomes, embargo_ms: int) -> str:
    first, last = int(past.at_ms.min()), int(past.at_ms.max())
    split_ms = last - int((last - first) * _INNER_SHARE)
    train = past.where(past.end_ms < split_ms - embargo_ms)
    test = past.where(past.at_ms >= split_ms)
    if not train.tells or len(test) < MIN_WINDOWS:
        return LOGISTIC
    scores = {name: brier(make(train).chances_of(test.side_score), test.won) for name, make in _FITS.items()}
    return ISOTONIC if scores[ISOTONIC] < scores[LOGISTIC] else LOGISTIC


def _logistic(past: Outcomes) -> Calibrator:
    found = fit(past.side_score / 100.0, past.won)
    return Calibrator(LOGISTIC, found.alpha, found.beta, (), (), len(past), float(past.won.mean()))


def _isotonic(past: Outcomes) -> Calibrator:
    found = fit_isotonic(past.side_score, past.won)
    return Calibrator(ISOTONIC, None, None, found.knots, found.chances, len(past), float(past.won.mean()))


_FITS = {LOGISTIC: _logistic, ISOTONIC: _isotonic}
