"""Other weights score as the engine would with them, and every rule that was tried is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.backtest.variants import (
    DRAWN_WEIGHTS,
    default_variant,
    drawn_weights,
    ever_tried,
    position_of,
    positions,
    score_with,
    sensitivity,
    weight_candidates,
    without,
)
from app.core.domain.engine_config import EngineConfig, Thresholds
from app.core.domain.signal import FactorName
from app.core.record.columns import FACTOR_ORDER, LONG, NEUTRAL, SHORT, Evaluations

CONFIG = EngineConfig()


def made_up(v: np.ndarray) -> Evaluations:
    rows = v.shape[0]
    codes = np.zeros(rows, dtype=np.int8)
    return Evaluations(
        symbols=("BTC",),
        versions=("1.1.0",),
        at_ms=np.arange(rows, dtype=np.int64),
        coin=np.zeros(rows, dtype=np.int64),
        tier=codes + 1,
        score=np.full(rows, 50.0),
        coverage=np.ones(rows),
        direction=codes,
        level=codes,
        v=v,
        volatility=codes,
        trend=codes,
    )


def random_v(seed: int = 3, rows: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    v = rng.uniform(-1, 1, (rows, len(FACTOR_ORDER)))
    v[rng.random(v.shape) < 0.2] = np.nan
    return v


def test_the_default_weights_give_the_engines_score() -> None:
    v = random_v()
    ok = np.isfinite(v)
    weights_of_all = np.array(default_variant(CONFIG).weights)
    score, coverage = score_with(weights_of_all, np.where(ok, v, 0.0), ok.astype(np.float64))
    weights = [CONFIG.weights[name] for name in FACTOR_ORDER]
    by_hand = [
        50.0 + 0.5 * sum(w * x for w, x in zip(weights, row, strict=True) if not np.isnan(x)) for row in v
    ]
    covered = [sum(w for w, x in zip(weights, row, strict=True) if not np.isnan(x)) / 100 for row in v]
    assert score == pytest.approx(by_hand)
    assert coverage == pytest.approx(covered)


def test_leaving_a_factor_out_keeps_the_proportions_of_the_others() -> None:
    weights = dict(zip(FACTOR_ORDER, without(CONFIG, FactorName.LIQUIDATIONS).weights, strict=True))
    assert weights[FactorName.LIQUIDATIONS] == 0.0
    assert weights[FactorName.FUNDING] == pytest.approx(18.75)
    assert sum(weights.values()) == pytest.approx(100.0)


def test_every_candidate_is_a_set_of_weights_and_the_default_comes_first() -> None:
    candidates = weight_candidates(CONFIG)
    assert candidates[0] == default_variant(CONFIG)
    for one in candidates:
        assert sum(one.weights) == pytest.approx(100.0)
        assert min(one.weights) >= 0.0
    assert len(sensitivity(CONFIG)) == 2 * len(FACTOR_ORDER)
    assert drawn_weights(CONFIG) == drawn_weights(CONFIG)
    assert len({one.weights for one in drawn_weights(CONFIG)}) == DRAWN_WEIGHTS


def test_the_number_of_rules_ever_tried() -> None:
    assert ever_tried(CONFIG) == 239


def test_thresholds_are_inside_and_low_coverage_is_neutral() -> None:
    score = np.array([65.0, 64.999, 35.0, 35.001, 90.0])
    coverage = np.array([1.0, 1.0, 0.5, 1.0, 0.49])
    found = positions(score, coverage, Thresholds(65.0, 35.0), 0.5)
    assert found.tolist() == [LONG, NEUTRAL, SHORT, NEUTRAL, NEUTRAL]


def test_a_mirrored_market_gives_mirrored_positions() -> None:
    v = random_v(8)
    loud = replace(made_up(v), v=v * 2.0)
    for one in weight_candidates(CONFIG)[:30]:
        mirrored = position_of(one, replace(loud, v=-loud.v), CONFIG)
        assert (position_of(one, loud, CONFIG) == -mirrored).all()
