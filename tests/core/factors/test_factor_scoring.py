"""What holds for every factor: freshness, look-ahead guard, honest words, monotone in the evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.context import Capability
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.quality import Reading
from app.core.domain.signal import FactorName, FactorStatus
from app.core.factors.base import Evidence, Factor
from app.core.factors.registry import FACTORS
from app.core.factors.scoring import factor_column, score_factor, v_column

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()
ALL = [pytest.param(factor, id=factor.name.value) for factor in FACTORS]
# Allowed age in seconds of hourly bars (fear & greed: daily), from the close of the newest.
ALLOWED_S = {
    FactorName.LIQUIDATIONS: 3_600 + 600,
    FactorName.FUNDING: 3_600 + 1_800,
    FactorName.MOMENTUM: 2 * 3_600,
    FactorName.LONG_SHORT: 3_600 + 7_200,
    FactorName.SMART_MONEY: 3_600 + 7_200,
    FactorName.OI_TREND: 3_600 + 1_800,
    FactorName.SOCIAL: 3_600 + 7_200,
    FactorName.FEAR_GREED: 86_400 + 43_200,
}


def test_the_registry_holds_each_factor_once_in_the_published_order() -> None:
    assert [factor.name for factor in FACTORS] == list(FactorName)


@pytest.mark.parametrize("factor", ALL)
def test_a_factor_counts_until_its_maximum_age_and_not_after(make_world: MakeWorld, factor: Factor) -> None:
    world = make_world(7)
    limit_ms = ALLOWED_S[factor.name] * 1000
    fresh = score_factor(factor, replace(world, age_ms=limit_ms).context(), CONFIG)
    stale = score_factor(factor, replace(world, age_ms=limit_ms + 1).context(), CONFIG)
    assert fresh.status is FactorStatus.OK
    assert fresh.detail == ""
    assert stale.status is FactorStatus.STALE
    assert (stale.v, stale.score, stale.sentence, stale.basis) == (0.0, 50.0, "", None)
    # Shown and flagged: the number itself stays.
    assert stale.evidence == fresh.evidence
    assert stale.metrics == fresh.metrics
    assert stale.detail.startswith("stale: ")


def test_stale_text_gives_age_and_allowance(make_world: MakeWorld) -> None:
    context = replace(make_world(7), age_ms=11_520_000).context()
    funding = next(factor for factor in FACTORS if factor.name is FactorName.FUNDING)
    assert score_factor(funding, context, CONFIG).detail == "stale: funding 3.2 h old, allowed 90 min"


def test_the_older_of_two_inputs_decides(make_world: MakeWorld) -> None:
    context = replace(make_world(7), age_ms=3_600_000).context()
    reading = context.open_interest_usd
    assert isinstance(reading, Reading)
    late = replace(reading.value, close_ms=reading.value.close_ms[:-1], values=reading.value.values[:-1])
    liquidations = FACTORS[0]
    assert score_factor(liquidations, context, CONFIG).status is FactorStatus.OK
    result = score_factor(
        liquidations, replace(context, open_interest_usd=replace(reading, value=late)), CONFIG
    )
    assert result.status is FactorStatus.STALE
    assert result.detail == "stale: open_interest_usd 2.0 h old, allowed 90 min"
    assert result.ts_event_ms == late.close_ms[-1]


@pytest.mark.parametrize("factor", ALL)
@pytest.mark.parametrize("back", [1, 30, 411])
def test_bars_after_the_moment_are_impossible_to_use(
    make_world: MakeWorld, factor: Factor, back: int
) -> None:
    context = make_world(8).context()
    step = DAY_MS if factor.name is FactorName.FEAR_GREED else HOUR_MS
    back = min(back, 99) if factor.name is FactorName.FEAR_GREED else back
    then = replace(context, as_of_ms=context.as_of_ms - back * step)
    evidence, whole = factor.evidence(then, CONFIG), factor.evidence(context, CONFIG)
    assert isinstance(evidence, Evidence)
    assert isinstance(whole, Evidence)
    assert evidence.close_ms[-1] <= then.as_of_ms
    count = evidence.x.size
    assert evidence.x.tolist() == whole.x[:count].tolist()
    assert score_factor(factor, then, CONFIG).v == pytest.approx(v_column(factor, whole, CONFIG)[count - 1])


@pytest.mark.parametrize("factor", ALL)
def test_the_live_value_is_the_last_element_of_the_column(make_world: MakeWorld, factor: Factor) -> None:
    for seed in range(5):
        context = make_world(seed).context()
        evidence = factor.evidence(context, CONFIG)
        assert isinstance(evidence, Evidence)
        live = score_factor(factor, context, CONFIG)
        assert live.evidence == evidence.x[-1]
        assert live.v == pytest.approx(v_column(factor, evidence, CONFIG)[-1], abs=1e-12)


@pytest.mark.parametrize("factor", ALL)
def test_columns_are_neutral_and_not_ok_before_the_data_and_after_it_is_stale(
    make_world: MakeWorld, factor: Factor
) -> None:
    context = make_world(9).context()
    at_ms = np.array([0, context.as_of_ms, context.as_of_ms + 3 * DAY_MS], dtype=np.int64)
    column = factor_column(factor, context, CONFIG, at_ms)
    assert column.ok.tolist() == [False, True, False]
    assert column.v[0] == column.v[2] == 0.0


@pytest.mark.parametrize("factor", ALL)
@settings(max_examples=40)
@given(seed=st.integers(0, 1_000), points=st.sampled_from([60, 130, 400]))
def test_words_agree_with_the_sign(make_world: MakeWorld, factor: Factor, seed: int, points: int) -> None:
    result = score_factor(factor, make_world(seed, points=points).context(), CONFIG)
    if result.status is not FactorStatus.OK:
        assert result.sentence == ""
        return
    said = [word for word in ("bullish", "bearish", "neutral") if word in result.sentence]
    assert said == ["bullish" if result.v > 0 else "bearish" if result.v < 0 else "neutral"]
    assert -1.0 <= result.v <= 1.0


@pytest.mark.parametrize("factor", ALL)
@pytest.mark.parametrize("points", [60, 300])
@given(seed=st.integers(0, 50), shift=st.floats(-3.0, 3.0), more=st.floats(0.0, 3.0))
@settings(max_examples=20)
def test_each_factor_is_monotone_in_its_evidence_for_a_fixed_history(
    make_world: MakeWorld, factor: Factor, points: int, seed: int, shift: float, more: float
) -> None:
    days = {"fear_greed": make_world(seed).fear_greed[:points]}
    context = replace(make_world(seed, points=points), **days).context()
    evidence = factor.evidence(context, CONFIG)
    assert isinstance(evidence, Evidence)
    spread = float(np.std(evidence.x))

    def v_at(sigmas: float) -> float:
        changed = replace(evidence, x=np.append(evidence.x[:-1], evidence.x[-1] + sigmas * spread))
        return score_factor(replace(factor, evidence=lambda *_: changed), context, CONFIG).v

    rise = v_at(shift + more) - v_at(shift)
    contrarian_level = factor.ranking.direction < 0 and not factor.ranking.signed
    assert rise <= 1e-12 if contrarian_level else rise >= -1e-12


def test_missing_reason_and_input_are_in_the_detail(make_world: MakeWorld) -> None:
    context = make_world(1).without(Capability.SOCIAL).context()
    social = next(factor for factor in FACTORS if factor.name is FactorName.SOCIAL)
    assert score_factor(social, context, CONFIG).detail == "social not_configured: no key set"
