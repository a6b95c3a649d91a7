"""Plans around confluent zones: entry, stop, targets, and what the odds of a fair walk make of them. Section
8."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.confluence.measured_rates import NO_PLAN_PROBABILITY
from app.core.confluence.sweep import first_within, touch_probability
from app.core.domain.derivatives import PositionSide
from app.core.domain.formatting import format_usd
from app.core.domain.hit_rates import HitRates
from app.core.domain.liquidity import (
    EnhancedSMCZone,
    EntryKind,
    LiquidationZone,
    ProbabilitySource,
    Setup,
    Target,
    VolumeConfirmation,
)

MIN_SCORE = 60.0
STOP_BEYOND_ATR = 0.25
TARGET_BEFORE_ATR = 0.05
# A close can be bought only while price is still there.
RECLAIM_ATR = 0.25
MAX_RISK_ATR = 2.5
MIN_RISK_ATR = 0.2
MIN_REWARD_RISK = 1.5
HORIZON_H = 24.0
MAX_TARGETS = 3
VOLUME_BARS = 20


@dataclass(frozen=True, slots=True)
class MarketNow:
    """What a plan needs of the market. sigma: per root hour. last_*: the newest closed candle of the frame;
    volume: USD of the last candles that closed up, that closed down, of all of them, and how many; None where
    unknown. rates: measured hit rates (by ATR of 1 h), which the chance of a fill is read off where they are
    given; else it is the fair walk's."""

    price_usd: float
    atr_usd: float
    sigma: float
    last_low_usd: float
    last_high_usd: float
    last_close_usd: float
    volume: tuple[float, float, float, int] | None
    atr_1h_usd: float | None = None
    rates: HitRates | None = None


def build_setup(
    found: EnhancedSMCZone, clusters: Sequence[LiquidationZone], market: MarketNow
) -> Setup | str:
    """The plan of one zone, or why there is none, in words."""
    zone, cluster = found.zone, found.cluster
    if cluster is None or found.confluence_score is None:
        return "no liquidation cluster to lean on"
    if not found.liquidation_confluence:
        return "no cluster of the right side within 0.5 ATR"
    if found.confluence_score < MIN_SCORE:
        return f"confluence {found.confluence_score:.0f} of 100, {MIN_SCORE:.0f} needed"
    side = 1 if zone.is_bullish else -1
    entry_kind, entry = _entry(found, market, side)
    gone = _gone(entry_kind, entry, market, side)
    if gone:
        return gone
    far = zone.bottom_usd if side > 0 else zone.top_usd
    behind = cluster.low_usd if side > 0 else cluster.high_usd
    stop = min(far * side, behind * side) * side - side * STOP_BEYOND_ATR * market.atr_usd
    risk = (entry - stop) * side
    if stop <= 0 or risk > MAX_RISK_ATR * market.atr_usd:
        return f"stop would be more than {MAX_RISK_ATR} ATR away"
    if risk < MIN_RISK_ATR * market.atr_usd:
        return f"stop would be closer than {MIN_RISK_ATR} ATR"
    targets = _targets(clusters, market, side, entry, risk)
    if not targets:
        return "no liquidation cluster ahead to aim at"
    if targets[0].reward_risk < MIN_REWARD_RISK:
        return f"first target pays {targets[0].reward_risk:.1f} for 1, {MIN_REWARD_RISK} needed"
    return _plan(found, market, side, entry_kind, entry, stop, targets)


def _gone(entry_kind: EntryKind, entry: float, market: MarketNow, side: int) -> str:
    """Why the entry is not to be had at this price; empty when it is."""
    if entry_kind is EntryKind.RECLAIM:
        has_left = abs(market.price_usd - entry) > RECLAIM_ATR * market.atr_usd
        return "price has left the close that took the zone back" if has_left else ""
    return "price is already beyond the zone" if (market.price_usd - entry) * side < 0 else ""


