"""Volatility per square root of an hour from closed candles. Section 5, sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from app.core.domain.market import HOUR_MS

MIN_RETURNS = 30


def ewma_sigma(close: Sequence[float], interval_ms: int, half_life_h: float) -> float | None:
    """Root of the exponentially weighted mean of squared log returns, per root hour; None for under 30
    returns or prices that never moved.

    Worked number: hourly returns of +-1 % alternating -> 0.01 at any half-life.
    """
    if len(close) <= MIN_RETURNS:
        return None
    keep = 2.0 ** (-interval_ms / (half_life_h * HOUR_MS))
    total = weight = 0.0
    for before, now in pairwise(close):
        total = total * keep + math.log(now / before) ** 2
        weight = weight * keep + 1.0
    per_bar = total / weight
    return math.sqrt(per_bar * HOUR_MS / interval_ms) if per_bar > 0 else None
