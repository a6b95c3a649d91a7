"""Clusters, zones and plans of one coin and timeframe, put together. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.confluence.clustering import build_clusters, magnet_bias
from app.core.confluence.measured_rates import MEASURED
from app.core.confluence.scoring import enhance_zones
from app.core.confluence.setups import VOLUME_BARS, MarketNow, build_setup
from app.core.confluence.sweep import touch_probability
from app.core.confluence.zones import live_zones
from app.core.domain.derivatives import PositionSide
from app.core.domain.hit_rates import HitRates
from app.core.domain.liquidity import (
    EnhancedSMCZone,
    Level,
    LevelSource,
    LiquidationZone,
    ProbabilitySource,
    Setup,
    SmcZone,
    SweepProbability,
    ZoneKind,
)
from app.core.domain.liquidity_answer import Lack, LiquidityMap
from app.core.smc.bars import Bars
from app.core.smc.records import SmcRun

MAX_ZONES = 24
MAX_SETUPS = 4
MAX_LEVELS = 10
_LIQUIDITY = (ZoneKind.LIQUIDITY_POOL, ZoneKind.PREVIOUS_LEVEL)


@dataclass(frozen=True, slots=True)
class Scale:
    """What distances and odds are measured with: ATR of the timeframe and of 1 h, volatility per root hour
    over a fast and a slow half-life; None where there is too little history."""

    atr_usd: float
    atr_1h_usd: float | None
    fast_sigma: float | None
    slow_sigma: float | None


@dataclass(frozen=True, slots=True)
class LevelSet:
    """Levels with where they come from."""

    source: LevelSource
    provider: str
    as_of_ms: int
    levels: tuple[Level, ...]


def build_map(
    found: LevelSet, zones: Sequence[SmcZone], price_usd: float, scale: Scale
) -> LiquidityMap | None:
    """The clusters and the odds of their being reached; None when no level is near enough to matter."""
    clusters = build_clusters(found.levels, price_usd, scale.atr_usd)
    bias = magnet_bias(clusters)
    if bias is None:
        return None
    levels = [(one.near_usd, one.side) for one in clusters]
    edges = [
        zone.bottom_usd if zone.is_bullish else zone.top_usd for zone in zones if zone.kind in _LIQUIDITY
    ]
    # The side is the price's: a level that price has passed since the last close lies on its other side now.
    levels += [(edge, PositionSide.LONG if edge < price_usd else PositionSide.SHORT) for edge in edges]
    nearest = sorted(levels, key=lambda level: abs(level[0] - price_usd))[:MAX_LEVELS]
    probabilities = [
        probability_of(level_usd, side, price_usd, scale, rates)
        for level_usd, side in nearest
        for rates in MEASURED
    ]
    return LiquidityMap(found.source, found.provider, found.as_of_ms, clusters, bias, tuple(probabilities))


def probability_of(
    level_usd: float, side: PositionSide, price_usd: float, scale: Scale, rates: HitRates
) -> SweepProbability:
    """Chance to trade at a level: the measured hit rate, because no formula beat it (docs/measured.md)."""
    sigma = scale.fast_sigma if rates.horizon_h <= 4 else scale.slow_sigma
    formula = None
    if sigma is not None and level_usd > 0:
        formula = touch_probability(abs(math.log(level_usd / price_usd)), sigma, rates.horizon_h)
    if scale.atr_1h_usd is None:
        return SweepProbability(
            *(level_usd, side, None, rates.horizon_h, None, ProbabilitySource.HIT_RATE_TABLE, 0, formula),
            reason="no ATR of 1 h to measure the distance in",
        )
    distance = abs(level_usd - price_usd) / scale.atr_1h_usd
    measured = rates.at(distance)
    return SweepProbability(
        level_usd=level_usd,
        side=side,
        distance_atr_1h=distance,
        horizon_h=rates.horizon_h,
        probability=None if measured is None else measured[0],
        source=ProbabilitySource.HIT_RATE_TABLE,
        n=0 if measured is None else measured[1],
        closed_form=formula,
        reason=""
        if measured is not None
        else f"further than {rates.distance_atr[-1]:g} ATR of 1 h: not measured",
    )


def find_zones(
    bars: Bars,
    run: SmcRun,
    clusters: Sequence[LiquidationZone],
    price_usd: float,
    atr_usd: float,
    *,
    at_least: float = 0.0,
) -> tuple[EnhancedSMCZone, ...]:
    """Live zones with their confluence, best first. at_least: see `enhance_zones`."""
    zones = live_zones(bars, run, price_usd, atr_usd)
    return enhance_zones(zones, clusters, price_usd, atr_usd, at_least=at_least)[:MAX_ZONES]


def plan_setups(
    zones: Sequence[EnhancedSMCZone],
    clusters: Sequence[LiquidationZone],
    bars: Bars,
    price_usd: float,
    scale: Scale,
) -> tuple[tuple[Setup, ...], tuple[Lack, ...]]:
    """Plans, best confluence first, and why the other confluent zones have none."""
    sigma = scale.slow_sigma
    if sigma is None:
        return (), (Lack("setups", "too few hourly candles for a volatility"),)
    market = MarketNow(
        price_usd=price_usd,
        atr_usd=scale.atr_usd,
        sigma=sigma,
        last_low_usd=float(bars.low[-1]),
        last_high_usd=float(bars.high[-1]),
        last_close_usd=float(bars.close[-1]),
        volume=_volume(bars),
        atr_1h_usd=scale.atr_1h_usd,
        rates=MEASURED[-1],
    )
    setups, refused = list[Setup](), list[Lack]()
    for zone in zones:
        found = build_setup(zone, clusters, market)
        if isinstance(found, Setup):
            setups.append(found)
        elif zone.liquidation_confluence:
            refused.append(Lack(zone.zone.label, found))
    return _distinct(setups)[:MAX_SETUPS], tuple(refused[:MAX_SETUPS])


def _distinct(setups: Sequence[Setup]) -> tuple[Setup, ...]:
    """One plan per place: zones that overlap give the same trade under several names."""
    kept: list[Setup] = []
    for setup in setups:
        same = (
            one
            for one in kept
            if one.is_long == setup.is_long
            and abs(one.entry_usd - setup.entry_usd) < 0.5 * abs(one.entry_usd - one.stop_usd)
        )
        if next(same, None) is None:
            kept.append(setup)
    return tuple(kept)


def _volume(bars: Bars) -> tuple[float, float, float, int] | None:
    """USD of the last candles that closed up, of those that closed down, of all, and how many there are."""
    tail = bars.tail(VOLUME_BARS)
    usd = tail.volume * tail.close
    if not len(tail) or not math.isfinite(usd.sum()):
        return None
    up, down = usd[tail.close > tail.open].sum(), usd[tail.close < tail.open].sum()
    return float(up), float(down), float(usd.sum()), len(tail)
