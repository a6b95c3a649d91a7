"""Isotonic fits: rates that never fall, by pooling adjacent violators.

Owns the pooling itself and the fit of a chance that rises with a score; `hit_rates` pools its falling table
here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.calibration.blocks import Floats
from app.core.errors import InvariantViolation

# A rate of fewer outcomes than that is mostly chance, and the first and last pool would run to 0 and 1.
MIN_PER_KNOT = 50
MAX_KNOTS = 20


def pool_rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising values that are nearest to the given ones (weighted squares): neighbours that fall share
    their mean.

    Worked number: 0.3, 0.5, 0.4 with weights 1, 1, 3 -> 0.3, 0.425, 0.425.
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, heavy, length = value, weight, 1
        while pools and pools[-1][0] > mean:
            before, other, long = pools.pop()
            mean = (before * other + mean * heavy) / (other + heavy)
            heavy, length = heavy + other, length + long
        pools.append((mean, heavy, length))
    return [mean for mean, _, length in pools for _ in range(length)]


def pool_falling(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The same downwards: neighbours that rise share their mean."""
    return [-value for value in pool_rising([-value for value in values], weights)]


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Chance (0..1) by score: straight lines between knots, level beyond the outer ones; never falls."""

    knots: tuple[float, ...]
    chances: tuple[float, ...]

    def apply(self, score: Floats) -> Floats:
        """Chances of these scores."""
        found: Floats = np.interp(score, self.knots, self.chances)
        return found


def fit_isotonic(score: Floats, hit: Floats) -> Isotonic:
    """A chance that rises with the score: groups of equal scores or neighbours, up to twenty, then pooled.

    score: any scale; hit: 0 or 1. A group has 50 outcomes or more where there are so many, and its knot lies
    at its mean score.

    Raises:
        InvariantViolation: no outcomes.
    """
    if score.size == 0:
        raise InvariantViolation("no outcomes to fit a chance to")
    groups = max(1, min(MAX_KNOTS, score.size // MIN_PER_KNOT))
    # Equal scores stay together, whatever order they come in.
    edges = np.unique(np.quantile(score, np.arange(1, groups) / groups, method="lower"))
    _, place = np.unique(np.searchsorted(edges, score, side="left"), return_inverse=True)
    counts = np.bincount(place).astype(np.float64)
    knots = np.bincount(place, weights=score) / counts
    rates = np.bincount(place, weights=hit) / counts
    chances = pool_rising(rates.tolist(), counts.tolist())
    return Isotonic(tuple(knots.tolist()), tuple(chances))
