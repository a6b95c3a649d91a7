"""A score as a chance: one fit for both sides, never turned round, and plain enough to be kept."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from app.core.calibration.logistic import sigmoid
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.record.calibrator import (
    ISOTONIC,
    LOGISTIC,
    Calibrator,
    Outcomes,
    fit_better,
    pool_sides,
)
from app.core.record.columns import SCORED
from tests.core.record.markets import HOUR_MS, START_MS, make_evaluations, make_outcomes, mirrored, swapped


def past(chance_of: object, n: int = 60_000, seed: int = 1) -> Outcomes:
    rng = np.random.default_rng(seed)
    score = np.round(rng.uniform(2.0, 98.0, n) * 4) / 4
    at_ms = START_MS + np.arange(n) * HOUR_MS
    won = rng.uniform(size=n) < chance_of(score)  # type: ignore[operator]
    return Outcomes(at_ms, at_ms + 4 * HOUR_MS, score, won.astype(float), np.arange(n) % 2 == 0)


def test_rows_are_both_sides_seen_from_their_own() -> None:
    evaluations = make_evaluations(50, coins=1)
    outcomes = make_outcomes(evaluations)
    rows = pool_sides(evaluations, outcomes)
    long, short = outcomes.long.state == SCORED, outcomes.short.state == SCORED
    assert len(rows) == long.sum() + short.sum()
    assert (np.diff(rows.at_ms) >= 0).all()
    assert (rows.end_ms >= rows.at_ms + 4 * HOUR_MS).all()  # over when its horizon is
    expected = sorted(evaluations.score[long].tolist() + (100.0 - evaluations.score[short]).tolist())
    assert sorted(rows.side_score.tolist()) == expected
    assert rows.won.sum() == outcomes.long.win[long].sum() + outcomes.short.win[short].sum()


def test_upside_down_the_fit_is_the_same() -> None:
    evaluations = make_evaluations(24 * 60)
    outcomes = make_outcomes(evaluations, edge=0.5)
    found = fit_better(pool_sides(evaluations, outcomes), 4 * HOUR_MS)
    other = fit_better(pool_sides(mirrored(evaluations), swapped(outcomes)), 4 * HOUR_MS)
    asked = np.linspace(5.0, 95.0, 19)
    np.testing.assert_allclose(other.chances_of(asked), found.chances_of(asked), atol=1e-9)


def test_a_logistic_past_is_found_again() -> None:
    found = fit_better(past(lambda score: sigmoid(-0.2 + 0.7 * np.log(score / (100.0 - score)))), 4 * HOUR_MS)
    assert found.method == LOGISTIC
    assert (found.alpha, found.beta) == (pytest.approx(-0.2, abs=0.05), pytest.approx(0.7, abs=0.05))


def test_a_step_is_better_told_by_the_isotonic_fit() -> None:
    found = fit_better(past(lambda score: np.where(score > 70.0, 0.8, 0.45)), 4 * HOUR_MS)
    assert found.method == ISOTONIC
    assert found.chances_of(np.array([30.0, 90.0])) == pytest.approx([0.45, 0.8], abs=0.03)
    assert (np.diff(found.chances_of(np.linspace(0.0, 100.0, 201))) >= 0.0).all()


def test_an_engine_that_was_wrong_is_not_turned_round() -> None:
    found = fit_better(past(lambda score: 0.7 - 0.004 * score), 4 * HOUR_MS)
    assert found.method == LOGISTIC
    assert found.is_falling
    chance = found.chance(80.0, Direction.LONG)
    assert chance is not None
    assert chance < found.base_rate


def test_a_short_is_a_long_upside_down_and_neutral_is_no_trade() -> None:
    found = Calibrator(LOGISTIC, 0.0, 1.0, (), (), 600, 0.5)
    assert found.chance(70.0, Direction.LONG) == pytest.approx(0.7)
    assert found.chance(30.0, Direction.SHORT) == pytest.approx(0.7)
    assert found.chance(30.0, Direction.LONG) == pytest.approx(0.3)
    assert found.chance(50.0, Direction.NEUTRAL) is None


@pytest.mark.parametrize("step", [False, True])
def test_it_goes_through_json_and_back_exactly(step: bool) -> None:
    chance_of = (lambda score: np.where(score > 70.0, 0.8, 0.45)) if step else (lambda score: score / 100.0)
    found = fit_better(past(chance_of), 4 * HOUR_MS)
    assert found.method == (ISOTONIC if step else LOGISTIC)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Calibrator) == found


def test_the_choice_is_made_on_what_came_before_with_a_gap() -> None:
    rows = past(lambda score: score / 100.0, n=6_000)
    split_ms = int(rows.at_ms[-1]) - int((rows.at_ms[-1] - rows.at_ms[0]) / 3)
    gap_ms = 2_500 * HOUR_MS
    # What ended within the gap, upside down, would turn the choice round.
    between = (rows.end_ms >= split_ms - gap_ms) & (rows.at_ms < split_ms)
    spoilt = replace(rows, won=np.where(between, 1.0 - rows.won, rows.won))
    assert fit_better(rows, gap_ms).method == LOGISTIC
    assert fit_better(spoilt, gap_ms).method == LOGISTIC
    assert fit_better(spoilt, 0).method == ISOTONIC


def test_too_short_a_past_is_refused() -> None:
    with pytest.raises(InvariantViolation, match="499 resolved windows"):
        fit_better(past(lambda score: score / 100.0, n=499), 4 * HOUR_MS)
    assert fit_better(past(lambda score: score / 100.0, n=600), 4 * HOUR_MS).method == LOGISTIC
