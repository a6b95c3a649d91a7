"""Funding, ratios, social, fear & greed: levels ranked against themselves, absolute at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.domain.engine_config import EngineConfig
from app.core.domain.signal import Basis, FactorScore, FactorStatus
from app.core.factors.base import Factor
from app.core.factors.fear_greed import FEAR_GREED
from app.core.factors.funding import FUNDING
from app.core.factors.long_short import LONG_SHORT
from app.core.factors.scoring import score_factor
from app.core.factors.smart_money import SMART_MONEY
from app.core.factors.social import SOCIAL

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()
COLUMN_OF = {
    FUNDING: "funding",
    LONG_SHORT: "accounts",
    SMART_MONEY: "top",
    SOCIAL: "social",
    FEAR_GREED: "fear_greed",
}
LEVELS = [pytest.param(factor, id=factor.name.value) for factor in COLUMN_OF]


def score(make_world: MakeWorld, factor: Factor, column: np.ndarray) -> FactorScore:
    world = replace(make_world(1), **{COLUMN_OF[factor]: column})
    return score_factor(factor, world.context(), CONFIG)


@pytest.mark.parametrize(
    ("factor", "value", "expected"),
    [
        (FUNDING, 0.0003, 25.0),
        (FUNDING, 0.0001, 50.0),
        (FUNDING, -0.0009, 100.0),
        (LONG_SHORT, 0.716, 0.0),
        (LONG_SHORT, 0.6, 25.0),
        (SMART_MONEY, 0.6, 75.0),
        (SMART_MONEY, 0.2, 0.0),
        (FEAR_GREED, 20.0, 80.0),
        (FEAR_GREED, 50.0, 50.0),
    ],
)
def test_absolute_worked_numbers(
    make_world: MakeWorld, factor: Factor, value: float, expected: float
) -> None:
    result = score(make_world, factor, np.array([value]))
    assert result.score == pytest.approx(expected)
    assert result.basis is Basis.ABSOLUTE
    assert result.percentile is None
    assert result.history_n == 0
    assert "no history yet, absolute scale" in result.sentence


def test_a_short_history_is_named_honestly(make_world: MakeWorld) -> None:
    result = score(make_world, FUNDING, np.full(41, 0.0003))
    assert (result.basis, result.history_n) == (Basis.ABSOLUTE, 40)
    assert "only 40 points of history, absolute scale" in result.sentence


@pytest.mark.parametrize("factor", LEVELS)
@pytest.mark.parametrize("scale", [1e-5, 0.005])
def test_level_worked_number_against_a_hundred_points(
    make_world: MakeWorld, factor: Factor, scale: float
) -> None:
    column = np.append(np.arange(1.0, 101.0), 97.5) * scale
    result = score(make_world, factor, column)
    assert result.v == pytest.approx(0.94 * factor.ranking.direction)
    assert result.percentile == pytest.approx(0.97)
    assert (result.basis, result.history_n) == (Basis.RANK, 100)


def test_negative_funding_scores_above_neutral(make_world: MakeWorld) -> None:
    column = np.append(np.linspace(0.0, 0.0002, 300), -0.0001)
    result = score(make_world, FUNDING, column)
    assert result.score == 100.0
    assert result.sentence.startswith("funding -0.0100 % per 8 h")
    assert result.sentence.endswith("shorts are crowded, bullish")


@pytest.mark.parametrize(
    ("usual", "now", "words"),
    [
        (-0.0002, 0.00005, "longs pay more than usual, bearish"),
        (-0.0002, -0.0001, "shorts pay less than usual, bearish"),
        (-0.0002, 0.0003, "longs are crowded, bearish"),
        (0.0004, 0.0003, "longs pay less than usual, bullish"),
    ],
)
def test_funding_is_called_crowded_only_beyond_the_balanced_rate(
    make_world: MakeWorld, usual: float, now: float, words: str
) -> None:
    column = np.append(np.linspace(usual, usual * 1.01, 300), now)
    assert score(make_world, FUNDING, column).sentence.endswith(words)


def test_the_crowd_is_read_against_itself(make_world: MakeWorld) -> None:
    column = np.append(np.linspace(0.60, 0.72, 720), 0.7164)
    result = score(make_world, LONG_SHORT, column)
    assert result.sentence == "71.6 % of accounts long, 97th percentile of 30 days: crowded, bearish"


def test_a_socially_usual_75_is_not_bullish(make_world: MakeWorld) -> None:
    column = np.append(np.tile([70.0, 75.0, 80.0], 100), 75.0)
    result = score(make_world, SOCIAL, column)
    assert result.v == 0.0
    assert result.sentence.endswith("as usual, neutral")


@pytest.mark.parametrize("points", [1, 43, 100])
def test_social_without_history_is_missing_and_counts_up(make_world: MakeWorld, points: int) -> None:
    result = score(make_world, SOCIAL, np.full(points, 75.0))
    assert result.status is FactorStatus.MISSING
    assert result.detail == f"building history {points - 1}/100"
    assert (result.v, result.score, result.evidence) == (0.0, 50.0, 75.0)


def test_fear_and_greed_ranks_within_a_year(make_world: MakeWorld) -> None:
    older = np.full(200, 1.0)
    column = np.concatenate((older, np.linspace(20.0, 80.0, 365), [10.0]))
    result = score(make_world, FEAR_GREED, column)
    assert result.v == 1.0
    assert result.history_n == 365
    assert "of 365 days" in result.sentence
