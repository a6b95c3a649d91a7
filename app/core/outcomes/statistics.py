"""How sure a share of wins is. Pure; called by the study and whoever shows a record."""

from __future__ import annotations

import math

# Below so many outcomes a share is stated with its count and nothing is claimed.
MIN_CLAIM = 30
_Z95 = 1.959964


def wilson(wins: int, n: int) -> tuple[float, float] | None:
    """95 % interval of a share (Wilson's score interval), 0..1; None of nothing.

    Worked numbers: 6 of 10 -> 31.3 to 83.2 %; 55 of 100 -> 45.2 to 64.4 %; 550 of 1,000 -> 51.9 to 58.1 %.
    """
    if n <= 0:
        return None
    share, square = wins / n, _Z95 * _Z95
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, centre - half), min(1.0, centre + half)
