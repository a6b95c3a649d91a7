"""Chances of a random walk to reach a price: one barrier, two barriers, with and without a time limit.
Section 5.

Distances are log distances (> 0), `s` is volatility per square root of an hour, drift is per hour towards the
barrier (one barrier) or upwards (two). Closed forms; nothing is simulated.
"""

from __future__ import annotations

import math

_TERM = 1e-12
_MAX_TERMS = 200
# Barriers so close together, in spreads of the whole time, that the series would need more terms.
_NARROW = 0.05
# Broadie, Glasserman, Kou (1997): a barrier watched at moments only acts as if it were this much further off.
_DISCRETE = 0.5826


def normal_cdf(x: float) -> float:
    """Standard normal distribution."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def touch_probability(distance: float, s: float, hours: float, drift: float = 0.0) -> float:
    """Chance to trade at a barrier within `hours`. Worked number: ln(60900/60000), s 0.00612372, 24 h ->
    0.619692."""
    if distance <= 0:
        return 1.0
    spread = s * math.sqrt(hours)
    if not spread > 0:
        return 1.0 if drift * hours >= distance else 0.0
    first = normal_cdf((drift * hours - distance) / spread)
    exponent = 2.0 * drift * distance / s**2
    second = normal_cdf((-distance - drift * hours) / spread)
    # The product stays below 1 where the power alone would overflow.
    reflected = math.exp(min(exponent + _log(second), 0.0))
    return min(1.0, first + reflected)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def watched_on_closes(distance: float, s: float, spacing_h: float) -> float:
    """The distance that makes up for watching closes only, every `spacing_h` hours."""
    return distance + _DISCRETE * s * math.sqrt(spacing_h)


def first_ever(above: float, below: float, s: float, drift_up: float = 0.0) -> float:
    """Chance to reach the barrier above before the one below, without a time limit.

    Worked numbers: a 0.0148886125, b 0.0151136378 -> 0.503750; with drift 0.0005/h and s 0.00612372 ->
    0.602341.
    """
    k = 2.0 * drift_up / s**2
    if abs(k) * (above + below) < 1e-9:
        return below / (above + below)
    # Divided by the larger power, so that a strong drift does not overflow.
    if k > 0:
        return (1.0 - math.exp(-k * below)) / (1.0 - math.exp(-k * (above + below)))
    return (
        (math.exp(k * above) - math.exp(k * (above + below))) * -1.0 / (math.exp(k * (above + below)) - 1.0)
    )


def first_within(above: float, below: float, s: float, hours: float, drift_up: float = 0.0) -> float:
    """Chance to reach the barrier above before the one below and within `hours`. Swap and negate for the
    other.

    Series of images: e^(nu a / s^2) sum_k [G(2kw + a) - G(2kw + a + 2b)]. Worked number: 0.499169 in 24 h.
    """
    if above <= 0:
        return 1.0
    if below <= 0:
        return 0.0
    width = above + below
    if width < _NARROW * s * math.sqrt(hours):
        return first_ever(above, below, s, drift_up)  # by then one of them has been reached for certain
    total = 0.0
    for k in range(_MAX_TERMS):
        start = 2.0 * k * width + above
        term = _image(start, above, s, hours, drift_up) - _image(
            start + 2.0 * below, above, s, hours, drift_up
        )
        total += term
        if abs(term) < _TERM:
            break
    return min(1.0, max(0.0, total))


def _image(x: float, above: float, s: float, hours: float, drift_up: float) -> float:
    """e^(nu a / s^2) G(x), with the powers added before they are raised."""
    speed = abs(drift_up)
    spread = s * math.sqrt(hours)
    tilt = (drift_up * above - speed * x) / s**2
    first = math.exp(tilt) * normal_cdf((speed * hours - x) / spread)
    second = normal_cdf((-x - speed * hours) / spread)
    return first + math.exp(min(tilt + 2.0 * speed * x / s**2 + _log(second), 50.0))
