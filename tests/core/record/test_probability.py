"""A probability is shown only where the score was worth one on trades that came later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.core.calibration.scores import brier
from app.core.record.columns import OPEN, SCORED, HorizonOutcomes
from app.core.record.probability import fit_calibrator, predict_forward
from tests.core.record.markets import (
    HOUR_MS,
    make_evaluations,
    make_outcomes,
    mirrored,
    shuffled,
    swapped,
)

EVALUATIONS = make_evaluations(120 * 24)
REAL = make_outcomes(EVALUATIONS, edge=0.5)


def test_a_planted_effect_is_found_and_shown() -> None:
    judged, calibrator, said = fit_calibrator(EVALUATIONS, REAL)
    assert judged is not None
    assert calibrator is not None
    assert (judged.is_shown, judged.why_not, said) == (True, "", "")
    assert judged.gain.low > 0.0
    assert judged.skill == pytest.approx(1.0 - judged.brier / judged.base_brier)
    assert judged.gain.mean == pytest.approx(judged.base_brier - judged.brier)
    assert judged.log_loss < judged.base_log_loss
    assert sum(one.n for one in judged.bins) == judged.n
    assert calibrator.chances_of(np.array([80.0]))[0] == pytest.approx(0.65, abs=0.03)
    assert (calibrator.method, calibrator.n) == (judged.method, judged.fitted_n)


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_outcomes_give_no_skill(seed: int) -> None:
    judged, calibrator, said = fit_calibrator(EVALUATIONS, shuffled(REAL, EVALUATIONS, seed))
    assert judged is not None
    assert calibrator is None
    assert not judged.is_shown
    assert judged.gain.low <= 0.0
    assert judged.gain.mean == pytest.approx(0.0, abs=2e-3)
    assert said == judged.why_not
    assert said.startswith("on later trades the score was")


def test_upside_down_everything_is_the_same() -> None:
    judged, _, _ = fit_calibrator(EVALUATIONS, REAL)
    other, _, _ = fit_calibrator(mirrored(EVALUATIONS), swapped(REAL))
    assert judged is not None
    assert other is not None
    assert (other.n, other.fitted_n, other.method) == (judged.n, judged.fitted_n, judged.method)
    for name in ("brier", "base_brier", "skill", "log_loss", "reliability", "resolution", "uncertainty"):
        assert getattr(other, name) == pytest.approx(getattr(judged, name), abs=1e-9), name
    assert other.gain.low == pytest.approx(judged.gain.low, abs=1e-9)


def test_what_ended_after_the_embargo_began_changes_nothing_said_in_a_fold() -> None:
    known = predict_forward(EVALUATIONS, REAL)
    edges = np.linspace(EVALUATIONS.at_ms[0], EVALUATIONS.at_ms[-1] + 1, 8).astype(np.int64).tolist()
    for begin_ms, end_ms in pairwise(edges[1:]):
        other = predict_forward(EVALUATIONS, _otherwise_after(REAL, begin_ms - 4 * HOUR_MS))
        before, same = known.outcomes.at_ms < end_ms, other.outcomes.at_ms < end_ms
        told = dict(zip(_keys(known, before), known.chance[before].tolist(), strict=True))
        again = dict(zip(_keys(other, same), other.chance[same].tolist(), strict=True))
        shared = told.keys() & again.keys()
        assert len(shared) > 0.8 * len(told)
        assert {key: told[key] for key in shared} == {key: again[key] for key in shared}
        assert set(known.base[before].tolist()) == set(other.base[same].tolist())


def _keys(found: object, kept: np.ndarray) -> list[tuple[int, float]]:
    rows = found.outcomes  # type: ignore[attr-defined]
    return list(zip(rows.at_ms[kept].tolist(), rows.side_score[kept].tolist(), strict=True))


def _otherwise_after(outcomes: HorizonOutcomes, moment: int) -> HorizonOutcomes:
    """Whatever ended at the moment or later ended otherwise, or has not ended."""
    sides = []
    for k, side in enumerate((outcomes.long, outcomes.short)):
        later = side.end_ms >= moment
        lost = later & (np.arange(later.size) % 7 == k)
        sides.append(
            replace(
                side,
                win=np.where(later, ~side.win, side.win),
                state=np.where(lost, OPEN, side.state).astype(np.int8),
            )
        )
    return replace(outcomes, long=sides[0], short=sides[1])


def test_a_fold_is_judged_by_what_was_said_before_it_began() -> None:
    found = predict_forward(EVALUATIONS, REAL)
    edges = np.linspace(EVALUATIONS.at_ms[0], EVALUATIONS.at_ms[-1] + 1, 8)
    assert found.outcomes.at_ms.min() >= edges[1] - 1
    fold = np.searchsorted(edges, found.outcomes.at_ms, side="right")
    is_long = found.outcomes.is_long
    for side in (is_long, ~is_long):  # each side has the base rate of its own past
        assert all(len(set(found.by_side[side & (fold == k)])) == 1 for k in set(fold.tolist()))
    assert len(set(found.by_side.tolist())) == 2 * 6
    assert len(set(found.pooled.tolist())) == 6
    assert brier(found.chance, found.outcomes.won) < brier(found.base, found.outcomes.won)


def test_quick_trades_of_the_last_hours_are_not_judged() -> None:
    found = predict_forward(EVALUATIONS, REAL)
    assert found.outcomes.at_ms.max() <= EVALUATIONS.at_ms[-1] - 4 * HOUR_MS


def test_a_wrong_engine_is_told_so() -> None:
    wrong = make_outcomes(EVALUATIONS, edge=-0.6)
    judged, calibrator, said = fit_calibrator(EVALUATIONS, wrong)
    assert judged is not None
    assert judged.is_shown
    assert calibrator is not None
    assert calibrator.is_falling
    assert "fewer wins" in said


def test_too_little_is_said_in_numbers() -> None:
    few = make_evaluations(60, coins=2)
    judged, calibrator, said = fit_calibrator(few, make_outcomes(few))
    assert (judged, calibrator) == (None, None)
    assert "500 are needed to fit one" in said
    short = make_evaluations(24 * 5, coins=3)
    assert fit_calibrator(short, make_outcomes(short))[1] is None
    none = make_evaluations(0)
    assert "0 trades are over" in fit_calibrator(none, make_outcomes(none))[2]
    lost = replace(REAL.long, win=np.zeros(len(EVALUATIONS), dtype=np.bool_))
    alike = replace(REAL, long=lost, short=lost)
    assert fit_calibrator(EVALUATIONS, alike)[2] == "all trades so far ended alike"


def test_trades_that_all_move_together_are_too_few_to_judge() -> None:
    """Forty coins that are one coin: thousands of outcomes, a few hundred moments."""
    one = make_evaluations(120 * 24, coins=1).where(np.arange(120 * 24) % 16 == 0)
    every = np.repeat(np.arange(len(one)), 40)
    evaluations = one.where(every)
    outcomes = make_outcomes(one, edge=0.9).where(every)
    judged, calibrator, said = fit_calibrator(evaluations, outcomes)
    assert judged is not None
    assert calibrator is None
    assert judged.n > 10_000
    assert judged.gain.effective_n < 400.0
    assert "400 are needed to judge one" in said
    assert (outcomes.long.state == SCORED).sum() > 5_000


def test_a_rising_market_is_no_merit_of_a_score_that_likes_to_say_long() -> None:
    """LONG wins 60 % and SHORT 40 %, the score is 55 on average and tells nothing."""
    evaluations = make_evaluations(4_000, coins=1)
    rng = np.random.default_rng(6)
    score = np.clip(rng.normal(55.0, 3.0, len(evaluations)), 0.0, 100.0)
    evaluations = replace(evaluations, score=score, coverage=np.ones(len(evaluations)))
    outcomes = make_outcomes(evaluations)
    drifting = replace(
        outcomes,
        long=replace(outcomes.long, win=rng.random(len(evaluations)) < 0.6),
        short=replace(outcomes.short, win=rng.random(len(evaluations)) < 0.4),
    )
    calibrated, calibrator, why_not = fit_calibrator(evaluations, drifting)
    assert calibrated is not None
    assert calibrated.gain.mean < 0.0
    assert calibrator is None
    assert "no better than the base rate" in why_not


def test_a_trend_that_turns_is_no_merit_of_a_score_without_any() -> None:
    """LONG wins 60 % for half of the time and 40 % after it: each side's own past is a poor guess then, and
    the fit of both sides together a better one without knowing anything."""
    shown = 0
    for seed in range(8):
        evaluations = make_evaluations(3_000, coins=1, seed=seed + 20)
        rng = np.random.default_rng(seed)
        noise = np.clip(rng.normal(50.0, 8.0, len(evaluations)), 0.0, 100.0)
        evaluations = replace(evaluations, score=noise)
        outcomes = make_outcomes(evaluations, seed=seed)
        rate = np.where(np.arange(len(evaluations)) < 1_500, 0.6, 0.4)
        turning = replace(
            outcomes,
            long=replace(outcomes.long, win=rng.random(len(evaluations)) < rate),
            short=replace(outcomes.short, win=rng.random(len(evaluations)) < 1.0 - rate),
        )
        shown += fit_calibrator(evaluations, turning)[1] is not None
    assert shown == 0
