"""The baseline every probability has to beat: how often levels so far away (in ATR of 1 h) were reached.

A table of past hit rates by horizon and distance; between its knots the rate is interpolated, at distance 0
it is 1, beyond the last knot the table says nothing.
"""

from __future__ import annotations

import numpy as np

from app.core.calibration.blocks import Floats
from app.core.calibration.isotonic import pool_falling
from app.core.domain.hit_rates import HitRates


def build_hit_rates(horizon_h: float, distance_atr: Floats, hit: Floats) -> HitRates:
    """A table out of resolved windows at fixed distances. Rates never rise with distance (pooled where they
    would by chance)."""
    knots = np.unique(distance_atr)
    counts = [int((distance_atr == knot).sum()) for knot in knots]
    rates = [float(hit[distance_atr == knot].mean()) for knot in knots]
    return HitRates(horizon_h, tuple(knots.tolist()), tuple(pool_falling(rates, counts)), tuple(counts))
