"""Levels gathered into clusters, and how strongly each draws: relative fuel, not a forecast. Sections 2,
3."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import Level, LiquidationZone

MAX_GAP_ATR = 0.25
MAX_WIDTH_ATR = 1.0
MIN_SHARE = 0.01  # of all volume; less is noise
REACH_ATR = 3.0  # distance at which fuel counts 1/e
MAX_DISTANCE_ATR = 10.0


def build_clusters(levels: Sequence[Level], price_usd: float, atr_usd: float) -> tuple[LiquidationZone, ...]:
    """Clusters of both sides with their magnet strength, lowest price first; empty without levels or ATR.

    Gathered from the price outwards, so that both sides are cut alike: a cluster ends where the next level is
    more than 0.25 ATR away, or it would grow wider than 1 ATR. Levels beyond 10 ATR are dropped, and clusters
    under 1 % of all volume.
    """
    if not atr_usd > 0:
        return ()
    near = [one for one in levels if abs(one.price_usd - price_usd) <= MAX_DISTANCE_ATR * atr_usd]
    groups = [
        group
        for side in (PositionSide.LONG, PositionSide.SHORT)
        for group in _grouped([one for one in near if one.side is side], atr_usd)
    ]
    total = math.fsum(one.usd for one in near)
    kept = [group for group in groups if math.fsum(one.usd for one in group) >= MIN_SHARE * total]
    if not kept or total <= 0:
        return ()
    largest = max(math.fsum(one.usd for one in group) for group in kept)
    raw = [_raw_strength(group, price_usd, atr_usd) for group in kept]
    everything = math.fsum(raw)
    found = [
        _zone(group, price_usd, atr_usd, largest, 100.0 * strength / everything)
        for group, strength in zip(kept, raw, strict=True)
    ]
    return tuple(sorted(found, key=lambda zone: zone.price_usd))


def magnet_bias(clusters: Sequence[LiquidationZone]) -> float | None:
    """(magnets above - below)/100, -1..1; None without clusters. Worked number of the model: 0.046180."""
    if not clusters:
        return None
    above = math.fsum(zone.magnet for zone in clusters if zone.side is PositionSide.SHORT)
    below = math.fsum(zone.magnet for zone in clusters if zone.side is PositionSide.LONG)
    return (above - below) / 100.0


def _grouped(levels: Sequence[Level], atr_usd: float) -> list[list[Level]]:
    """Levels of one side; within a group lowest price first."""
    groups: list[list[Level]] = []
    for level in sorted(levels, key=lambda one: one.price_usd, reverse=_is_below(levels)):
        last = groups[-1] if groups else None
        if (
            last is not None
            and abs(level.price_usd - last[-1].price_usd) <= MAX_GAP_ATR * atr_usd
            and abs(level.price_usd - last[0].price_usd) <= MAX_WIDTH_ATR * atr_usd
        ):
            last.append(level)
        else:
            groups.append([level])
    return [sorted(group, key=lambda one: one.price_usd) for group in groups]


def _is_below(levels: Sequence[Level]) -> bool:
    """Longs lie below the price: their nearest level is the highest."""
    return bool(levels) and levels[0].side is PositionSide.LONG


def _near_edge(group: Sequence[Level]) -> float:
    """The edge that faces the price: the top of longs, the bottom of shorts."""
    return group[-1].price_usd if group[0].side is PositionSide.LONG else group[0].price_usd


def _raw_strength(group: Sequence[Level], price_usd: float, atr_usd: float) -> float:
    distance = abs(_near_edge(group) - price_usd) / atr_usd
    return math.fsum(one.usd for one in group) * math.exp(-distance / REACH_ATR)


def _zone(
    group: Sequence[Level], price_usd: float, atr_usd: float, largest_usd: float, magnet: float
) -> LiquidationZone:
    usd = math.fsum(one.usd for one in group)
    near = _near_edge(group)
    mean = math.fsum(one.price_usd * one.usd for one in group) / usd
    return LiquidationZone(
        side=group[0].side,
        # A mean of one level may be off by a rounding.
        price_usd=min(max(mean, group[0].price_usd), group[-1].price_usd),
        low_usd=group[0].price_usd,
        high_usd=group[-1].price_usd,
        near_usd=near,
        volume_usd=usd,
        strength=100.0 * (usd / largest_usd),
        distance_atr=(near - price_usd) / atr_usd,
        magnet=magnet,
    )
