"""The logistic fit finds what made the outcomes, and refuses to guess from too few."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.calibration.logistic import UNCALIBRATED, fit, logit, sigmoid
from app.core.errors import InvariantViolation


def outcomes(
    size: int, alpha: float, beta: float, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    raw = rng.uniform(0.02, 0.98, size)
    feature = rng.normal(0, 1, (size, 1))
    true = sigmoid(alpha + beta * logit(raw) + 0.5 * feature[:, 0])
    return raw, feature, (rng.uniform(size=size) < true).astype(float)


def test_alpha_beta_and_a_term_are_recovered() -> None:
    raw, feature, hit = outcomes(60_000, -0.3, 0.8)
    found = fit(raw, hit, feature)
    assert (found.alpha, found.beta, found.terms[0]) == (
        pytest.approx(-0.3, abs=0.05),
        pytest.approx(0.8, abs=0.05),
        pytest.approx(0.5, abs=0.05),
    )
    assert found.is_calibrated
    assert np.mean(found.apply(raw, feature)) == pytest.approx(hit.mean(), abs=1e-3)


@pytest.mark.parametrize("beta", [-3.0, -1.0, -0.3, 0.0])
def test_outcomes_against_the_raw_probabilities_are_fitted_too(beta: float) -> None:
    rng = np.random.default_rng(4)
    raw = rng.uniform(0.02, 0.98, 20_000)
    found = fit(raw, (rng.uniform(size=raw.size) < sigmoid(beta * logit(raw))).astype(float))
    assert (found.alpha, found.beta) == (pytest.approx(0.0, abs=0.1), pytest.approx(beta, abs=0.15))


def test_under_five_hundred_windows_nothing_is_fitted() -> None:
    raw, _, hit = outcomes(499, 0.0, 1.0)
    with pytest.raises(InvariantViolation, match="499 resolved windows, 500 are needed"):
        fit(raw, hit)


def test_perfectly_separated_windows_stay_finite() -> None:
    raw = np.linspace(0.01, 0.99, 600)
    found = fit(raw, (raw > 0.5).astype(float))
    assert np.isfinite([found.alpha, found.beta]).all()


def test_uncalibrated_changes_nothing() -> None:
    raw = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(UNCALIBRATED.apply(raw), raw, rtol=1e-9)
    assert not UNCALIBRATED.is_calibrated
