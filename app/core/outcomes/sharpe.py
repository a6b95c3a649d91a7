"""Sharpe ratios, and what is left of one after the best of many tries was chosen.

Owns the deflated Sharpe ratio of Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio". Ratios are
per period of the returns, never annualised here. Pure; called by the record.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvariantViolation

_EULER_GAMMA = 0.5772156649015329
# Under this share of its size a spread is rounding.
_ROUNDING = 1e-12


class ReturnShape(NamedTuple):
    """Sharpe ratio (mean over sample deviation), skewness, and kurtosis (3 for a normal law) of n returns."""

    sharpe: float
    skewness: float
    kurtosis: float
    n: int


def describe_returns(returns: NDArray[np.float64]) -> ReturnShape | None:
    """The shape of returns, fractions per period; None of fewer than two or of returns that never differ."""
    if returns.size < 2:
        return None
    mean = float(returns.mean())
    away = returns - mean
    spread = float(np.sqrt(np.mean(away**2)))
    if spread <= _ROUNDING * float(np.abs(returns).max()):
        return None
    sample = spread * math.sqrt(returns.size / (returns.size - 1))
    scaled = away / spread
    return ReturnShape(mean / sample, float(np.mean(scaled**3)), float(np.mean(scaled**4)), returns.size)


def expected_best_sharpe(variance: float, trials: int) -> float:
    """Sharpe ratio that the best of so many worthless trials is expected to show (SR0 of the paper).

    sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), g = 0.5772. variance: of the trials' Sharpe ratios, per
    period squared. A single trial was not chosen: 0.
    Worked number: variance 0.5 a year over 250 days, 100 trials -> 0.1132 a day.

    Raises:
        InvariantViolation: no trial, or a negative variance.
    """
    if trials < 1 or not variance >= 0.0:
        raise InvariantViolation(f"{trials} trials with a variance of {variance:g} have no best one")
    if trials == 1:
        return 0.0
    normal = NormalDist()
    often = (1.0 - _EULER_GAMMA) * normal.inv_cdf(1.0 - 1.0 / trials)
    rare = _EULER_GAMMA * normal.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * (often + rare)


def deflated_sharpe(found: ReturnShape, benchmark: float) -> float:
    """Probability (0..1) that the true Sharpe ratio exceeds `benchmark`, a Sharpe ratio per period.

    Phi((SR - SR0) sqrt(n - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2)).
    Worked number: a year's 2.5 over 1,250 days of 250 a year, skewness -3, kurtosis 10, SR0 0.1132 -> 0.9004.
    """
    sr = found.sharpe
    # 0 only for returns of two values that are as skew as can be; there the sign alone decides.
    error = max(1.0 - found.skewness * sr + (found.kurtosis - 1.0) / 4.0 * sr * sr, _ROUNDING)
    return NormalDist().cdf((sr - benchmark) * math.sqrt((found.n - 1) / error))
