"""Did a factor help? Said only where the interval allows it, in words that agree with the figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.backtest.factor_report import rank_correlation, report_factors
from app.core.backtest.report import Verdict
from app.core.domain.engine_config import EngineConfig
from app.core.domain.signal import FactorName
from app.core.record.columns import FACTOR_ORDER
from tests.core.backtest.test_weights import HOURS, market

CONFIG = EngineConfig()


def test_values_in_the_order_of_the_returns_correlate_wholly() -> None:
    evaluations, outcomes = market(3, teller=None)
    gross = outcomes.long.net_frac + outcomes.long.cost_frac
    same = rank_correlation(np.exp(gross), evaluations, outcomes)
    against = rank_correlation(-gross, evaluations, outcomes)
    assert same is not None
    assert against is not None
    assert same.mean == pytest.approx(1.0)
    assert against.mean == pytest.approx(-1.0)


def test_noise_does_not_correlate_and_few_pairs_say_nothing() -> None:
    evaluations, outcomes = market(4, teller=None)
    noise = np.random.default_rng(1).normal(size=HOURS)
    found = rank_correlation(noise, evaluations, outcomes)
    assert found is not None
    assert found.holds_zero
    noise[99:] = np.nan
    assert rank_correlation(noise, evaluations, outcomes) is None
    assert rank_correlation(np.ones(HOURS), evaluations, outcomes) is None


def test_a_factor_that_tells_is_said_to_have_helped_and_its_mirror_to_have_hurt() -> None:
    index = FACTOR_ORDER.index(FactorName.FUNDING)
    evaluations, outcomes = market(6, teller=index)
    reports = {one.name: one for one in report_factors(evaluations, outcomes, CONFIG)}
    assert reports[FactorName.FUNDING].verdict is Verdict.HELPED
    assert "it helped" in reports[FactorName.FUNDING].sentence
    v = evaluations.v.copy()
    v[:, index] *= -1
    turned = {one.name: one for one in report_factors(replace(evaluations, v=v), outcomes, CONFIG)}
    assert turned[FactorName.FUNDING].verdict is Verdict.HURT
    one, other = reports[FactorName.FUNDING].correlation, turned[FactorName.FUNDING].correlation
    assert one is not None
    assert other is not None
    assert one.mean == pytest.approx(-other.mean)


def test_a_factor_without_data_is_not_judged() -> None:
    index = FACTOR_ORDER.index(FactorName.SOCIAL)
    evaluations, outcomes = market(7, teller=None)
    v = evaluations.v.copy()
    v[:, index] = np.nan
    reports = {one.name: one for one in report_factors(replace(evaluations, v=v), outcomes, CONFIG)}
    social = reports[FactorName.SOCIAL]
    assert social.verdict is Verdict.NOT_RECORDED
    assert social.counted_frac == 0.0
    assert social.correlation is None
    assert social.sentence == "social: not recorded here, so nothing can be said."
