"""What the rules beside the engine do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.core.domain.signal import FactorName
from app.core.record.baselines import baselines, position_of
from app.core.record.columns import FACTOR_ORDER, LONG, NEUTRAL, SHORT
from tests.core.record.markets import BALANCED, make_evaluations, mirrored

NAN = float("nan")


def test_thresholds_themselves_are_signals_and_no_score_is_none() -> None:
    score = np.array([65.0, 64.99, 50.0, 35.01, 35.0, NAN])
    assert position_of(score, BALANCED).tolist() == [LONG, NEUTRAL, NEUTRAL, NEUTRAL, SHORT, NEUTRAL]


def test_each_rule_by_hand() -> None:
    v = np.zeros((4, len(FACTOR_ORDER)))
    momentum, funding = (FACTOR_ORDER.index(name) for name in (FactorName.MOMENTUM, FactorName.FUNDING))
    v[:, momentum] = [0.1, -0.5, NAN, 0.0]
    v[:, funding] = [-0.3, 0.29, NAN, 1.0]
    v[3] = 1.0
    v[3, 0] = NAN  # seven of eight at +1: 50 + 50 * 7 / 8 = 93.75
    rules = {
        rule.name: rule.position.tolist()
        for rule in baselines(_with(v), BALANCED, np.ones(4, dtype=np.bool_))
    }
    assert rules["always long"] == [LONG] * 4
    assert rules["always short"] == [SHORT] * 4
    assert rules["momentum only"] == [LONG, SHORT, NEUTRAL, LONG]
    assert rules["momentum alone"] == [NEUTRAL, SHORT, NEUTRAL, LONG]
    assert rules["funding alone"] == [SHORT, NEUTRAL, NEUTRAL, LONG]
    assert rules["equal weights"] == [NEUTRAL, NEUTRAL, NEUTRAL, LONG]
    assert len(rules) == 3 + len(FACTOR_ORDER) + 1


def test_upside_down_every_rule_takes_the_other_side() -> None:
    evaluations = make_evaluations(500)
    covered = np.arange(len(evaluations)) % 4 > 0
    rules = {rule.name: rule.position for rule in baselines(evaluations, BALANCED, covered)}
    others = {rule.name: rule.position for rule in baselines(mirrored(evaluations), BALANCED, covered)}
    others["always long"], others["always short"] = others["always short"], others["always long"]
    for name, position in rules.items():
        np.testing.assert_array_equal(others[name], -position, err_msg=name)


def test_no_rule_trades_where_the_engine_cannot() -> None:
    evaluations = make_evaluations(50)
    covered = np.arange(len(evaluations)) % 2 == 0
    for rule in baselines(evaluations, BALANCED, covered):
        assert not rule.position[~covered].any()


def _with(v: np.ndarray) -> object:
    return replace(make_evaluations(len(v), coins=1), v=v)
