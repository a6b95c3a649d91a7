"""Properties of the whole engine on seeded random markets."""

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
from app.core.domain.signal import ConfidenceLevel, Direction, FactorStatus, Mode
from app.core.signal_engine import evaluate

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()
SEEDS = st.integers(0, 10_000)
POINTS = st.sampled_from([30, 90, 130, 400])
INPUTS = [item for item in Capability if item is not Capability.PRICE]
ABSENT = st.sets(st.sampled_from(INPUTS), max_size=4)
few = settings(max_examples=40)


def quiet_world(make_world: MakeWorld, points: int = 701) -> Any:
    """Every signed evidence 0 and every level exactly in the middle of its history."""
    ramp = np.linspace(-1.0, 1.0, points - 1)
    level = np.append(ramp, 0.0)
    days = np.append(np.linspace(-1.0, 1.0, 300), 0.0)
    even = np.full(points, 1e6)
    return replace(
        make_world(0, points=points),
        close=np.full(points, 96_200.0),
        long_usd=even,
        short_usd=even,
        oi_usd=even * 1e3,
        oi_base=even,
        funding=0.0001 + level * 1e-4,
        accounts=0.5 + level * 0.1,
        top=0.5 + level * 0.1,
        social=50.0 + level * 10,
        fear_greed=50.0 + days * 10,
    )


def test_all_neutral_is_fifty_and_low(make_world: MakeWorld) -> None:
    signal = evaluate(quiet_world(make_world).context(), CONFIG, Mode.AGGRESSIVE)
    assert signal.score == pytest.approx(50.0)
    assert signal.direction is Direction.NEUTRAL
    assert signal.confidence.level is ConfidenceLevel.LOW


@pytest.mark.parametrize("side", [1, -1])
def test_all_maximal_reaches_the_end_of_the_scale_with_high_confidence(
    make_world: MakeWorld, side: int
) -> None:
    world = quiet_world(make_world)

    def last(column: np.ndarray, value: float) -> np.ndarray:
        return np.append(column[:-1], value)

    extreme = replace(
        world,
        close=last(world.close, 110_000.0),
        long_usd=last(world.long_usd, 1e9),
        oi_base=last(world.oi_base, 2e6),
        funding=last(world.funding, -0.001),
        accounts=last(world.accounts, 0.1),
        top=last(world.top, 0.9),
        social=last(world.social, 90.0),
        fear_greed=last(world.fear_greed, 5.0),
    )
    context = (extreme if side > 0 else extreme.mirrored()).context()
    signal = evaluate(context, CONFIG, Mode.CONSERVATIVE)
    assert signal.score >= 95 if side > 0 else signal.score <= 5
    assert signal.direction is (Direction.LONG if side > 0 else Direction.SHORT)
    assert signal.confidence.level is ConfidenceLevel.HIGH


@few
@given(SEEDS, POINTS, ABSENT)
def test_scores_stay_in_range(make_world: MakeWorld, seed: int, points: int, absent: set[Capability]) -> None:
    signal = evaluate(make_world(seed, points=points).without(*absent).context(), CONFIG, Mode.BALANCED)
    assert 0.0 <= signal.score <= 100.0
    assert 0.0 <= signal.confidence.score <= 100.0
    assert all(-1.0 <= factor.v <= 1.0 for factor in signal.factors)
    assert signal.coverage == pytest.approx(
        sum(factor.weight for factor in signal.factors if factor.status is FactorStatus.OK) / 100
    )


@few
@given(SEEDS, POINTS, ABSENT)
def test_the_mirrored_market_scores_the_mirror(
    make_world: MakeWorld, seed: int, points: int, absent: set[Capability]
) -> None:
    world = make_world(seed, points=points).without(*absent)
    signal = evaluate(world.context(), CONFIG, Mode.AGGRESSIVE)
    mirror = evaluate(world.mirrored().context(), CONFIG, Mode.AGGRESSIVE)
    assert mirror.score == pytest.approx(100.0 - signal.score, abs=1e-6)
    assert mirror.confidence.score == pytest.approx(signal.confidence.score, abs=1e-6)
    opposite = {"LONG": "SHORT", "SHORT": "LONG", "NEUTRAL": "NEUTRAL"}
    assert mirror.direction.value == opposite[signal.direction.value]
    leans = {"bullish": "bearish", "bearish": "bullish", "neutral": "neutral"}
    for ours, theirs in zip(signal.reasons, mirror.reasons, strict=True):
        assert theirs.rsplit(" ", 1)[1] == leans[ours.rsplit(" ", 1)[1]]


@few
@given(SEEDS)
def test_modes_are_nested(make_world: MakeWorld, seed: int) -> None:
    context = make_world(seed, points=130).context()
    strict, middle, loose = (
        evaluate(context, CONFIG, mode) for mode in (Mode.CONSERVATIVE, Mode.BALANCED, Mode.AGGRESSIVE)
    )
    assert strict.score == middle.score == loose.score
    for inner, outer in ((strict, middle), (middle, loose)):
        if inner.direction is not Direction.NEUTRAL:
            assert outer.direction is inner.direction


@few
@given(SEEDS, ABSENT)
def test_reasons_are_the_largest_contributions_first(
    make_world: MakeWorld, seed: int, absent: set[Capability]
) -> None:
    signal = evaluate(make_world(seed, points=130).without(*absent).context(), CONFIG, Mode.BALANCED)
    leaning = [factor for factor in signal.factors if factor.v != 0.0]
    leaning.sort(key=lambda factor: -factor.weight * abs(factor.v))
    assert signal.reasons == tuple(factor.sentence for factor in leaning[:3])


def test_the_largest_weight_with_the_largest_lean_is_the_first_reason(make_world: MakeWorld) -> None:
    world = make_world(2)
    flush = np.append(world.long_usd[:-1], 1e10)
    signal = evaluate(replace(world, long_usd=flush).context(), CONFIG, Mode.BALANCED)
    assert signal.factors[0].v == 1.0
    assert signal.reasons[0] == signal.factors[0].sentence


@few
@given(SEEDS, st.sampled_from(INPUTS))
def test_taking_an_input_away_never_raises_coverage(
    make_world: MakeWorld, seed: int, capability: Capability
) -> None:
    world = make_world(seed, points=130)
    whole = evaluate(world.context(), CONFIG, Mode.BALANCED)
    part = evaluate(world.without(capability).context(), CONFIG, Mode.BALANCED)
    assert part.coverage <= whole.coverage
    for factor in part.factors:
        if factor.status is not FactorStatus.OK:
            assert factor.score == 50.0
