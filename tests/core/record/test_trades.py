"""What trades came to: counted by hand, mirrored, and dearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.calibration.scores import block_bootstrap
from app.core.domain.track_record import TradeStats
from app.core.outcomes.statistics import wilson
from app.core.record.columns import (
    LONG,
    NEUTRAL,
    OPEN,
    SCORED,
    SHORT,
    UNSCORABLE,
    HorizonOutcomes,
    SideOutcomes,
)
from app.core.record.trades import Rule, score_rules, score_trades
from tests.core.record.markets import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    costlier,
    make_evaluations,
    make_outcomes,
    mirrored,
    swapped,
)


def side(state: list[int], win: list[int], net: list[float], end_h: list[int]) -> SideOutcomes:
    n = len(state)
    return SideOutcomes(
        state=np.array(state, dtype=np.int8),
        win=np.array(win, dtype=np.bool_),
        net_frac=np.array(net),
        cost_frac=np.full(n, 0.001),
        barrier_frac=np.full(n, 0.005),
        end_ms=START_MS + np.array(end_h, dtype=np.int64) * HOUR_MS,
    )


def test_six_trades_counted_by_hand() -> None:
    evaluations = make_evaluations(48, coins=1).where(np.arange(48) % 8 == 0)
    nan = float("nan")
    outcomes = HorizonOutcomes(
        "4h",
        4 * HOUR_MS,
        side([SCORED, SCORED, OPEN, SCORED, SCORED, SCORED], [1, 0, 0, 1, 1, 1],
             [0.004, -0.006, nan, 9.0, 9.0, 0.004], [2, 9, 99, 1, 1, 41]),
        side([SCORED, SCORED, SCORED, UNSCORABLE, SCORED, SCORED], [0, 0, 0, 0, 0, 1],
             [9.0, 9.0, 9.0, nan, -0.006, 9.0], [1, 1, 1, 1, 35, 1]),
    )  # fmt: skip
    position = np.array([LONG, LONG, LONG, SHORT, SHORT, LONG], dtype=np.int8)
    found = score_trades("ours", position, evaluations, outcomes)
    assert (found.emitted, found.scored, found.unscorable, found.open, found.wins) == (6, 4, 1, 1, 2)
    assert found.hit_rate is not None
    assert (found.hit_rate.share, found.hit_rate.n) == (0.5, 4)
    assert (found.hit_rate.low, found.hit_rate.high) == wilson(2, 4)
    assert found.break_even == pytest.approx(0.60)
    assert found.total_net_frac == pytest.approx(-0.004)
    assert found.max_drawdown_frac == pytest.approx(0.012)  # 0.004, -0.002, -0.008, -0.004
    assert found.mean_net is not None
    assert found.mean_net.mean == pytest.approx(-0.001)
    assert found.mean_net.low <= -0.001 <= found.mean_net.high
    assert found.engine_minus is None


def test_the_drawdown_follows_the_order_in_which_trades_ended() -> None:
    evaluations = make_evaluations(3, coins=1)
    long = side([SCORED] * 3, [1, 0, 0], [0.01, -0.01, -0.01], [5, 1, 1])
    outcomes = HorizonOutcomes("4h", 4 * HOUR_MS, long, long)
    found = score_trades("ours", np.ones(3, dtype=np.int8), evaluations, outcomes)
    assert found.max_drawdown_frac == pytest.approx(0.02)
    together = replace(long, end_ms=np.full(3, START_MS))
    found = score_trades("ours", np.ones(3, dtype=np.int8), evaluations, replace(outcomes, long=together))
    assert found.max_drawdown_frac == pytest.approx(0.01)


def test_neutral_is_never_scored() -> None:
    evaluations = make_evaluations(100)
    outcomes = make_outcomes(evaluations)
    position = np.full(len(evaluations), NEUTRAL, dtype=np.int8)
    found = score_trades("idle", position, evaluations, outcomes)
    assert found == TradeStats("idle", 0, 0, 0, 0, 0, *([None] * 8))  # type: ignore[arg-type]


def test_interval_and_effective_n_are_those_of_whole_blocks_of_time() -> None:
    evaluations = make_evaluations(60 * 24)
    outcomes = make_outcomes(evaluations)
    found = score_trades("long", np.ones(len(evaluations), dtype=np.int8), evaluations, outcomes)
    kept = outcomes.long.state == SCORED
    net = block_bootstrap(outcomes.long.net_frac[kept], evaluations.at_ms[kept], 8 * HOUR_MS, draws=1_000)
    assert found.mean_net == net
    win = block_bootstrap(
        outcomes.long.win[kept].astype(float), evaluations.at_ms[kept], 8 * HOUR_MS, draws=1_000
    )
    assert found.effective_n == win.effective_n
    assert found.hit_rate_apart is not None
    apart = wilson(win.mean * win.effective_n, win.effective_n)
    assert apart == (pytest.approx(found.hit_rate_apart.low), pytest.approx(found.hit_rate_apart.high))


def test_coins_that_move_together_count_once() -> None:
    evaluations = make_evaluations(60 * 24, coins=8)
    first = make_outcomes(make_evaluations(60 * 24, coins=1))
    every = np.repeat(np.arange(60 * 24), 8)
    outcomes = first.where(every)
    found = score_trades("long", np.ones(len(evaluations), dtype=np.int8), evaluations, outcomes)
    assert found.effective_n is not None
    assert found.scored > 10_000
    assert found.effective_n < 2_000
    assert found.hit_rate is not None
    assert found.hit_rate_apart is not None
    assert found.hit_rate_apart.high - found.hit_rate_apart.low > 2 * (
        found.hit_rate.high - found.hit_rate.low
    )


def test_one_block_of_trades_tells_no_interval() -> None:
    evaluations = make_evaluations(4)
    outcomes = make_outcomes(evaluations)
    found = score_trades("long", np.ones(12, dtype=np.int8), evaluations, outcomes)
    assert found.mean_net is None
    assert found.total_net_frac is not None
    assert found.effective_n == 1.0


def test_the_engine_is_compared_on_the_same_blocks() -> None:
    evaluations = make_evaluations(90 * 24)
    outcomes = make_outcomes(evaluations, edge=0.5)
    long = np.ones(len(evaluations), dtype=np.int8)
    rules = [Rule("always long", long), Rule("the engine again", evaluations.direction)]
    other, same = score_rules(rules, evaluations, outcomes, engine=evaluations.direction)
    assert other.engine_minus is not None
    assert other.engine_minus.low > 0.0
    assert same.mean_net is not None
    assert other.mean_net is not None
    assert other.engine_minus.mean == pytest.approx(same.mean_net.mean - other.mean_net.mean)
    assert same.engine_minus is not None
    assert (same.engine_minus.mean, same.engine_minus.low, same.engine_minus.high) == (0.0, 0.0, 0.0)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), hours=st.integers(1, 200), times=st.floats(1.1, 5.0))
def test_counts_add_up_mirrors_agree_and_costs_cost(seed: int, hours: int, times: float) -> None:
    evaluations = make_evaluations(hours, seed=seed)
    outcomes = make_outcomes(evaluations, seed=seed)
    found = score_trades("ours", evaluations.direction, evaluations, outcomes)
    assert found.emitted == found.scored + found.unscorable + found.open
    assert found.emitted == np.count_nonzero(evaluations.direction)
    assert 0 <= found.wins <= found.scored
    other = mirrored(evaluations)
    assert score_trades("ours", other.direction, other, swapped(outcomes)) == found
    dear = score_trades("ours", evaluations.direction, evaluations, costlier(outcomes, times))
    if found.total_net_frac is not None:
        assert dear.total_net_frac is not None
        assert dear.total_net_frac < found.total_net_frac
        assert dear.wins <= found.wins


def test_blocks_are_twice_the_horizon_of_the_longest() -> None:
    evaluations = make_evaluations(60 * 24)
    outcomes = make_outcomes(evaluations, horizon="24h", length_ms=DAY_MS)
    found = score_trades("long", np.ones(len(evaluations), dtype=np.int8), evaluations, outcomes)
    kept = outcomes.long.state == SCORED
    net = block_bootstrap(outcomes.long.net_frac[kept], evaluations.at_ms[kept], 2 * DAY_MS, draws=1_000)
    assert found.mean_net == net


def test_break_even_is_of_the_wins_and_losses_themselves_and_agrees_with_what_was_earned() -> None:
    evaluations = make_evaluations(5, coins=1)
    won = [1, 1, 0, 0, 0]
    net = [0.008, 0.004, -0.005, -0.002, -0.005]
    outcomes = HorizonOutcomes("4h", 4 * HOUR_MS, *(side([SCORED] * 5, won, net, [1] * 5) for _ in range(2)))
    found = score_trades("x", np.full(5, LONG, dtype=np.int8), evaluations, outcomes)
    assert found.break_even == pytest.approx(0.4)  # wins of 0.6 %, losses of 0.4 %
    assert found.barrier_break_even == pytest.approx((0.005 + 0.001) / 0.01)
    assert found.hit_rate is not None
    assert found.hit_rate.share == pytest.approx(0.4)
    assert found.total_net_frac == pytest.approx(0.0)


@given(st.integers(0, 2**31), st.integers(2, 200))
def test_more_is_won_than_break_even_just_where_something_was_earned(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    net = rng.normal(0, 0.01, n)
    net[:2] = 0.01, -0.01
    evaluations = make_evaluations(n, coins=1)
    outcomes = HorizonOutcomes(
        "4h",
        4 * HOUR_MS,
        *(side([SCORED] * n, (net > 0).astype(int).tolist(), net.tolist(), [1] * n) for _ in range(2)),
    )
    found = score_trades("x", np.full(n, LONG, dtype=np.int8), evaluations, outcomes)
    assert found.hit_rate is not None
    assert found.break_even is not None
    assert found.total_net_frac is not None
    if abs(found.total_net_frac) > 1e-9:
        assert (found.hit_rate.share > found.break_even) is (found.total_net_frac > 0)
