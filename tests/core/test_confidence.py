"""Confidence from sub-scores: agreement, strength and coverage, with the published levels."""

from __future__ import annotations

import pytest

from app.core.confidence import compute_confidence, compute_coverage
from app.core.domain.engine_config import DEFAULT_WEIGHTS
from app.core.domain.signal import Basis, Confidence, ConfidenceLevel, FactorName, FactorScore, FactorStatus


def factor(name: FactorName, weight: float, v: float | None) -> FactorScore:
    """A factor that leans by v, or is missing when v is None."""
    return FactorScore(
        name=name,
        weight=weight,
        v=0.0 if v is None else v,
        status=FactorStatus.MISSING if v is None else FactorStatus.OK,
        provider=None if v is None else "provider",
        ts_event_ms=None,
        basis=None if v is None else Basis.RANK,
        evidence=v,
        evidence_unit="",
        percentile=None,
        history_n=0,
        detail="",
        sentence="",
    )


def confidence_of(*factors: FactorScore) -> Confidence:
    score = sum(item.weight * item.score for item in factors) / sum(item.weight for item in factors)
    return compute_confidence(factors, score, min_coverage_frac=0.5)


def all_at(v: float | None, **changes: float | None) -> list[FactorScore]:
    return [factor(name, weight, changes.get(name.value, v)) for name, weight in DEFAULT_WEIGHTS.items()]


def test_worked_number_everything_agrees() -> None:
    result = confidence_of(*all_at(0.5))
    assert (result.agreement, result.strength, result.coverage) == (1.0, 1.0, 1.0)
    assert result.score == pytest.approx(100.0)
    assert result.level is ConfidenceLevel.HIGH


def test_worked_number_two_factors_against_each_other() -> None:
    result = confidence_of(factor(FactorName.FUNDING, 50, 0.6), factor(FactorName.MOMENTUM, 50, -0.2))
    assert result.agreement == pytest.approx(0.5)
    assert result.strength == pytest.approx(0.4)
    assert result.score == pytest.approx(45.0)
    assert result.level is ConfidenceLevel.MEDIUM


def test_everything_neutral_is_low_not_high() -> None:
    result = confidence_of(*all_at(0.0))
    assert (result.score, result.agreement, result.strength) == (0.0, 0.0, 0.0)
    assert result.level is ConfidenceLevel.LOW


def test_disagreement_costs_confidence() -> None:
    agreed = confidence_of(*all_at(0.6))
    split = confidence_of(*all_at(0.6, funding=-0.6, liquidations=-0.6))
    assert split.score < agreed.score


def test_high_needs_four_fifths_of_the_weight() -> None:
    at_80 = confidence_of(*all_at(1.0, liquidations=None))
    at_75 = confidence_of(*all_at(1.0, liquidations=None, fear_greed=None))
    assert at_80.coverage == pytest.approx(0.8)
    assert at_80.level is ConfidenceLevel.HIGH
    assert at_75.score > 60
    assert at_75.level is ConfidenceLevel.MEDIUM


def test_thin_coverage_is_always_low() -> None:
    result = confidence_of(*all_at(None, liquidations=1.0, funding=1.0, social=1.0))
    assert result.coverage == pytest.approx(0.45)
    assert result.score > 35
    assert result.level is ConfidenceLevel.LOW


def test_coverage_is_the_weight_that_counted() -> None:
    assert compute_coverage(all_at(0.1)) == 1.0
    assert compute_coverage(all_at(0.1, social=None)) == pytest.approx(0.9)
    assert compute_coverage(all_at(None)) == 0.0