def _entry(found: EnhancedSMCZone, market: MarketNow, side: int) -> tuple[EntryKind, float]:
    """The near edge of the zone (or price, once inside); the close where the last candle swept and
    reclaimed."""
    zone = found.zone
    near, far = (zone.top_usd, zone.bottom_usd) if side > 0 else (zone.bottom_usd, zone.top_usd)
    wick = market.last_low_usd if side > 0 else market.last_high_usd
    if wick * side < far * side and market.last_close_usd * side > near * side:
        return EntryKind.RECLAIM, market.last_close_usd
    is_inside = zone.bottom_usd <= market.price_usd <= zone.top_usd
    return EntryKind.LIMIT, market.price_usd if is_inside else near


def _targets(
    clusters: Sequence[LiquidationZone], market: MarketNow, side: int, entry: float, risk: float
) -> tuple[Target, ...]:
    """A hair before the near edges of the clusters on the other side of the price, nearest first."""
    wanted = PositionSide.SHORT if side > 0 else PositionSide.LONG
    edges = sorted((one.near_usd for one in clusters if one.side is wanted), key=lambda edge: edge * side)
    prices = [edge - side * TARGET_BEFORE_ATR * market.atr_usd for edge in edges]
    ahead = [
        price for price in prices if (price - max(entry * side, market.price_usd * side) * side) * side > 0
    ]
    return tuple(Target(price, (price - entry) * side / risk) for price in ahead[:MAX_TARGETS] if price > 0)


def _plan(
    found: EnhancedSMCZone,
    market: MarketNow,
    side: int,
    entry_kind: EntryKind,
    entry: float,
    stop: float,
    targets: tuple[Target, ...],
) -> Setup:
    to_target = abs(math.log(targets[0].price_usd / entry))
    to_stop = abs(math.log(stop / entry))
    p_target = first_within(to_target, to_stop, market.sigma, HORIZON_H)
    p_stop = first_within(to_stop, to_target, market.sigma, HORIZON_H)
    p_fill, fill_source = _chance_of_fill(market, entry_kind, entry)
    return Setup(
        is_long=side > 0,
        entry_kind=entry_kind,
        entry_usd=entry,
        stop_usd=stop,
        targets=targets,
        risk_atr=(entry - stop) * side / market.atr_usd,
        confluence=found,
        horizon_h=HORIZON_H,
        p_fill=p_fill,
        fill_source=fill_source,
        p_target=p_target,
        p_stop=p_stop,
        expectancy_r=p_target * targets[0].reward_risk - p_stop,
        risk_score=100.0 * p_stop,
        volume=_volume(market, side),
        invalidation=_invalidation(found, side, stop),
        probability=None,
        no_probability=NO_PLAN_PROBABILITY,
    )


def _chance_of_fill(
    market: MarketNow, entry_kind: EntryKind, entry: float
) -> tuple[float, ProbabilitySource | None]:
    """The measured rate, beyond the table the fair walk's chance: which of them is told beside it."""
    if entry_kind is EntryKind.RECLAIM or entry == market.price_usd:
        return 1.0, None
    if market.rates is not None and market.atr_1h_usd is not None:
        measured = market.rates.at(abs(entry - market.price_usd) / market.atr_1h_usd)
        if measured is not None:
            return measured[0], ProbabilitySource.HIT_RATE_TABLE
    distance = abs(math.log(entry / market.price_usd))
    return touch_probability(distance, market.sigma, HORIZON_H), ProbabilitySource.CLOSED_FORM


def _volume(market: MarketNow, side: int) -> VolumeConfirmation | None:
    if market.volume is None or not market.volume[2] > 0:
        return None
    share = market.volume[0 if side > 0 else 1] / market.volume[2]
    return VolumeConfirmation(share, share > 0.5, market.volume[3])


def _invalidation(found: EnhancedSMCZone, side: int, stop: float) -> tuple[str, ...]:
    beyond = "below" if side > 0 else "above"
    against = "down" if side > 0 else "up"
    return (
        f"a candle closes {beyond} {format_usd(stop)}",
        f"the {found.zone.kind.value.replace('_', ' ')} ends",
        "the cluster behind it loses 70 % of its volume or price passes its far edge",
        f"a change of character {against} on this timeframe",
        f"{HORIZON_H:.0f} h pass",
    )
