"""Days of returns, and what choosing leaves of their ratio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.outcomes.sharpe import describe_returns
from app.core.record.baselines import baselines
from app.core.record.columns import SCORED
from app.core.record.daily import daily_net, deflate
from app.core.record.trades import Rule
from tests.core.record.markets import BALANCED, DAY_MS, START_MS, make_evaluations, make_outcomes


def test_a_return_counts_on_the_day_its_trade_ended() -> None:
    evaluations = make_evaluations(72, coins=1)
    outcomes = make_outcomes(evaluations)
    outcomes.long.state[:], outcomes.long.net_frac[:] = 0, 0.0
    for row, end_ms, net in (
        (0, START_MS + DAY_MS - 1, 0.01),
        (5, START_MS + DAY_MS, -0.02),  # the next day has begun
        (71, START_MS + 9 * DAY_MS, 0.04),  # past the record: its last day
    ):
        outcomes.long.state[row], outcomes.long.end_ms[row] = SCORED, end_ms
        outcomes.long.net_frac[row] = net
    found = daily_net(np.ones(72, dtype=np.int8), evaluations, outcomes)
    assert found.tolist() == [0.01, -0.02, 0.04]
    assert daily_net(np.zeros(72, dtype=np.int8), evaluations, outcomes).tolist() == [0.0, 0.0, 0.0]


def test_more_variants_leave_less() -> None:
    evaluations = make_evaluations(60 * 24)
    outcomes = make_outcomes(evaluations, edge=0.75)
    rules = [Rule("engine", evaluations.direction), *baselines(evaluations, BALANCED)]
    found = [deflate(rules, evaluations, outcomes, variants=n) for n in (1, 10, 1_000)]
    assert None not in found
    probabilities = [one.probability for one in found if one is not None]
    assert probabilities == sorted(probabilities, reverse=True)
    first = found[0]
    assert first is not None
    shape = describe_returns(daily_net(evaluations.direction, evaluations, outcomes))
    assert shape is not None
    assert (first.sharpe, first.days, first.benchmark) == (shape.sharpe, 60, 0.0)
    alone = deflate(rules[:1], evaluations, outcomes, variants=10)
    assert alone is not None
    assert alone.benchmark == pytest.approx(0.0)  # one ratio shows no spread of ratios


def test_a_month_of_trades_is_the_least() -> None:
    evaluations = make_evaluations(29 * 24)
    rules = [Rule("engine", evaluations.direction)]
    assert deflate(rules, evaluations, make_outcomes(evaluations), variants=5) is None
    longer = make_evaluations(60 * 24)
    idle = replace(longer, direction=np.where(longer.at_ms < START_MS + 20 * DAY_MS, longer.direction, 0))
    rules = [Rule("engine", idle.direction.astype(np.int8))]
    assert deflate(rules, idle, make_outcomes(idle), variants=5) is None
    none = make_evaluations(0)
    assert deflate([Rule("engine", none.direction)], none, make_outcomes(none), variants=5) is None
