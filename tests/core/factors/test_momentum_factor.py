"""Momentum: moves over 1, 4 and 24 h in the coin's own volatility, by time, without look-ahead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.domain.context import Capability
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS, Candles
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Basis
from app.core.factors.base import Evidence, hourly_sigma, in_sigmas, index_at
from app.core.factors.momentum import MOMENTUM, legs_of
from app.core.factors.scoring import score_factor

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()


def zigzag(points: int, size: float = 0.01) -> np.ndarray:
    """Log prices whose hourly returns alternate +size, -size."""
    return np.cumsum(np.where(np.arange(points) % 2, size, -size))


def evidence_of(world: Any) -> Evidence:
    evidence = MOMENTUM.evidence(world.context(), CONFIG)
    assert isinstance(evidence, Evidence)
    return evidence


def test_sigma_worked_number() -> None:
    hours = np.arange(200) * HOUR_MS
    assert hourly_sigma(hours, zigzag(200), HOUR_MS, 24.0)[-1] == pytest.approx(0.01)


def test_sigma_weighs_a_day_old_return_half() -> None:
    hours = np.arange(26) * HOUR_MS
    log_price = np.zeros(26)
    log_price[1:] += 0.01  # one move, 24 hours before the end
    decay = 0.5 ** (1 / 24)
    weights = sum(decay**k for k in range(25))
    expected = math.sqrt(0.01**2 * 0.5 / weights)
    assert hourly_sigma(hours, log_price, HOUR_MS, 24.0)[-1] == pytest.approx(expected)


@pytest.mark.parametrize("interval_h", [0.25, 0.5, 4.0])
def test_sigma_is_per_hour_whatever_the_bars(interval_h: float) -> None:
    rng = np.random.default_rng(5)
    steps = rng.normal(0.0, 0.004, 4_000)
    every = round(interval_h * 4)
    quarter_hours = np.arange(4_000) * HOUR_MS // 4
    log_price = np.cumsum(steps)
    sigma = hourly_sigma(
        quarter_hours[::every], log_price[::every], round(interval_h * HOUR_MS), halflife_h=480.0
    )
    assert sigma[-1] == pytest.approx(0.008, rel=0.15)


def test_flat_market_is_neutral_not_a_division_by_zero(make_world: MakeWorld) -> None:
    result = score_factor(MOMENTUM, replace(make_world(1), close=np.full(300, 5.0)).context(), CONFIG)
    assert (result.evidence, result.v) == (0.0, 0.0)
    assert in_sigmas(np.array([0.0, 0.1]), np.zeros(2), 1.0).tolist()[0] == 0.0


def test_evidence_is_the_mean_of_three_legs(make_world: MakeWorld) -> None:
    world = make_world(2)
    evidence, log_price = evidence_of(world), np.log(world.close)
    sigma = evidence.parts["sigma_1h_frac"][-1]
    legs = [(log_price[-1] - log_price[-1 - w]) / (sigma * math.sqrt(w)) for w in (1, 4, 24)]
    assert evidence.x[-1] == pytest.approx(np.mean(legs))
    assert evidence.close_ms.size == world.close.size - 24


def test_absolute_worked_number(make_world: MakeWorld) -> None:
    world = replace(make_world(2), close=np.exp(np.append(zigzag(60), 0.04)))
    result = score_factor(MOMENTUM, world.context(), CONFIG)
    assert result.basis is Basis.ABSOLUTE
    assert result.evidence is not None
    assert result.v == pytest.approx(math.tanh(result.evidence / 1.5))
    assert MOMENTUM.absolute is not None
    assert MOMENTUM.absolute(np.array([1.5]), CONFIG.scales)[0] == pytest.approx(0.7616, abs=1e-4)


def test_a_strong_rise_is_bullish_and_says_so(make_world: MakeWorld) -> None:
    world = make_world(2)
    close = world.close.copy()
    close[-1] *= 1.2
    result = score_factor(MOMENTUM, replace(world, close=close).context(), CONFIG)
    assert result.score > 95.0
    assert result.sentence.startswith("price +")
    assert result.sentence.endswith("rising on balance, bullish")


def test_legs_are_whole_bars() -> None:
    assert legs_of(HOUR_MS) == (1, 4, 24)
    assert legs_of(HOUR_MS // 4) == (1, 4, 24)
    assert legs_of(4 * HOUR_MS) == (4, 24)
    assert legs_of(24 * HOUR_MS) == (24,)


def test_four_hour_candles_use_their_two_legs(make_world: MakeWorld) -> None:
    world = make_world(2, interval_ms=4 * HOUR_MS)
    evidence, log_price = evidence_of(world), np.log(world.close)
    sigma = evidence.parts["sigma_1h_frac"][-1]
    legs = [(log_price[-1] - log_price[-1 - bars]) / (sigma * math.sqrt(4 * bars)) for bars in (1, 6)]
    assert evidence.x[-1] == pytest.approx(np.mean(legs))


def test_a_missing_bar_leaves_the_point_out_instead_of_stretching_the_leg(make_world: MakeWorld) -> None:
    context = make_world(2).context()
    reading = context.candles
    assert isinstance(reading, Reading)
    full = reading.value

    def drop(column: tuple[Any, ...]) -> tuple[Any, ...]:
        return column[:-5] + column[-4:]  # the bar four hours before the newest

    prices = drop(full.close)
    gappy = Candles("OKX", HOUR_MS, drop(full.close_ms), prices, prices, prices, prices)
    evidence = MOMENTUM.evidence(replace(context, candles=replace(reading, value=gappy)), CONFIG)
    assert isinstance(evidence, Evidence)
    assert evidence.close_ms[-1] == full.close_ms[-2]


def test_too_few_candles_are_missing_with_the_need_named(make_world: MakeWorld) -> None:
    evidence = MOMENTUM.evidence(make_world(2, points=24).context(), CONFIG)
    assert isinstance(evidence, Missing)
    assert "1, 4 and 24 h apart" in evidence.detail
    empty = MOMENTUM.evidence(replace(make_world(2), close=np.ones(1)).context(), CONFIG)
    assert isinstance(empty, Missing)


def test_no_candles_is_missing(make_world: MakeWorld) -> None:
    evidence = MOMENTUM.evidence(make_world(2).without(Capability.CANDLES).context(), CONFIG)
    assert isinstance(evidence, Missing)


def test_index_at_matches_time_not_rows() -> None:
    bars = np.array([10, 20, 40], dtype=np.int64)
    asked = np.array([5, 10, 30, 40, 50], dtype=np.int64)
    assert index_at(bars, asked).tolist() == [-1, 0, -1, 2, -1]
    assert index_at(bars, asked, tolerance_ms=10).tolist() == [-1, 0, 1, 2, 2]
    assert index_at(bars[:0], asked).tolist() == [-1] * 5
