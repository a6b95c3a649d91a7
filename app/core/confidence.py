"""Confidence: how much the factors agree, how far the score is from neutral, how much of it is covered.

Computed on sub-scores (v), never on weighted contributions, so agreement of everything is high and
everything neutral is low. Called by the signal engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.core.domain.signal import Confidence, ConfidenceLevel, FactorScore, FactorStatus

HIGH_SCORE = 60.0
HIGH_COVERAGE = 0.8  # with a fifth of the evidence unseen, nothing is certain
MEDIUM_SCORE = 35.0
FULL_STRENGTH = 25.0  # points from neutral at which strength is complete
LEVELS = (ConfidenceLevel.LOW, ConfidenceLevel.MEDIUM, ConfidenceLevel.HIGH)


def compute_coverage(factors: Sequence[FactorScore]) -> float:
    """Share of weight with fresh data, 0..1."""
    return math.fsum(factor.weight for factor in factors if factor.status is FactorStatus.OK) / 100.0


def compute_confidence(
    factors: Sequence[FactorScore], score: float, *, min_coverage_frac: float
) -> Confidence:
    """confidence = 100 c (a + m) / 2; a = |sum w v| / sum w |v| (0 if nothing leans), m = |score - 50| / 25.

    high >= 60 with coverage >= 0.8, medium >= 35, else low; under `min_coverage_frac` always low.
    Worked number: full coverage, all v = +0.5 -> a 1, m 1, confidence 100; two equal weights with v +0.6 and
    -0.2 -> score 60, a 0.5, m 0.4, confidence 45.
    """
    coverage = compute_coverage(factors)
    fresh = [factor for factor in factors if factor.status is FactorStatus.OK]
    net = abs(math.fsum(factor.weight * factor.v for factor in fresh))
    gross = math.fsum(factor.weight * abs(factor.v) for factor in fresh)
    agreement = net / gross if gross > 0 else 0.0
    strength = min(1.0, abs(score - 50.0) / FULL_STRENGTH)
    value = 100.0 * coverage * (agreement + strength) / 2.0
    level = _level(value, coverage) if coverage >= min_coverage_frac else ConfidenceLevel.LOW
    return Confidence(value, level, agreement, strength, coverage)


def confidence_columns(
    weights: NDArray[np.float64],
    v: NDArray[np.float64],
    score: NDArray[np.float64],
    coverage: NDArray[np.float64],
    *,
    min_coverage_frac: float,
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """`compute_confidence` at every moment of a history: (score, level as an index into LEVELS).

    weights: one per factor; v: a row per moment and a column per factor, 0 where it did not count.
    """
    weighted = v * weights
    net, gross = np.abs(weighted.sum(axis=1)), np.abs(weighted).sum(axis=1)
    agreement = np.divide(net, gross, out=np.zeros_like(net), where=gross > 0)
    strength = np.minimum(1.0, np.abs(score - 50.0) / FULL_STRENGTH)
    value = 100.0 * coverage * (agreement + strength) / 2.0
    is_high = (value >= HIGH_SCORE) & (coverage >= HIGH_COVERAGE)
    level = np.where(is_high, 2, np.where(value >= MEDIUM_SCORE, 1, 0))
    return value, np.where(coverage >= min_coverage_frac, level, 0).astype(np.int8)


def lowered(level: ConfidenceLevel) -> ConfidenceLevel:
    """One level less: high -> medium -> low -> low."""
    return ConfidenceLevel.MEDIUM if level is ConfidenceLevel.HIGH else ConfidenceLevel.LOW


def _level(value: float, coverage: float) -> ConfidenceLevel:
    if value >= HIGH_SCORE and coverage >= HIGH_COVERAGE:
        return ConfidenceLevel.HIGH
    return ConfidenceLevel.MEDIUM if value >= MEDIUM_SCORE else ConfidenceLevel.LOW
