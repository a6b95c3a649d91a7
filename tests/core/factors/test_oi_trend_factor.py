"""Open-interest trend: interest and price over the same 24 h, coins before USD."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.core.domain.context import Capability
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Basis, FactorStatus
from app.core.factors.base import Evidence
from app.core.factors.oi_trend import OI_TREND
from app.core.factors.scoring import score_factor

MakeWorld = Callable[..., Any]
CONFIG = EngineConfig()


def trending(make_world: MakeWorld, *, oi_end: float, price_end: float, points: int = 60) -> Any:
    """A quiet market whose interest and price jump in the last hour by the given factors."""
    world = make_world(4, points=points)
    wobble = np.exp(np.where(np.arange(points) % 2, 0.002, -0.002))
    close, oi = 100.0 * wobble, np.full(points, 1_000.0)
    close[-1] = close[-25] * price_end
    oi[-1] *= oi_end
    return replace(world, close=close, oi_base=oi)


def evidence_of(world: Any) -> Evidence:
    evidence = OI_TREND.evidence(world.context(), CONFIG)
    assert isinstance(evidence, Evidence)
    return evidence


@pytest.mark.parametrize(
    ("oi_end", "price_end", "sign", "words"),
    [
        (1.03, 1.05, 1, "new longs, bullish"),
        (1.03, 0.95, -1, "new shorts, bearish"),
        (0.97, 1.05, -1, "a rise on closing shorts, bearish"),
        (0.97, 0.95, 1, "longs closed out in a fall, bullish"),
    ],
)
def test_the_four_combinations(
    make_world: MakeWorld, oi_end: float, price_end: float, sign: int, words: str
) -> None:
    result = score_factor(
        OI_TREND, trending(make_world, oi_end=oi_end, price_end=price_end).context(), CONFIG
    )
    assert result.basis is Basis.ABSOLUTE
    assert math.copysign(1, result.v) == sign
    assert result.sentence.endswith(words)


def test_evidence_formula_and_the_half_weight_of_closing(make_world: MakeWorld) -> None:
    opened = evidence_of(trending(make_world, oi_end=1.03, price_end=1.05))
    closed = evidence_of(trending(make_world, oi_end=0.97, price_end=1.05))
    sigma = opened.parts["sigma_1h_frac"][-1]
    pull = math.tanh(math.log(1.05) / (sigma * math.sqrt(24)))
    assert opened.x[-1] == pytest.approx(0.03 * pull)
    assert closed.x[-1] == pytest.approx(-0.03 * pull * 0.5)


def test_absolute_worked_number() -> None:
    assert OI_TREND.absolute is not None
    assert OI_TREND.absolute(np.array([0.05, -0.025, 0.2]), CONFIG.scales).tolist() == [1.0, -0.5, 1.0]


def test_unchanged_interest_is_neutral(make_world: MakeWorld) -> None:
    result = score_factor(OI_TREND, trending(make_world, oi_end=1.0, price_end=1.05).context(), CONFIG)
    assert result.v == 0.0
    assert result.sentence.endswith("no trend, neutral")


def test_usd_interest_is_used_only_without_coins_and_is_named(make_world: MakeWorld) -> None:
    world = make_world(4)
    coins = score_factor(OI_TREND, world.context(), CONFIG)
    usd = score_factor(OI_TREND, world.without(Capability.OPEN_INTEREST_BASE).context(), CONFIG)
    assert "oi_base_change_24h_frac" in dict(coins.metrics)
    assert dict(usd.metrics)["oi_usd_change_24h_frac"] == pytest.approx(
        world.oi_usd[-1] / world.oi_usd[-25] - 1
    )
    assert "open interest (in USD)" in usd.sentence


def test_interest_and_price_compare_equal_spans_when_candles_lag(make_world: MakeWorld) -> None:
    world = make_world(4)
    context = world.context()
    reading = context.candles
    assert isinstance(reading, Reading)
    late = replace(
        reading.value,
        close_ms=reading.value.close_ms[:-1],
        **{name: getattr(reading.value, name)[:-1] for name in ("open", "high", "low", "close")},
        volume_base=None,
    )
    evidence = OI_TREND.evidence(replace(context, candles=replace(reading, value=late)), CONFIG)
    assert isinstance(evidence, Evidence)
    # Falls back to the last moment at which both are known, never mixes 24 h of one with 23 h of the other.
    assert evidence.close_ms[-1] == reading.value.close_ms[-2]
    assert evidence.parts["oi_base_change_24h_frac"][-1] == pytest.approx(
        world.oi_base[-2] / world.oi_base[-26] - 1
    )
    assert evidence.parts["log_return_24h_frac"][-1] == pytest.approx(
        math.log(world.close[-2] / world.close[-26])
    )


def test_four_hour_series_still_compare_twenty_four_hours(make_world: MakeWorld) -> None:
    world = make_world(4, interval_ms=4 * HOUR_MS)
    evidence = evidence_of(world)
    assert evidence.parts["oi_base_change_24h_frac"][-1] == pytest.approx(
        world.oi_base[-1] / world.oi_base[-7] - 1
    )


@pytest.mark.parametrize(
    "absent",
    [(Capability.CANDLES,), (Capability.OPEN_INTEREST_BASE, Capability.OPEN_INTEREST_USD)],
)
def test_missing_inputs_are_named(make_world: MakeWorld, absent: tuple[Capability, ...]) -> None:
    context = make_world(4).without(*absent).context()
    assert isinstance(OI_TREND.evidence(context, CONFIG), Missing)
    result = score_factor(OI_TREND, context, CONFIG)
    assert result.status is FactorStatus.MISSING
    assert result.detail.startswith(absent[0].value)


def test_four_hour_interest_is_not_stale_while_its_newest_bar_may_be_used(make_world: MakeWorld) -> None:
    """On plans with 4 h bars the candle beside the newest bar is up to 4.5 h old by design."""
    context = make_world(1).context()
    reading = context.open_interest_base
    every_fourth = slice((len(reading.value.values) - 1) % 4, None, 4)
    four_hourly = replace(
        reading.value,
        interval_ms=4 * HOUR_MS,
        close_ms=reading.value.close_ms[every_fourth],
        values=reading.value.values[every_fourth],
    )
    later = replace(
        context,
        open_interest_base=replace(reading, value=four_hourly),
        as_of_ms=context.as_of_ms + int(2.5 * HOUR_MS),
    )
    assert score_factor(OI_TREND, later, CONFIG).status is FactorStatus.OK
    much_later = replace(later, as_of_ms=context.as_of_ms + 5 * HOUR_MS)
    assert score_factor(OI_TREND, much_later, CONFIG).status is FactorStatus.STALE
