"""Detectors of polled data: whale positions, funding and open interest beyond their own past, heatmap tiles.

Pure: figures in, findings out; what was polled when is `services.streaming.poller`'s business. Each finding
is an episode of its own, named by facts and not by memory, so that the same fact found by another process,
or again after a restart, is the same alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.derivatives import PositionSide, WhaleAction, WhaleAlert
from app.core.domain.flow import AlertKind, Finding
from app.core.domain.flow_config import FlowConfig
from app.core.domain.heatmap import CompositeScore
from app.core.domain.market import HOUR_MS
from app.core.domain.signal import Direction
from app.core.domain.stored import CompositeRow, LiquidatedSide, TileRow
from app.core.flow.market import confidence
from app.core.heatmap.buckets import bucket_low

# A rate is paid every eight hours: one that stays extreme is one alert in each of them.
FUNDING_EPISODE_MS = 8 * HOUR_MS
# A five-minute change looked at every minute is seen several times.
INTEREST_EPISODE_MS = HOUR_MS // 4
HEATMAP_EPISODE_MS = HOUR_MS
CHANGE_S = 300


@dataclass(frozen=True, slots=True)
class FundingNow:
    """Newest funding of a coin, fraction per 8 h (positive: longs pay shorts), in its own past of `days`.

    bar_ms: close of the bar it is of; as_of_ms: when it was looked at.
    """

    symbol: str
    rate_8h_frac: float
    percentile: float
    days: float
    bar_ms: int
    as_of_ms: int
    price: float | None


class InterestMove(StrEnum):
    """What a change of open interest together with the price says of positions."""

    NEW_LONGS = "new_longs"  # more open interest, higher price
    NEW_SHORTS = "new_shorts"  # more, lower
    LONGS_CLOSING = "longs_closing"  # less, lower
    SHORTS_CLOSING = "shorts_closing"  # less, higher


@dataclass(frozen=True, slots=True)
class InterestChange:
    """Change of open interest over five minutes, in coins (a move of the price alone changes nothing).

    percentile: of the change within the coin's own five-minute changes of `days`. usd: the change at the
    price now, signed.
    """

    symbol: str
    change_frac: float
    price_change_frac: float
    usd: float
    percentile: float
    days: float
    ts_event_ms: int
    price: float


def tail_confidence(percentile: float, extreme: float) -> float:
    """For figures without a size in USD: 70 at the edge of the extreme, 90 beyond everything seen.

    Worked numbers, extreme 0.99: percentile 0.99 -> 70, 0.995 -> 80, 1 -> 90; 0.01 -> 70, 0 -> 90.
    """
    depth = (max(percentile, 1 - percentile) - extreme) / (1 - extreme)
    return 70.0 + 20.0 * min(1.0, max(0.0, depth))


def detect_whales(
    alerts: Iterable[WhaleAlert], config: FlowConfig, prices: Mapping[str, float], *, since_ms: int
) -> list[Finding]:
    """Positions of at least a million USD that were opened or closed after `since_ms`, oldest first.

    An opened long speaks for LONG, an opened short for SHORT; a closed one for neither: nobody says why.
    """
    wanted = [
        alert
        for alert in alerts
        if alert.size_usd >= config.whale_position_usd and alert.ts_event_ms > since_ms
    ]
    wanted.sort(key=lambda alert: (alert.ts_event_ms, alert.wallet, alert.base))
    return [_whale(alert, config, prices.get(alert.base)) for alert in wanted]


def whale_id(alert: WhaleAlert) -> str:
    """The same for the same deed of the same wallet, in every process; the wallet is not in it."""
    facts = f"{alert.wallet}|{alert.base}|{alert.side}|{alert.action}|{alert.ts_event_ms}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _whale(alert: WhaleAlert, config: FlowConfig, price: float | None) -> Finding:
    is_long, is_opened = alert.side is PositionSide.LONG, alert.action is WhaleAction.OPENED
    direction = Direction.NEUTRAL
    if is_opened:
        direction = Direction.LONG if is_long else Direction.SHORT
    ratio = alert.size_usd / config.whale_position_usd
    evidence = [
        ("is_opened", float(is_opened)),
        ("is_long", float(is_long)),
        ("size_usd", alert.size_usd),
        ("size_base", alert.size_base),
        ("entry_price_usd", alert.entry_price_usd),
    ]
    if alert.liquidation_price_usd is not None:
        evidence.append(("liquidation_price_usd", alert.liquidation_price_usd))
    episode = f"whale:{whale_id(alert)}"
    return Finding(
        kind=AlertKind.WHALE_POSITION,
        symbol=alert.base,
        direction=direction,
        episode=episode,
        burst=episode,
        started_ms=alert.ts_event_ms,
        ts_event_ms=alert.ts_event_ms,
        usd=alert.size_usd,
        ratio=ratio,
        window_s=0,
        price=price,
        confidence=confidence(ratio, 1.0),
        is_final=True,
        evidence=tuple(evidence),
    )


def detect_funding(now: FundingNow, config: FlowConfig) -> Finding | None:
    """Funding outside the coin's own 1st and 99th percentile of 30 days. It speaks for no direction: a rate
    may stay extreme through the whole move that pays for it."""
    if not _is_extreme(now.percentile, config):
        return None
    side = "high" if now.percentile > 0.5 else "low"
    slot_ms = now.bar_ms // FUNDING_EPISODE_MS * FUNDING_EPISODE_MS
    episode = f"funding:{side}:{slot_ms}"
    return Finding(
        kind=AlertKind.FUNDING_EXTREME,
        symbol=now.symbol,
        direction=Direction.NEUTRAL,
        episode=episode,
        burst=episode,
        started_ms=now.bar_ms,
        # It still holds at this moment: the rate is paid until the next one is known.
        ts_event_ms=now.as_of_ms,
        usd=0.0,
        ratio=1.0,
        window_s=0,
        price=now.price,
        confidence=tail_confidence(now.percentile, config.extreme_percentile),
        percentile=now.percentile,
        evidence=(
            ("funding_8h_frac", now.rate_8h_frac),
            ("history_days", now.days),
            ("bar_age_s", max(0.0, (now.as_of_ms - now.bar_ms) / 1000)),
        ),
    )


def classify_interest(change_frac: float, price_change_frac: float) -> InterestMove | None:
    """Who opens or closes; None when one of the two did not move.

    Worked numbers: +3 % open interest with +1 % price -> new longs; -3 % with +1 % -> shorts closing.
    """
    if change_frac == 0 or price_change_frac == 0:
        return None
    if change_frac > 0:
        return InterestMove.NEW_LONGS if price_change_frac > 0 else InterestMove.NEW_SHORTS
    return InterestMove.SHORTS_CLOSING if price_change_frac > 0 else InterestMove.LONGS_CLOSING


def detect_interest(change: InterestChange, config: FlowConfig) -> Finding | None:
    """A five-minute change of open interest outside the coin's own 1st and 99th percentile of 30 days.

    New longs speak for LONG, new shorts for SHORT; closing ones for neither. A change that the price did not
    move with is told without a direction. Evidence holds both changes, so the words can be made from it.
    """
    if not _is_extreme(change.percentile, config):
        return None
    move = classify_interest(change.change_frac, change.price_change_frac)
    direction = {InterestMove.NEW_LONGS: Direction.LONG, InterestMove.NEW_SHORTS: Direction.SHORT}.get(
        move or InterestMove.LONGS_CLOSING, Direction.NEUTRAL
    )
    slot_ms = change.ts_event_ms // INTEREST_EPISODE_MS * INTEREST_EPISODE_MS
    episode = f"interest:{move.value if move else 'no_move'}:{slot_ms}"
    return Finding(
        kind=AlertKind.OI_SPIKE,
        symbol=change.symbol,
        direction=direction,
        episode=episode,
        burst=episode,
        started_ms=change.ts_event_ms - CHANGE_S * 1000,
        ts_event_ms=change.ts_event_ms,
        usd=abs(change.usd),
        ratio=1.0,
        window_s=CHANGE_S,
        price=change.price,
        confidence=tail_confidence(change.percentile, config.extreme_percentile),
        percentile=change.percentile,
        evidence=(
            ("oi_change_5m_frac", change.change_frac),
            ("price_change_5m_frac", change.price_change_frac),
            ("oi_change_5m_usd", change.usd),
            ("history_days", change.days),
        ),
    )


def detect_tile(
    score: CompositeScore, tiles: Sequence[TileRow], price: float, config: FlowConfig
) -> Finding | None:
    """The strong tile of the last closed minute nearest to the price: wholly below it speaks for LONG, wholly
    above for SHORT, and the one the price is in for nothing.

    tiles: of the same minute. None too when a part of the composite is missing: `score.why_no_alert` says it.
    """
    if not score.can_alert:
        return None
    strong = [tile for tile in score.tiles if tile.score >= config.heatmap_score and _off(tile, price)]
    if not strong:
        return None
    tile = min(strong, key=lambda one: (_distance(one, price), one.bucket))
    longs = sum(row.long_usd for row in tiles if row.bucket == tile.bucket)
    shorts = sum(row.short_usd for row in tiles if row.bucket == tile.bucket)
    return _tile(tile, longs, shorts, price, config)


def _tile(tile: CompositeRow, longs: float, shorts: float, price: float, config: FlowConfig) -> Finding:
    is_below = bucket_low(tile.bucket + 1) <= price
    usd = longs + shorts
    ratio = usd / config.tier(tile.symbol).cascade_usd
    share = max(longs, shorts) / usd if usd > 0 else 0.0
    end_ms = (tile.ts_min + 1) * 60_000
    slot_ms = end_ms // HEATMAP_EPISODE_MS * HEATMAP_EPISODE_MS
    episode = f"heatmap:{tile.bucket}:{'below' if is_below else 'above'}:{slot_ms}"
    side = None
    if longs != shorts:
        side = LiquidatedSide.LONG if longs > shorts else LiquidatedSide.SHORT
    return Finding(
        kind=AlertKind.HEATMAP,
        symbol=tile.symbol,
        direction=Direction.LONG if is_below else Direction.SHORT,
        episode=episode,
        burst=episode,
        started_ms=tile.ts_min * 60_000,
        ts_event_ms=end_ms,
        usd=usd,
        ratio=ratio,
        window_s=60,
        price=price,
        confidence=confidence(ratio, share),
        side=side,
        evidence=(
            ("composite_score", tile.score),
            ("tile_low_usd", bucket_low(tile.bucket)),
            ("tile_high_usd", bucket_low(tile.bucket + 1)),
            ("long_usd", longs),
            ("short_usd", shorts),
            ("liquidation_part", tile.liquidation_part or 0.0),
            ("open_interest_part", tile.open_interest_part or 0.0),
            ("swing_part", tile.swing_part or 0.0),
        ),
    )


def _is_extreme(percentile: float, config: FlowConfig) -> bool:
    # Mirrored by itself: 1 - 0.99 is not 0.01 in floating point, so both tails are measured from their end.
    return max(percentile, 1 - percentile) > config.extreme_percentile


def _off(tile: CompositeRow, price: float) -> bool:
    """Whether the price is outside of the tile."""
    return bucket_low(tile.bucket + 1) <= price or bucket_low(tile.bucket) > price


def _distance(tile: CompositeRow, price: float) -> float:
    """From the price to the nearer edge, as a fraction of the price."""
    low, high = bucket_low(tile.bucket), bucket_low(tile.bucket + 1)
    return (price - high if high <= price else low - price) / price
