"""How good probabilities were: Brier score, log loss, reliability, and differences with honest intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.calibration.blocks import SEED, Floats, Ints, draw_means
from app.core.domain.track_record import Mean, ReliabilityBin
from app.core.errors import InvariantViolation

# Nobody is certain: keeps one miss from costing everything.
_CLIP = 1e-6


def brier(probability: Floats, hit: Floats) -> float:
    """Mean squared error of probabilities, 0 is perfect. Worked number: 0.8 and 0.4 for a hit and a miss ->
    0.1."""
    return float(np.mean((probability - hit) ** 2))


def log_loss(probability: Floats, hit: Floats) -> float:
    """Mean negative log likelihood, 0 is perfect. Worked number: 0.5 throughout -> 0.693147."""
    return float(np.mean(log_losses(probability, hit)))


def log_losses(probability: Floats, hit: Floats) -> Floats:
    """Negative log likelihood of each outcome."""
    kept = np.clip(probability, _CLIP, 1.0 - _CLIP)
    return -(hit * np.log(kept) + (1.0 - hit) * np.log(1.0 - kept))


def reliability(probability: Floats, hit: Floats, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width; the last one holds 1 too. Empty bins say nothing."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    found = []
    for k in range(bins):
        mine = place == k
        n = int(mine.sum())
        found.append(
            ReliabilityBin(
                k / bins,
                (k + 1) / bins,
                n,
                float(probability[mine].mean()) if n else None,
                float(hit[mine].mean()) if n else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Murphy's parts of a Brier score: reliability - resolution + uncertainty."""

    reliability: float
    resolution: float
    uncertainty: float

    @property
    def brier(self) -> float:
        """Brier score of the binned probabilities."""
        return self.reliability - self.resolution + self.uncertainty


def decompose(bins: Sequence[ReliabilityBin]) -> Decomposition:
    """Take the Brier score of binned probabilities (each replaced by the mean of its bin) apart.

    reliability: weighted mean of (said - came true)^2, 0 is perfect; resolution: of (came true - base
    rate)^2, more is better; uncertainty: base rate (1 - base rate), which no forecast can change.
    Worked number: said 0.25 four times with one hit, 0.75 four times with two: 0.03125 - 0.015625 + 0.234375
    = 0.25.

    Raises:
        InvariantViolation: all bins are empty.
    """
    rows = [
        (one.n, one.mean_probability, one.hit_rate)
        for one in bins
        if one.mean_probability is not None and one.hit_rate is not None
    ]
    if not rows:
        raise InvariantViolation("no probabilities to take apart")
    n, said, came = np.array(rows, dtype=np.float64).T
    base = float(np.average(came, weights=n))
    return Decomposition(
        float(np.average((said - came) ** 2, weights=n)),
        float(np.average((came - base) ** 2, weights=n)),
        base * (1.0 - base),
    )


def brier_skill(score: float, base: float) -> float:
    """1 - score / base: above 0 is better than the base rate's Brier score, 1 is perfect.

    Worked number: 0.24 against 0.25 -> 0.04.

    Raises:
        InvariantViolation: the base rate was never wrong, so that nothing can be better.
    """
    if base <= 0.0:
        raise InvariantViolation("a base rate without error leaves no room for skill")
    return 1.0 - score / base


def block_bootstrap(
    values: Floats, at_ms: Ints, block_ms: int, *, draws: int = 2_000, seed: int = SEED
) -> Mean:
    """Mean of `values` with an interval from whole blocks of time, drawn with replacement.

    at_ms: when each value was observed; values of one block (of all coins together) are never torn apart, so
    that what happened at once counts as one observation. Blocks of at least twice the horizon. effective_n of
    fewer than 20 blocks is at most their number.

    Raises:
        InvariantViolation: no values.
    """
    (found,) = draw_means([(values, np.ones(values.size))], at_ms, block_ms, draws=draws, seed=seed)
    if found is None:
        raise InvariantViolation("nothing to draw from")
    return found.to_mean()
