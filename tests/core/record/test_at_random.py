"""The engine's answers shuffled: as many trades, no knowledge, and an interval that chance fills."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.record.at_random import score_random
from app.core.record.columns import HorizonOutcomes
from app.core.record.trades import score_trades
from tests.core.record.markets import make_evaluations, make_outcomes, mirrored, swapped

EVALUATIONS = make_evaluations(60 * 24)
ALL = np.ones(len(EVALUATIONS), dtype=np.bool_)


def test_it_trades_as_often_and_earns_what_the_market_gives() -> None:
    outcomes = make_outcomes(EVALUATIONS)
    found = score_random(EVALUATIONS, outcomes, ALL)
    assert found.emitted == np.count_nonzero(EVALUATIONS.direction)
    assert found.emitted == found.scored + found.unscorable + found.open
    assert found.mean_net is not None
    assert found.mean_net.low < found.mean_net.mean < found.mean_net.high
    assert found.mean_net.mean == pytest.approx(-0.0016, abs=3e-4)
    assert found.hit_rate is not None
    assert found.hit_rate.share == pytest.approx(0.5, abs=0.02)
    assert found.hit_rate.low < 0.5 < found.hit_rate.high
    assert found.total_net_frac == pytest.approx(found.mean_net.mean * found.scored, rel=0.02)
    assert found.wins == pytest.approx(found.hit_rate.share * found.scored, abs=2)
    assert found.barrier_break_even == pytest.approx(0.58, abs=0.01)  # (1 % + 0.16 %) / 2 %
    assert found.max_drawdown_frac is not None
    assert found.max_drawdown_frac > 0.0


def test_an_engine_that_knows_something_beats_its_own_shuffles() -> None:
    outcomes = make_outcomes(EVALUATIONS, edge=0.6)
    engine = score_trades("engine", EVALUATIONS.direction, EVALUATIONS, outcomes)
    found = score_random(EVALUATIONS, outcomes, ALL)
    assert engine.mean_net is not None
    assert found.mean_net is not None
    assert found.engine_minus is not None
    assert engine.mean_net.mean > found.mean_net.high
    assert found.engine_minus.low > 0.0
    assert found.engine_minus.mean == pytest.approx(engine.mean_net.mean - found.mean_net.mean, abs=2e-4)


def test_one_that_knows_nothing_does_not() -> None:
    found = score_random(EVALUATIONS, make_outcomes(EVALUATIONS, seed=5), ALL)
    assert found.engine_minus is not None
    assert found.engine_minus.holds_zero


def test_upside_down_it_earns_the_same() -> None:
    outcomes = make_outcomes(EVALUATIONS)
    other = mirrored(EVALUATIONS)
    found = score_random(EVALUATIONS, outcomes, ALL)
    again = score_random(other, swapped(outcomes), ALL)
    assert again.engine_minus is not None
    assert found.engine_minus is not None
    assert again.engine_minus.mean == pytest.approx(found.engine_minus.mean)
    assert (again.hit_rate, again.mean_net) == (found.hit_rate, found.mean_net)


@pytest.mark.parametrize("hours", [0, 10])
def test_without_scored_trades_there_is_nothing_to_say(hours: int) -> None:
    evaluations = make_evaluations(hours, coins=1)
    outcomes: HorizonOutcomes = make_outcomes(evaluations)
    outcomes.long.state[:], outcomes.short.state[:] = 0, 1
    position = np.array([1, -1] * (hours // 2), dtype=np.int8)
    evaluations = replace(evaluations, direction=position)
    found = score_random(evaluations, outcomes, np.ones(hours, dtype=np.bool_))
    assert (found.emitted, found.scored, found.open, found.unscorable) == (hours, 0, hours // 2, hours // 2)
    assert (found.mean_net, found.hit_rate, found.engine_minus) == (None, None, None)


def test_a_coin_in_which_the_engine_cannot_speak_is_not_traded_at_random() -> None:
    """Ten coins, nine of them without enough inputs and dear to trade: a coin flip on the tenth is no better
    than its shuffles."""
    evaluations = make_evaluations(60 * 24, coins=10)
    covered = evaluations.coin == 0
    rng = np.random.default_rng(9)
    flips = np.where(covered, rng.choice([-1, 0, 1], len(evaluations), p=[0.05, 0.9, 0.05]), 0)
    flipped = replace(evaluations, direction=flips.astype(np.int8))
    outcomes = make_outcomes(evaluations)
    for side in (outcomes.long, outcomes.short):
        side.net_frac[~covered] -= 0.0012
    found = score_random(flipped, outcomes, covered)
    assert found.engine_minus is not None
    assert found.engine_minus.holds_zero
    blind = score_random(flipped, outcomes, np.ones(len(evaluations), dtype=np.bool_))
    assert blind.mean_net is not None
    assert found.mean_net is not None
    # Shuffled within each coin: the silent ones stay silent.
    assert blind.mean_net.mean == pytest.approx(found.mean_net.mean, abs=1e-4)
