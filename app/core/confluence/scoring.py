"""The confluence score of a Smart Money zone and a liquidation cluster, 0-100. Section 4.

Rises with the cluster's volume and the zone's freshness, falls with their gap and the distance to price; has
no scale in price or USD; an ended zone scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import (
    ConfluenceParts,
    EnhancedSMCZone,
    LiquidationZone,
    SmcZone,
    ZoneKind,
    ZoneState,
)
from app.core.smc.bars import Floats

NEAR_ATR = 0.5
_BASE = {
    ZoneKind.ORDER_BLOCK: 1.0,
    ZoneKind.LIQUIDITY_POOL: 0.9,
    ZoneKind.BREAKER: 0.8,
    ZoneKind.FAIR_VALUE_GAP: 0.7,
    ZoneKind.INVERSE_GAP: 0.7,
    ZoneKind.PREVIOUS_LEVEL: 0.7,
}
_FRESH = {
    ZoneState.UNTOUCHED: 1.0,
    ZoneState.TOUCHED: 0.6,
    ZoneState.HALF_FILLED: 0.2,
    ZoneState.ENDED: 0.0,
}
_REACH_ATR = 3.0
# A cluster that holds a tenth of all volume counts half.
_HALF_VOLUME = 0.1
_AGAINST = 0.5
# Rounding of a score, and scores too small for that to hold.
_HAIR, _FAINT = 1e-9, 1e-60


def score_confluence(
    zone: SmcZone, cluster: LiquidationZone, total_usd: float, price_usd: float, atr_usd: float
) -> tuple[float, ConfluenceParts]:
    """Score and parts. Worked number: section 9's bullish block with the 30M cluster -> 82.128121."""
    gap = interval_gap(zone, cluster) / atr_usd
    overlap = math.exp(-(gap**2) / (2.0 * NEAR_ATR**2))
    volume = cluster.volume_usd / (cluster.volume_usd + _HALF_VOLUME * total_usd)
    quality = _BASE[zone.kind] * _FRESH[zone.state]
    distance = max(zone.bottom_usd - price_usd, price_usd - zone.top_usd, 0.0)
    proximity = math.exp(-distance / (_REACH_ATR * atr_usd))
    agreement = 1.0 if is_fitting(zone, cluster) else _AGAINST
    score = 100.0 * agreement * overlap**0.35 * volume**0.30 * quality**0.20 * proximity**0.15
    return score, ConfluenceParts(overlap, volume, quality, proximity, agreement, gap)


def interval_gap(zone: SmcZone, cluster: LiquidationZone) -> float:
    """Distance of the two intervals, 0 where they overlap."""
    return max(zone.bottom_usd - cluster.high_usd, cluster.low_usd - zone.top_usd, 0.0)


def is_fitting(zone: SmcZone, cluster: LiquidationZone) -> bool:
    """Forced sells into demand, or forced buys into supply."""
    return zone.is_bullish == (cluster.side is PositionSide.LONG)


def enhance_zones(
    zones: Sequence[SmcZone],
    clusters: Sequence[LiquidationZone],
    price_usd: float,
    atr_usd: float,
    *,
    at_least: float = 0.0,
) -> tuple[EnhancedSMCZone, ...]:
    """Every zone with its best cluster, best score first; without clusters in the order given, unscored.

    at_least: zones that are certain to score less may be left out.
    """
    if not clusters or not zones:
        return tuple(_alone(zone) for zone in zones)
    total_usd = math.fsum(cluster.volume_usd for cluster in clusters)
    scores = _rough_scores(zones, clusters, total_usd, price_usd, atr_usd)
    best = scores.max(axis=1)
    kept = (best >= at_least * (1.0 - _HAIR)).nonzero()[0].tolist()
    # Mostly one cluster is a rounding from the best, so that few pairs are scored in full.
    hopeful = (best * (1.0 - _HAIR) <= scores.T) | (best < _FAINT)
    found = []
    for row in kept:
        near = [clusters[at] for at in hopeful[:, row].nonzero()[0].tolist()]
        found.append(_enhanced(zones[row], near, total_usd, price_usd, atr_usd))
    return tuple(sorted(found, key=lambda one: -(one.confluence_score or 0.0)))


def _rough_scores(
    zones: Sequence[SmcZone],
    clusters: Sequence[LiquidationZone],
    total_usd: float,
    price_usd: float,
    atr_usd: float,
) -> Floats:
    """`score_confluence` of every zone (rows) with every cluster (columns), up to a rounding."""
    bottom, top, bullish, quality = np.array([_zone_row(zone) for zone in zones]).T[:, :, None]
    low, high, volume, longs = np.array([_cluster_row(cluster) for cluster in clusters]).T
    gap = np.maximum(np.maximum(bottom - high, low - top), 0.0) / atr_usd
    overlap = np.exp(gap**2 / (-2.0 * NEAR_ATR**2))
    distance = np.maximum(np.maximum(bottom - price_usd, price_usd - top), 0.0)
    proximity = np.exp(-distance / (_REACH_ATR * atr_usd))
    volume_frac = volume / (volume + _HALF_VOLUME * total_usd)
    agreement = np.where(bullish == longs, 100.0, 100.0 * _AGAINST)
    scores: Floats = agreement * overlap**0.35 * volume_frac**0.30 * (quality**0.20 * proximity**0.15)
    return scores


def _zone_row(zone: SmcZone) -> tuple[float, float, bool, float]:
    return zone.bottom_usd, zone.top_usd, zone.is_bullish, _BASE[zone.kind] * _FRESH[zone.state]


def _cluster_row(cluster: LiquidationZone) -> tuple[float, float, float, bool]:
    return cluster.low_usd, cluster.high_usd, cluster.volume_usd, cluster.side is PositionSide.LONG


def _alone(zone: SmcZone) -> EnhancedSMCZone:
    return EnhancedSMCZone(
        zone, liquidation_confluence=False, cluster=None, parts=None, confluence_score=None
    )


def _enhanced(
    zone: SmcZone,
    clusters: Sequence[LiquidationZone],
    total_usd: float,
    price_usd: float,
    atr_usd: float,
) -> EnhancedSMCZone:
    """A zone with its best cluster, of equals the first."""
    scored = [score_confluence(zone, one, total_usd, price_usd, atr_usd) for one in clusters]
    at = max(range(len(clusters)), key=lambda at: scored[at][0])
    (score, parts), cluster = scored[at], clusters[at]
    is_near = is_fitting(zone, cluster) and parts.gap_atr <= NEAR_ATR
    return EnhancedSMCZone(zone, is_near, cluster, parts, score)
