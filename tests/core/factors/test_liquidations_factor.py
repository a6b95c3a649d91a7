"""Liquidations: 24 h sums by time over open interest at the same moment; flushed longs are bullish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS, LiquidationHistory
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Basis, FactorStatus
from app.core.factors.base import Evidence
from app.core.factors.liquidations import LIQUIDATIONS, day_sums
from app.core.factors.scoring import score_factor

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()


def evidence_of(context: EnhancedSignalContext) -> Evidence:
    evidence = LIQUIDATIONS.evidence(context, CONFIG)
    assert isinstance(evidence, Evidence)
    return evidence


def without_bars(context: EnhancedSignalContext, dropped: set[int]) -> EnhancedSignalContext:
    """The context with liquidation bars left out, counted from the newest (0)."""
    reading = context.liquidations
    assert isinstance(reading, Reading)
    history = reading.value
    keep = [i for i in range(len(history.close_ms)) if len(history.close_ms) - 1 - i not in dropped]
    thinned = LiquidationHistory(
        history.interval_ms,
        tuple(history.close_ms[i] for i in keep),
        tuple(history.long_usd[i] for i in keep),
        tuple(history.short_usd[i] for i in keep),
        history.scope,
    )
    return replace(context, liquidations=replace(reading, value=thinned))


def test_day_sums_worked_number() -> None:
    hours = np.arange(30) * HOUR_MS
    (sums,) = day_sums(hours, HOUR_MS, np.concatenate((np.zeros(6), np.arange(1.0, 25.0))))
    assert sums[-1] == 300.0
    assert np.isnan(sums[18])
    assert sums[19] == 105.0  # twenty of the 24 hours are there


def test_flushed_longs_score_above_neutral_and_squeezed_shorts_below(make_world: MakeWorld) -> None:
    world = make_world(3)
    flush = world.long_usd.copy()
    flush[-3:] = 4e8
    flushed = replace(world, long_usd=flush)
    bullish = score_factor(LIQUIDATIONS, flushed.context(), CONFIG)
    bearish = score_factor(LIQUIDATIONS, flushed.mirrored().context(), CONFIG)
    assert bullish.score == 100.0
    assert bullish.sentence.endswith("longs were flushed, bullish")
    assert bearish.score == 0.0
    assert bearish.sentence.endswith("shorts were squeezed, bearish")


def test_absolute_worked_number(make_world: MakeWorld) -> None:
    world = make_world(3, points=24)
    world = replace(
        world,
        long_usd=np.full(24, 5e5),
        short_usd=np.full(24, 1e5),
        oi_usd=np.full(24, 9.6e9),
    )
    result = score_factor(LIQUIDATIONS, world.context(), CONFIG)
    assert result.evidence == pytest.approx(0.001)
    assert result.v == pytest.approx(0.5)
    assert result.basis is Basis.ABSOLUTE
    assert dict(result.metrics)["long_24h_usd"] == pytest.approx(1.2e7)
    assert "$12.0M of longs and $2.40M of shorts" in result.sentence


def test_sums_are_by_time_so_missing_bars_do_not_reach_into_yesterday(make_world: MakeWorld) -> None:
    world = make_world(3)
    history = np.zeros(800)
    history[-25] = 1e9  # just outside the last 24 h
    context = without_bars(replace(world, long_usd=history, short_usd=np.zeros(800)).context(), {3, 7})
    assert evidence_of(context).x[-1] == 0.0


def test_a_day_with_too_few_hours_is_not_a_day(make_world: MakeWorld) -> None:
    context = make_world(3).context()
    whole = evidence_of(context)
    assert evidence_of(without_bars(context, {2, 4, 6, 8})).close_ms[-1] == whole.close_ms[-1]
    thin = evidence_of(without_bars(context, {2, 4, 6, 8, 10}))
    assert thin.close_ms[-1] < whole.close_ms[-1]
    assert score_factor(LIQUIDATIONS, without_bars(context, set(range(1, 8))), CONFIG).status is (
        FactorStatus.STALE
    )


@pytest.mark.parametrize("lag", [1, 2])
def test_interest_up_to_two_bars_earlier_is_used(make_world: MakeWorld, lag: int) -> None:
    context = make_world(3).context()
    reading = context.open_interest_usd
    assert isinstance(reading, Reading)
    series = reading.value
    late = replace(series, close_ms=series.close_ms[:-lag], values=series.values[:-lag])
    evidence = evidence_of(replace(context, open_interest_usd=replace(reading, value=late)))
    assert evidence.parts["open_interest_usd"][-1] == series.values[-1 - lag]
    assert evidence.inputs[1].close_ms[-1] == series.close_ms[-1 - lag]


def test_four_hour_bars_sum_six_of_them(make_world: MakeWorld) -> None:
    world = make_world(3, interval_ms=4 * HOUR_MS)
    evidence = evidence_of(world.context())
    assert evidence.parts["long_24h_usd"][-1] == pytest.approx(world.long_usd[-6:].sum())


@pytest.mark.parametrize("capability", [Capability.LIQUIDATIONS, Capability.OPEN_INTEREST_USD])
def test_either_input_absent_is_missing_and_named(make_world: MakeWorld, capability: Capability) -> None:
    context = make_world(3).without(capability).context()
    assert isinstance(LIQUIDATIONS.evidence(context, CONFIG), Missing)
    result = score_factor(LIQUIDATIONS, context, CONFIG)
    assert (result.status, result.score) == (FactorStatus.MISSING, 50.0)
    assert result.detail == f"{capability.value} not_configured: no key set"


def test_liquidations_and_open_interest_of_different_providers_give_no_ratio(make_world: MakeWorld) -> None:
    context = make_world(1).context()
    other = replace(context.open_interest_usd, provider="okx")
    found = LIQUIDATIONS.evidence(replace(context, open_interest_usd=other), CONFIG)
    assert isinstance(found, Missing)
    assert "not the same market" in found.detail
