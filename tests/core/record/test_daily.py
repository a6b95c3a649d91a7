"""Days of returns, and what choosing leaves of their ratio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.outcomes.sharpe import describe_returns
from app.core.record.columns import SCORED
from app.core.record.daily import daily_net, deflate
from tests.core.record.markets import DAY_MS, START_MS, make_evaluations, make_outcomes


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
    position = evaluations.direction
    found = [deflate(position, evaluations, outcomes, variants=n) for n in (1, 10, 1_000)]
    assert None not in found
    probabilities = [one.probability for one in found if one is not None]
    assert probabilities == sorted(probabilities, reverse=True)
    first = found[0]
    assert first is not None
    shape = describe_returns(daily_net(evaluations.direction, evaluations, outcomes))
    assert shape is not None
    assert (first.sharpe, first.days, first.benchmark) == (shape.sharpe, 60, 0.0)
    # Ten worthless ratios over 60 days spread by 1 / sqrt(59); the best of them is 1.57 spreads up.
    assert found[1] is not None
    assert found[1].benchmark == pytest.approx(1.57 / 59**0.5, abs=0.01)


def test_a_month_of_trades_is_the_least() -> None:
    evaluations = make_evaluations(29 * 24)
    assert deflate(evaluations.direction, evaluations, make_outcomes(evaluations), variants=5) is None
    longer = make_evaluations(60 * 24)
    idle = replace(longer, direction=np.where(longer.at_ms < START_MS + 20 * DAY_MS, longer.direction, 0))
    assert deflate(idle.direction.astype(np.int8), idle, make_outcomes(idle), variants=5) is None
    none = make_evaluations(0)
    assert deflate(none.direction, none, make_outcomes(none), variants=5) is None
