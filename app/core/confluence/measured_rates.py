"""Hit rates measured on recorded candles, as they are shown to users (`source: hitRateTable`), and what was
measured of plans.

`python -m app.backtest sweep --data FOLDER --bars 1h` makes them (a test compares): BTC and ETH spot hours,
2023-06 to 2026-03, and a month of DOGE. No closed form beat them out of sample (docs/measured.md). Distances
in ATR(14) of 1 h.
"""

from __future__ import annotations

from app.core.domain.hit_rates import HitRates

_DISTANCES_ATR = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
HIT_RATES_4H = HitRates(
    4.0,
    _DISTANCES_ATR,
    (0.811, 0.6387, 0.4918, 0.3769, 0.2229, 0.1392, 0.0583, 0.0286, 0.0077, 0.0028, 0.0015),
    (24430, 24430, 24430, 24430, 24430, 24430, 24430, 24430, 24430, 24430, 24430),
)
HIT_RATES_24H = HitRates(
    24.0,
    _DISTANCES_ATR,
    (0.9329, 0.8717, 0.8105, 0.7451, 0.6345, 0.5297, 0.3724, 0.2559, 0.1288, 0.0713, 0.0396),
    (4068, 4068, 4068, 4068, 4068, 4068, 4068, 4068, 4068, 4068, 4068),
)
MEASURED = (HIT_RATES_4H, HIT_RATES_24H)

# Plans that were followed and filled on the recordings (docs/measured.md; a test compares), BTC and ETH.
FILLED_PLANS = 42 + 38
# What `core.calibration` wants before it fits anything (a test compares).
PLANS_NEEDED = 500
NO_PLAN_PROBABILITY = (
    f"plans have not been followed often enough to calibrate: {FILLED_PLANS} filled on the recordings, "
    f"{PLANS_NEEDED} needed"
)
