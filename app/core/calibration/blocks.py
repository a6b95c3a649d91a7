"""Means with intervals from whole blocks of time, drawn with replacement, for many means at once.

What happens in neighbouring hours or in many coins at one moment is not independent: values of one block are
never torn apart. All means of one call are computed on the same drawn blocks, so that their differences are
paired, also where their rows differ (the trades of two rules in the same weeks). Called by `scores` and the
record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.core.domain.track_record import Mean
from app.core.errors import InvariantViolation

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

SEED = 20_261_126
# From fewer blocks nobody can tell how the outcomes hang together: each block counts as one then.
FEW_BLOCKS = 20
# Picks held in memory at a time.
_AT_ONCE = 1_000_000
# Under this share of the values' own size a spread is rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True, slots=True)
class Drawn:
    """One mean and what redrawn blocks made of it.

    variance, size: of single values, about their mean and about 0; n: values with a weight; blocks: in which
    such values fall; draws: the mean of each draw, NaN where a draw holds none of the values.
    """

    mean: float
    variance: float
    size: float
    n: int
    blocks: int
    draws: Floats

    @property
    def effective_n(self) -> float:
        """Independent values that would be as uncertain; of few blocks at most as many as there are."""
        return _effective(self.variance, self.size, self.n, self.blocks, self.draws)

    def to_mean(self) -> Mean:
        """With its 95 % interval. Raises: InvariantViolation, of a single block."""
        return _mean_of(self.mean, self.variance, self.size, self.n, self.blocks, self.draws)


def draw_means(
    columns: Sequence[tuple[Floats, Floats]],
    at_ms: Ints,
    block_ms: int,
    *,
    draws: int = 1_000,
    seed: int = SEED,
) -> list[Drawn | None]:
    """Each column's weighted mean over the same drawn blocks; None for a column without any weight.

    columns: (values, weights of 0 or more), both one per row; what a weight of 0 hides may be anything, NaN
    too. at_ms: when each row was observed, UTC epoch ms. block_ms: at least twice the horizon.
    """
    if at_ms.size == 0:
        return [None for _ in columns]
    _, block = np.unique(at_ms // block_ms, return_inverse=True)
    count = int(block.max()) + 1
    hidden = [(np.where(weight > 0, value, 0.0), weight) for value, weight in columns]
    sums = np.empty((count, 2 * len(columns)))
    for k, (value, weight) in enumerate(hidden):
        sums[:, 2 * k] = np.bincount(block, weights=value * weight, minlength=count)
        sums[:, 2 * k + 1] = np.bincount(block, weights=weight, minlength=count)
    drawn = _drawn_sums(sums, draws, seed)
    return [
        _summary(value, weight, sums[:, 2 * k + 1], drawn[:, 2 * k], drawn[:, 2 * k + 1])
        for k, (value, weight) in enumerate(hidden)
    ]


def _drawn_sums(sums: Floats, draws: int, seed: int) -> Floats:
    """(blocks, columns) -> (draws, columns): sums over as many blocks as there are, with replacement."""
    rng = np.random.default_rng(seed)
    blocks = sums.shape[0]
    found = np.empty((draws, sums.shape[1]))
    step = max(1, _AT_ONCE // blocks)
    for first in range(0, draws, step):
        rows = min(step, draws - first)
        picks = rng.integers(0, blocks, (rows, blocks)) + blocks * np.arange(rows)[:, None]
        times = np.bincount(picks.ravel(), minlength=rows * blocks).reshape(rows, blocks)
        found[first : first + rows] = times.astype(np.float64) @ sums
    return found


def _summary(value: Floats, weight: Floats, by_block: Floats, sums: Floats, weights: Floats) -> Drawn | None:
    total = float(weight.sum())
    if total <= 0.0:
        return None
    mean = float((value * weight).sum()) / total
    means = np.divide(sums, weights, out=np.full(sums.size, np.nan), where=weights > 0)
    return Drawn(
        mean=mean,
        variance=float((weight * (value - mean) ** 2).sum()) / total,
        size=float((weight * value**2).sum()) / total,
        n=int(np.count_nonzero(weight)),
        blocks=int(np.count_nonzero(by_block)),
        draws=means,
    )


def difference(first: Drawn, second: Drawn) -> Mean:
    """First mean less second, both of ONE call of `draw_means`, drawn together.

    n: of the smaller; effective_n: so many independent values of each would be as uncertain.

    Raises:
        InvariantViolation: they were not drawn together.
    """
    if first.draws.size != second.draws.size:
        raise InvariantViolation("means of different draws have no paired difference")
    return _mean_of(
        first.mean - second.mean,
        first.variance + second.variance,
        first.size + second.size,
        min(first.n, second.n),
        min(first.blocks, second.blocks),
        first.draws - second.draws,
    )


def interval_of(mean: float, draws: Floats, blocks: int, *, tests: int = 1) -> tuple[float, float]:
    """Where the true mean lies, 95 %; of several tests at once so that all together miss in 5 %.

    Redrawn blocks know only the blocks there are: of two the draws reach no further than both of them. So the
    distance to either end is stretched as Student's t stretches that of few values. Worked number: draws from
    -1 to +1 around 0 out of 2 blocks -> about -9.2 to +9.2; out of 20 -> -1.10 to +1.10.

    Raises:
        InvariantViolation: one block, which says nothing of how much blocks differ.
    """
    if blocks < 2:
        raise InvariantViolation("one block of time says nothing of how sure a mean is")
    tail = 2.5 / tests
    low, high = np.percentile(draws, (tail, 100.0 - tail))
    stretch = _student(1.0 - tail / 100.0, blocks - 1) / NormalDist().inv_cdf(1.0 - tail / 100.0)
    stretch *= math.sqrt(blocks / (blocks - 1))
    return mean - stretch * max(0.0, mean - float(low)), mean + stretch * max(0.0, float(high) - mean)


def _student(share: float, freedom: int) -> float:
    """Quantile of Student's t, share above 0.5: exact for 1 and 2 degrees of freedom, else by the expansion
    around the normal one. Worked numbers: 0.975 -> 12.706, 4.303, 3.18, 2.09 (19), 1.98 (99)."""
    if freedom == 1:
        return math.tan(math.pi * (share - 0.5))
    if freedom == 2:
        return (2.0 * share - 1.0) * math.sqrt(2.0 / (4.0 * share * (1.0 - share)))
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
        (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0,
    )
    return z + math.fsum(term / freedom ** (power + 1) for power, term in enumerate(terms))


def _mean_of(mean: float, variance: float, size: float, n: int, blocks: int, draws: Floats) -> Mean:
    draws = draws[np.isfinite(draws)]
    low, high = interval_of(mean, draws, blocks)
    return Mean(mean, low, high, n, _effective(variance, size, n, blocks, draws))


def _effective(variance: float, size: float, n: int, blocks: int, draws: Floats) -> float:
    spread = float(draws[np.isfinite(draws)].var())
    effective = variance / spread if spread > _ROUNDING * size else float(blocks)
    if blocks < FEW_BLOCKS:
        effective = min(effective, float(blocks))
    return min(effective, float(n))
