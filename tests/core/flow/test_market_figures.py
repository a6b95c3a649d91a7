"""Figures of the market around an alert: ranked in their own past, closed bars only, or a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import LiquidationZone
from app.core.domain.market import HOUR_MS, Series, Unit
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.flow.market_figures import measure_levels, measure_market
from app.core.flow.ranks import rank_in
from tests.liquidity_rig import LiquidityRig

NOW_MS = 1_772_000_000_000
LAST_MS = NOW_MS // HOUR_MS * HOUR_MS
ABSENT = Missing(MissingReason.NOT_IN_PLAN, "not in plan hobbyist")


def series(values: list[float], *, unit: Unit = Unit.FRAC_PER_8H, last_ms: int = LAST_MS) -> Reading[Any]:
    closes = tuple(last_ms - HOUR_MS * n for n in range(len(values) - 1, -1, -1))
    value = Series(unit, HOUR_MS, closes, tuple(values))
    return Reading(value, "okx", "endpoint", last_ms, NOW_MS, CacheState.HIT)


def measured(**inputs: Any) -> Any:
    return measure_market(replace(LiquidityRig().context(), as_of_ms=NOW_MS, **inputs))


RISING = [float(n) for n in range(1, 202)]  # 200 in the past, the newest above all


def test_rank_worked_numbers() -> None:
    assert rank_in([float(n) for n in range(1, 101)], 97.5) == 0.97
    assert rank_in([1.0, 2.0, 2.0, 3.0], 2.0) == 0.5


def test_the_newest_funding_is_ranked_in_those_before_it() -> None:
    found = measured(funding=series(RISING))
    assert (found.funding_8h_frac, found.funding_percentile) == (201.0, 1.0)
    assert measured(funding=series([*RISING[:-1], 100.5])).funding_percentile == 0.5


def test_the_hourly_change_of_open_interest_is_in_coins_where_they_are_known() -> None:
    flat = [100.0] * 201
    coins, usd = series([*flat, 110.0], unit=Unit.BASE), series([*flat, 90.0], unit=Unit.USD)
    found = measured(open_interest_base=coins, open_interest_usd=usd)
    assert (found.oi_change_1h_frac, found.oi_change_percentile) == (pytest.approx(0.1), 1.0)
    without = measured(open_interest_base=ABSENT, open_interest_usd=usd)
    assert (without.oi_change_1h_frac, without.oi_change_percentile) == (pytest.approx(-0.1), 0.0)


def test_a_bar_that_is_not_closed_yet_is_not_looked_at() -> None:
    ahead = series([*RISING, 1e9], last_ms=LAST_MS + HOUR_MS)
    assert measured(funding=ahead).funding_8h_frac == 201.0


def test_too_short_a_past_gives_a_value_without_a_rank_and_says_so() -> None:
    found = measured(funding=series(RISING[:100]))
    assert (found.funding_8h_frac, found.funding_percentile) == (100.0, None)
    assert "funding: 99 bars of the past, 100 are needed" in found.unknown


def test_an_old_newest_bar_says_nothing_about_now() -> None:
    found = measured(funding=series(RISING, last_ms=LAST_MS - 3 * HOUR_MS))
    assert (found.funding_8h_frac, found.funding_percentile) == (None, None)
    assert "funding: the newest bar is older than 2 bars" in found.unknown


def test_what_is_missing_is_named_with_its_reason() -> None:
    found = measured(funding=ABSENT, open_interest_base=ABSENT, open_interest_usd=ABSENT)
    assert found.unknown == ("funding: not_in_plan", "open interest: not_in_plan")


def cluster(price_usd: float) -> LiquidationZone:
    side = PositionSide.LONG if price_usd < 100 else PositionSide.SHORT
    return LiquidationZone(side, price_usd, price_usd, price_usd, price_usd, 1e6, 50.0, 1.0, 10.0)


async def test_levels_are_the_nearest_clusters_on_both_sides() -> None:
    rig = LiquidityRig()
    answer = await rig.service.of_context(rig.context())
    assert answer.liquidity is not None
    price = replace(answer.price, value=replace(answer.price.value, price_usd=100.0))
    clusters = tuple(cluster(p) for p in (80.0, 99.0, 90.0, 130.0, 101.0))
    made = replace(answer, price=price, liquidity=replace(answer.liquidity, clusters=clusters), stale="")
    found = measure_levels(made)
    assert (found.below, found.above) == ((99.0, 90.0, 80.0), (101.0, 130.0))
    assert found.atr_1h_usd == answer.atr_1h_usd
    stale = measure_levels(replace(made, stale="the price is 500 s old"))
    assert (stale.below, stale.above) == ((), ())
