"""Logistic calibration: logit(p) = alpha + beta logit(p_raw) + further terms, fitted by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.core.calibration.blocks import Floats
from app.core.errors import InvariantViolation

MIN_WINDOWS = 500  # under so many resolved windows nothing is fitted
_STEPS = 50
_CLIP = 1e-6
# A hair of ridge: perfectly separated windows would run away.
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted (or unfitted) calibration. terms: weights beside alpha and beta, in the order of the
    features."""

    alpha: float
    beta: float
    terms: tuple[float, ...]
    n: int

    @property
    def is_calibrated(self) -> bool:
        return self.n > 0

    def apply(self, raw: Floats, features: Floats | None = None) -> Floats:
        """Calibrated probabilities. Worked number: alpha -0.15, beta 1.03: 0.614410 -> 0.581727."""
        z = self.alpha + self.beta * logit(raw)
        if features is not None and self.terms:
            z = z + features @ np.array(self.terms)
        return sigmoid(z)


UNCALIBRATED = Calibration(0.0, 1.0, (), 0)


def logit(probability: Floats) -> Floats:
    """ln(p / (1 - p)) of probabilities kept off 0 and 1."""
    kept = np.clip(probability, _CLIP, 1.0 - _CLIP)
    return np.log(kept / (1.0 - kept))


def sigmoid(z: Floats) -> Floats:
    # Through the hyperbolic tangent, which does not overflow.
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def fit(raw: Floats, hit: Floats, features: Floats | None = None) -> Calibration:
    """Maximum likelihood on past windows.

    Raises:
        InvariantViolation: fewer than 500 windows.
    """
    if raw.size < MIN_WINDOWS:
        raise InvariantViolation(f"{raw.size} resolved windows, {MIN_WINDOWS} are needed to calibrate")
    columns = [np.ones(raw.size), logit(raw)]
    if features is not None:
        columns += list(features.T)
    design = np.column_stack(columns)
    weights = np.zeros(design.shape[1])
    weights[1] = 1.0
    for _ in range(_STEPS):
        p = sigmoid(design @ weights)
        slope = design.T @ (hit - p) - _RIDGE * weights
        curve = (design * (p * (1.0 - p))[:, None]).T @ design + _RIDGE * np.eye(weights.size)
        whole = np.linalg.solve(curve, slope).astype(np.float64)
        step = _shortened(whole, weights, design, hit)
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    return Calibration(float(weights[0]), float(weights[1]), tuple(map(float, weights[2:])), raw.size)


def _shortened(step: Floats, weights: Floats, design: Floats, hit: Floats) -> Floats:
    """Halved until it does not make the fit worse: a whole step runs away where outcomes go against the raw
    probabilities. Uphill rounding near the end is let be."""
    start = _loss(weights, design, hit)
    while _loss(weights + step, design, hit) > start and np.abs(step).max() > 1e-10:
        step = step / 2.0
    return step


def _loss(weights: Floats, design: Floats, hit: Floats) -> float:
    z = design @ weights
    return float((np.logaddexp(0.0, z) - hit * z).sum() + 0.5 * _RIDGE * weights @ weights)
