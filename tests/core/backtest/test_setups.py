"""The walk over recorded hours has the plans that each hour alone would have had."""

from __future__ import annotations

import numpy as np

from app.core.backtest.setups import measure_setups
from app.core.confluence.levels import LOOKBACK_MS, estimate_levels, interest_bars, maintenance_frac
from app.core.confluence.liquidity_map import LevelSet, Scale, build_map, find_zones, plan_setups
from app.core.confluence.volatility import ewma_sigma
from app.core.domain.liquidity import LevelSource, Setup
from app.core.domain.market import HOUR_MS, Candles, Series, Unit
from app.core.smc.bars import build_bars
from app.core.smc.run import run_smc
from tests.liquidity_rig import wavy_candles

WARM_UP_BARS = 168


def plan_of(candles: Candles, interest: Series, now_ms: int) -> Setup | None:
    """From nothing but the candles and open interest up to now."""
    bars = build_bars(candles, now_ms)
    run, price, atr = run_smc(bars), float(bars.close[-1]), float(bars.atr[-1])
    flows = interest_bars(candles, interest, from_ms=now_ms - LOOKBACK_MS, until_ms=now_ms)
    levels = estimate_levels(flows, price, maintenance_frac("BTC"), atr_usd=atr)
    scale = Scale(atr, atr, None, ewma_sigma(bars.close[-720:].tolist(), HOUR_MS, 72.0))
    plain = [one.zone for one in find_zones(bars, run, (), price, atr)]
    found = build_map(LevelSet(LevelSource.ESTIMATE, "BTC", 0, levels), plain, price, scale)
    if found is None:
        return None
    zones = find_zones(bars, run, found.clusters, price, atr)
    plans, _ = plan_setups(zones, found.clusters, bars, price, scale)
    return plans[0] if plans else None


def test_carried_levels_and_one_run_give_the_plans_of_every_hour_alone() -> None:
    candles = wavy_candles(1_772_000_000_000, HOUR_MS, size=360, seed=11)
    rng = np.random.default_rng(11)
    coins = 9e4 * np.exp(np.cumsum(rng.normal(0.0, 0.01, 360)))
    told = rng.random(360) > 0.05
    times = tuple(np.array(candles.close_ms)[told].tolist())
    interest = Series(Unit.BASE, HOUR_MS, times, tuple(coins[told].tolist()))
    found = measure_setups("made up", "BTC", candles, interest)
    hours = [one for one in candles.close_ms[WARM_UP_BARS:] if one in times]
    plans = [plan_of(candles, interest, now_ms) for now_ms in hours]
    made = [plan for plan in plans if plan is not None]
    assert found.hours == len(hours)
    assert (found.long, found.short) == (
        sum(plan.is_long for plan in made),
        sum(not plan.is_long for plan in made),
    )
    assert found.with_plan == len(made)
    assert min(found.long, found.short) > 10
