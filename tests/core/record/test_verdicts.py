"""What a stored outcome says at a moment, and that an end without all its figures is no outcome."""

from __future__ import annotations

import pytest

from app.core.domain.evaluations import EvaluationRef
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.outcomes.first_touch import Ending
from app.core.outcomes.rows import ended, entered, entry_of, given_up, plan_entry
from app.core.outcomes.sides import begin_side
from app.core.record.gaps import NOT_FOLLOWED
from app.core.record.verdicts import GIVEN_UP_MS, Running, Scored, Unscored, Verdict, verdict_of
from tests.outcome_facts import HOUR_MS, T0_MS

FOUR_H = HORIZONS_MS["4h"]


def waiting() -> OutcomeRow:
    return begin_side(EvaluationRef("a", "BTC", T0_MS), Direction.LONG, tier=1)[2]


def over(touch: Touch = Touch.TARGET, price: float = 101.0) -> OutcomeRow:
    """Entered at 100 a second later, touched after an hour, written after two."""
    row = waiting()
    plan = plan_entry(row, entered_ms=T0_MS + 1_000, entry=100.0, atr_usd=1.0)
    assert not isinstance(plan, Unscorable)
    ending = Ending(touch, T0_MS + HOUR_MS, price, 0.01, -0.001)
    into = entered(row, entry_of(row, plan))
    return ended(into, ending, path="1m", settlements=(), now_ms=T0_MS + 2 * HOUR_MS)


def at(row: OutcomeRow | None, after_ms: int) -> Verdict:
    return verdict_of(row, made_ms=T0_MS, length_ms=FOUR_H, now_ms=T0_MS + after_ms)


def test_an_end_counts_when_the_whole_horizon_is_over() -> None:
    row = over()
    assert at(row, HOUR_MS) == Running(is_decided=False)  # written after this moment
    assert at(row, 2 * HOUR_MS) == Running(is_decided=True)
    assert at(row, FOUR_H + 999) == Running(is_decided=True)
    found = at(row, FOUR_H + 1_000)
    assert isinstance(found, Scored)
    assert (found.entry, found.target, found.is_win) == (100.0, 101.0, True)
    assert found.net_frac == pytest.approx(0.01 - 0.0016)
    assert (found.cost_frac, found.ended_ms) == (0.0016, T0_MS + HOUR_MS)


@pytest.mark.parametrize(
    ("touch", "price", "is_win"),
    [
        (Touch.TARGET, 101.0, True),
        (Touch.TARGET, 100.1, False),  # so near that the fees eat it
        (Touch.STOP, 99.0, False),
        (Touch.BOTH, 101.0, False),
        (Touch.TIMEOUT, 100.5, True),
        (Touch.TIMEOUT, 100.1, False),
    ],
)
def test_a_win_touched_the_target_or_timed_out_and_earned_more_than_it_cost(
    touch: Touch, price: float, is_win: bool
) -> None:
    found = at(over(touch, price), FOUR_H + HOUR_MS)
    assert isinstance(found, Scored)
    assert found.is_win is is_win


@pytest.mark.parametrize("row", [None, waiting()])
def test_what_nobody_followed_is_open_until_nobody_can_any_more(row: OutcomeRow | None) -> None:
    assert at(row, FOUR_H + GIVEN_UP_MS) == Running(is_decided=False)
    assert at(row, FOUR_H + GIVEN_UP_MS + 1) == Unscored(NOT_FOLLOWED)


def test_an_end_without_a_score_says_why() -> None:
    row = given_up(waiting(), Unscorable.HOLES, now_ms=T0_MS + HOUR_MS)
    assert at(row, HOUR_MS) == Unscored("holes")


@pytest.mark.parametrize("lost", ["entry_price", "target_price", "net_return_frac"])
def test_an_end_that_lacks_a_figure_is_no_outcome(lost: str) -> None:
    assert at(over()._replace(**{lost: None}), FOUR_H + HOUR_MS) == Unscored(NOT_FOLLOWED)
