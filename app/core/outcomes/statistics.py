"""How sure a share of wins is, how many trades would tell, and how deep a running total fell. Pure; called by
the study, the record and whoever shows either."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvariantViolation

# Below so many outcomes a share is stated with its count and nothing is claimed.
MIN_CLAIM = 30
_Z95 = 1.959964


def wilson(wins: float, n: float) -> tuple[float, float] | None:
    """95 % interval of a share (Wilson's score interval), 0..1; None of nothing.

    n need not be whole: outcomes that overlap count as fewer (effective n).
    Worked numbers: 6 of 10 -> 31.3 to 83.2 %; 55 of 100 -> 45.2 to 64.4 %; 550 of 1,000 -> 51.9 to 58.1 %.
    """
    if n <= 0:
        return None
    share, square = wins / n, _Z95 * _Z95
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def needed_n(share: float, against: float = 0.5, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Independent trades needed to tell a hit rate of `share` from `against`: one sample, two-sided `alpha`.

    n = ((z(1 - alpha/2) sqrt(p0 (1 - p0)) + z(power) sqrt(p (1 - p))) / (p - p0))^2, rounded up.
    Worked number: 55 % against 50 % at 5 % and a power of 80 % -> 783.

    Raises:
        InvariantViolation: the two are equal, or one is not within 0..1; no number of trades would do.
    """
    if share == against or not (0.0 < against < 1.0 and 0.0 <= share <= 1.0):
        raise InvariantViolation(f"no number of trades tells {share:g} from {against:g}")
    normal = NormalDist()
    wide = normal.inv_cdf(1.0 - alpha / 2.0) * math.sqrt(against * (1.0 - against))
    narrow = normal.inv_cdf(power) * math.sqrt(share * (1.0 - share))
    return math.ceil(((wide + narrow) / (share - against)) ** 2)


def drawdown(running: NDArray[np.float64]) -> float:
    """Largest fall of a running total (that began at 0) below its highest point so far; 0 or more.

    Worked number: 1, 3, 2, 0.5, 4 -> 2.5; of nothing 0.
    """
    if running.size == 0:
        return 0.0
    peak = np.maximum(np.maximum.accumulate(running), 0.0)
    return float((peak - running).max())
