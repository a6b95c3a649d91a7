"""Levels gathered into clusters, and how strongly each draws: relative fuel, not a forecast. Sections 2,
3."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.confluence.levels import SideLevels
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import Level, LiquidationZone

MAX_GAP_ATR = 0.25
MAX_WIDTH_ATR = 1.0
MIN_SHARE = 0.01  # of all volume; less is noise
REACH_ATR = 3.0  # distance at which fuel counts 1/e
MAX_DISTANCE_ATR = 10.0


def build_clusters(levels: Sequence[Level], price_usd: float, atr_usd: float) -> tuple[LiquidationZone, ...]:
    """Clusters of levels: see `gather_clusters`."""
    longs, shorts = (
        [(one.price_usd, one.usd) for one in levels if one.side is side]
        for side in (PositionSide.LONG, PositionSide.SHORT)
    )
    return gather_clusters(_columns(longs), _columns(shorts), price_usd, atr_usd)


def _columns(levels: Sequence[tuple[float, float]]) -> SideLevels:
    price, usd = np.array(levels, dtype=np.float64).reshape(-1, 2).T
    return SideLevels(price, usd, np.empty(0))


def gather_clusters(
    longs: SideLevels, shorts: SideLevels, price_usd: float, atr_usd: float
) -> tuple[LiquidationZone, ...]:
    """Clusters of both sides with their magnet strength, lowest price first; empty without levels or ATR.

    Gathered from the price outwards, so that both sides are cut alike: a cluster ends where the next level is
    more than 0.25 ATR away, or it would grow wider than 1 ATR. Levels beyond 10 ATR are dropped, and clusters
    under 1 % of all volume.
    """
    if not atr_usd > 0:
        return ()
    groups = [
        *_grouped(longs, PositionSide.LONG, price_usd, atr_usd),
        *_grouped(shorts, PositionSide.SHORT, price_usd, atr_usd),
    ]
    # Every level that is near is in one group; exact sums, so that no order of adding shows.
    total = math.fsum([usd for group in groups for usd in group.usd])
    kept = [group for group in groups if group.total_usd >= MIN_SHARE * total]
    if not kept or total <= 0:
        return ()
    largest = max(group.total_usd for group in kept)
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


@dataclass(frozen=True, slots=True)
class _Group:
    """Levels of one side that make a cluster. near_usd: the edge that faces the price (the top of longs, the
    bottom of shorts), far_usd: the other; moment: sum of price times USD."""

    side: PositionSide
    usd: list[float]
    total_usd: float
    near_usd: float
    far_usd: float
    moment: float


def _grouped(levels: SideLevels, side: PositionSide, price_usd: float, atr_usd: float) -> list[_Group]:
    near = np.abs(levels.price_usd - price_usd) <= MAX_DISTANCE_ATR * atr_usd
    # Longs lie below the price: their nearest level is the highest.
    height = levels.price_usd[near] * (-1.0 if side is PositionSide.LONG else 1.0)
    order = np.argsort(height, kind="stable")
    prices, usd = levels.price_usd[near][order], levels.usd[near][order]
    apart = (np.abs(np.diff(prices)) > MAX_GAP_ATR * atr_usd).nonzero()[0] + 1
    listed, money, weighed = prices.tolist(), usd.tolist(), (prices * usd).tolist()
    groups = []
    for first, end in _cut(listed, apart.tolist(), MAX_WIDTH_ATR * atr_usd):
        total = math.fsum(money[first:end])
        moment = math.fsum(weighed[first:end])
        groups.append(_Group(side, money[first:end], total, listed[first], listed[end - 1], moment))
    return groups


def _cut(prices: Sequence[float], gaps: Sequence[int], width_usd: float) -> Iterator[tuple[int, int]]:
    """First and end of every cluster: at each gap, and wherever it would grow too wide between two."""
    first = 0
    for end in (*gaps, len(prices)):
        while first < end:
            edge = prices[first]
            cut = bisect_right(prices, width_usd, first, end, key=lambda price: abs(price - edge))
            yield first, cut
            first = cut


def _raw_strength(group: _Group, price_usd: float, atr_usd: float) -> float:
    distance = abs(group.near_usd - price_usd) / atr_usd
    return group.total_usd * math.exp(-distance / REACH_ATR)


def _zone(
    group: _Group, price_usd: float, atr_usd: float, largest_usd: float, magnet: float
) -> LiquidationZone:
    low, high = min(group.near_usd, group.far_usd), max(group.near_usd, group.far_usd)
    return LiquidationZone(
        side=group.side,
        # A mean of one level may be off by a rounding.
        price_usd=min(max(group.moment / group.total_usd, low), high),
        low_usd=low,
        high_usd=high,
        near_usd=group.near_usd,
        volume_usd=group.total_usd,
        strength=100.0 * (group.total_usd / largest_usd),
        distance_atr=(group.near_usd - price_usd) / atr_usd,
        magnet=magnet,
    )
