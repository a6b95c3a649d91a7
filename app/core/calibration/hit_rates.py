"""The baseline every probability has to beat: how often levels so far away (in ATR of 1 h) were reached.

A table of past hit rates by horizon and distance; between its knots the rate is interpolated, at distance 0
it is 1, beyond the last knot the table says nothing.
"""

from __future__ import annotations

import numpy as np

from app.core.calibration.scores import Floats
from app.core.domain.hit_rates import HitRates


def build_hit_rates(horizon_h: float, distance_atr: Floats, hit: Floats) -> HitRates:
    """A table out of resolved windows at fixed distances. Rates never rise with distance (pooled where they
    would by chance)."""
    knots = np.unique(distance_atr)
    counts = [int((distance_atr == knot).sum()) for knot in knots]
    rates = [float(hit[distance_atr == knot].mean()) for knot in knots]
    return HitRates(horizon_h, tuple(knots.tolist()), tuple(_falling(rates, counts)), tuple(counts))


def _falling(rates: list[float], counts: list[int]) -> list[float]:
    """Isotonic (pool adjacent violators): neighbours that rise share their mean."""
    pools: list[tuple[float, int, int]] = []
    for rate, count in zip(rates, counts, strict=True):
        value, weight, length = rate, count, 1
        while pools and pools[-1][0] < value:
            before, heavy, long = pools.pop()
            value = (before * heavy + value * weight) / (heavy + weight)
            weight, length = weight + heavy, length + long
        pools.append((value, weight, length))
    return [value for value, _, length in pools for _ in range(length)]
