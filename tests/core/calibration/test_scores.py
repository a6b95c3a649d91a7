"""Scores by hand, and intervals that widen where outcomes come in clumps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.calibration.hit_rates import build_hit_rates
from app.core.calibration.scores import (
    block_bootstrap,
    brier,
    brier_skill,
    decompose,
    log_loss,
    reliability,
)
from app.core.domain.hit_rates import HitRates
from app.core.errors import InvariantViolation

HOUR_MS = 3_600_000


def test_brier_and_log_loss_by_hand() -> None:
    assert brier(np.array([0.8, 0.4]), np.array([1.0, 0.0])) == pytest.approx(0.1)
    assert log_loss(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(0.693147, abs=1e-6)
    assert np.isfinite(log_loss(np.array([0.0, 1.0]), np.array([1.0, 0.0])))


def test_reliability_bins_hold_everything_once() -> None:
    probability = np.array([0.0, 0.05, 0.55, 0.59, 1.0])
    bins = reliability(probability, np.array([0.0, 1.0, 1.0, 0.0, 1.0]))
    assert [one.n for one in bins] == [2, 0, 0, 0, 0, 2, 0, 0, 0, 1]
    assert (bins[5].mean_probability, bins[5].hit_rate) == (pytest.approx(0.57), 0.5)
    assert (bins[1].mean_probability, bins[1].hit_rate) == (None, None)


def test_a_brier_score_comes_apart_by_hand() -> None:
    probability = np.array([0.25] * 4 + [0.75] * 4)
    hit = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    parts = decompose(reliability(probability, hit))
    assert (parts.reliability, parts.resolution, parts.uncertainty) == (0.03125, 0.015625, 0.234375)
    assert parts.brier == brier(probability, hit) == 0.25


ROWS = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=60)


@given(rows=ROWS)
def test_the_parts_are_the_score_of_the_binned_probabilities(rows: list[tuple[float, bool]]) -> None:
    probability, hit = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    place = np.minimum((probability * 10).astype(np.int64), 9)
    binned = np.array([probability[place == mine].mean() for mine in place])
    parts = decompose(reliability(probability, hit))
    assert parts.brier == pytest.approx(brier(binned, hit), abs=1e-12)
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0.0


@given(rows=ROWS)
def test_upside_down_probabilities_are_as_good(rows: list[tuple[float, bool]]) -> None:
    probability, hit = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    assert brier(1.0 - probability, 1.0 - hit) == pytest.approx(brier(probability, hit), abs=1e-12)
    assert log_loss(1.0 - probability, 1.0 - hit) == pytest.approx(log_loss(probability, hit), abs=1e-9)


def test_skill_is_what_is_better_than_the_base_rate() -> None:
    assert brier_skill(0.24, 0.25) == pytest.approx(0.04)
    assert brier_skill(0.26, 0.25) == pytest.approx(-0.04)
    with pytest.raises(InvariantViolation):
        brier_skill(0.0, 0.0)
    with pytest.raises(InvariantViolation):
        decompose(())


def test_whole_blocks_are_drawn_so_clumps_count_once() -> None:
    rng = np.random.default_rng(3)
    at_ms = np.arange(4_000) * HOUR_MS
    alone = rng.normal(0.0, 1.0, at_ms.size)
    clumped = np.repeat(rng.normal(0.0, 1.0, at_ms.size // 40), 40)
    free = block_bootstrap(alone, at_ms, 40 * HOUR_MS)
    tied = block_bootstrap(clumped, at_ms, 40 * HOUR_MS)
    assert free.high - free.low == pytest.approx(4 / np.sqrt(4_000), rel=0.2)
    assert tied.high - tied.low > 4 * (free.high - free.low)
    assert tied.effective_n == pytest.approx(100, rel=0.4)
    assert free.effective_n > 2_500
    assert free.holds_zero


def test_an_interval_misses_what_is_not_there() -> None:
    at_ms = np.arange(2_000) * HOUR_MS
    found = block_bootstrap(np.full(2_000, 0.01), at_ms, 8 * HOUR_MS)
    assert (found.low, found.high, found.holds_zero) == (pytest.approx(0.01), pytest.approx(0.01), False)
    with pytest.raises(InvariantViolation):
        block_bootstrap(np.empty(0), np.empty(0, dtype=np.int64), HOUR_MS)


def test_hit_rates_fall_with_distance_and_are_read_between_their_knots() -> None:
    distance = np.repeat([1.0, 2.0, 4.0], 100)
    hit = np.concatenate([np.arange(100) < 60, np.arange(100) < 30, np.arange(100) < 34]).astype(float)
    table = build_hit_rates(4.0, distance, hit)
    assert table.rate == (0.6, pytest.approx(0.32), pytest.approx(0.32))  # what rose by chance is pooled
    assert table.at(0.0) == (1.0, 100)
    assert table.at(0.5) == (pytest.approx(0.8), 100)
    assert table.at(1.5) == (pytest.approx(0.46), 100)
    assert table.at(4.0) == (pytest.approx(0.32), 100)
    assert table.at(4.01) is None


def test_the_sparser_knot_tells_how_much_is_known() -> None:
    assert HitRates(4.0, (1.0, 2.0), (0.6, 0.3), (500, 20)).at(1.5) == (pytest.approx(0.45), 20)
