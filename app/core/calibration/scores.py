"""How good probabilities were: Brier score, log loss, reliability, and differences with honest intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvariantViolation

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

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


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability table: probabilities in [low, high), their mean, and how many came true."""

    low: float
    high: float
    n: int
    mean_probability: float | None
    hit_rate: float | None


def reliability(probability: Floats, hit: Floats, bins: int = 10) -> tuple[Bin, ...]:
    """Bins of equal width; the last one holds 1 too. Empty bins say nothing."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    found = []
    for k in range(bins):
        mine = place == k
        n = int(mine.sum())
        found.append(
            Bin(
                k / bins,
                (k + 1) / bins,
                n,
                float(probability[mine].mean()) if n else None,
                float(hit[mine].mean()) if n else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval. effective_n: independent observations with the same uncertainty."""

    mean: float
    low: float
    high: float
    n: int
    effective_n: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0.0 <= self.high


def block_bootstrap(
    values: Floats, at_ms: Ints, block_ms: int, *, draws: int = 2_000, seed: int = 20_261_126
) -> Interval:
    """Mean of `values` with an interval from whole blocks of time, drawn with replacement.

    at_ms: when each value was observed; values of one block (of all coins together) are never torn apart, so
    that what happened at once counts as one observation. Blocks of at least twice the horizon.

    Raises:
        InvariantViolation: no values.
    """
    if values.size == 0:
        raise InvariantViolation("nothing to draw from")
    _, block = np.unique(at_ms // block_ms, return_inverse=True)
    sums = np.bincount(block, weights=values)
    counts = np.bincount(block).astype(np.float64)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, sums.size, (draws, sums.size))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    spread, single = float(means.var()), float(values.var())
    effective = single / spread if spread > 0 else float(sums.size)
    return Interval(float(values.mean()), float(low), float(high), values.size, min(effective, values.size))
