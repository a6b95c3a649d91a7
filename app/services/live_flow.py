"""What the stream says of the watched coins and of all coins together, for the live view. Pure.

Judges windows by the rules of the flow use case, so that both say the same. Called by `live_service`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.core.domain.flow import FlowSnapshot, LiquidationWindow
from app.core.domain.flow_answer import FlowTopAnswer, TradeShare, WindowShare, is_snapshot_fresh
from app.core.domain.flow_config import FlowConfig
from app.core.domain.live import LiveMarket, LiveQuote, Mood, SideSums
from app.core.flow.judged import is_whole, judge_liquidations, judge_trades

HOUR_S, DAY_S = 3_600, 86_400
FLOW_S = 300


def quotes(
    coins: Iterable[str],
    snapshots: Sequence[FlowSnapshot],
    config: FlowConfig,
    *,
    now_ms: int,
    speed: float,
) -> Mapping[str, LiveQuote | None]:
    """A quote of each coin, None for one that the stream has not told of. speed: market seconds a second."""
    known = {one.symbol: one for one in snapshots}
    found: dict[str, LiveQuote | None] = {}
    for coin in coins:
        snapshot = known.get(coin)
        found[coin] = None if snapshot is None else _quote(snapshot, config, now_ms=now_ms, speed=speed)
    return found


def market(
    snapshots: Sequence[FlowSnapshot], top: FlowTopAnswer, mood: Mood | None, *, speed: float
) -> LiveMarket:
    """Sums over the coins the worker still publishes. top: says how the stream does."""
    fresh = [one for one in snapshots if is_snapshot_fresh(one, top.as_of_ms, speed=speed)]
    stale = [one for one in snapshots if not is_snapshot_fresh(one, top.as_of_ms, speed=speed)]
    return LiveMarket(
        mood=mood,
        liquidations_1h=_sums(fresh, stale, HOUR_S),
        liquidations_24h=_sums(fresh, stale, DAY_S),
        coins_seen=len(fresh),
        state=top.state,
        reason=top.reason,
        as_of_ms=max((one.as_of_ms for one in snapshots), default=top.as_of_ms),
    )


def _quote(snapshot: FlowSnapshot, config: FlowConfig, *, now_ms: int, speed: float) -> LiveQuote:
    has_price = snapshot.price is not None and snapshot.price_ms is not None
    is_fresh = is_snapshot_fresh(snapshot, now_ms, speed=speed)
    return LiveQuote(
        symbol=snapshot.symbol,
        price=snapshot.price if has_price else None,
        price_ms=snapshot.price_ms if has_price else None,
        source=snapshot.source,
        exchange=snapshot.price_exchange if has_price else None,
        liquidations_1h=_liquidations(snapshot, HOUR_S),
        liquidations_24h=_liquidations(snapshot, DAY_S),
        flow_5m=_trades(snapshot, config),
        cascade=snapshot.cascade if is_fresh else None,
        as_of_ms=snapshot.as_of_ms,
    )


def _window(snapshot: FlowSnapshot, window_s: int) -> LiquidationWindow | None:
    return next((one for one in snapshot.liquidations if one.window_s == window_s), None)


def _liquidations(snapshot: FlowSnapshot, window_s: int) -> WindowShare | None:
    window = _window(snapshot, window_s)
    if window is None:
        return None
    return judge_liquidations(window, whole=is_whole(snapshot, snapshot.covered_since_ms, window_s))


def _trades(snapshot: FlowSnapshot, config: FlowConfig) -> TradeShare | None:
    since_ms = snapshot.trades_covered_since_ms
    window = next((one for one in snapshot.trades if one.window_s == FLOW_S), None)
    if window is None or since_ms is None:
        return None
    return judge_trades(window, config, whole=is_whole(snapshot, since_ms, FLOW_S))


def _sums(fresh: Sequence[FlowSnapshot], stale: Sequence[FlowSnapshot], window_s: int) -> SideSums:
    """Of the fresh ones. Not whole either when a coin is stale that had some: its share is left out.

    Worked numbers: $3M longs of one coin, $1M shorts of another -> 3,000,000 and 1,000,000 of 2 coins.
    """
    long_usd = short_usd = 0.0
    coins, whole = 0, bool(fresh) and not any(_has_some(one, window_s) for one in stale)
    for snapshot in fresh:
        window = _window(snapshot, window_s)
        if window is None:
            whole = False
            continue
        long_usd += window.long_usd
        short_usd += window.short_usd
        coins += window.long_usd + window.short_usd > 0
        whole = whole and is_whole(snapshot, snapshot.covered_since_ms, window_s)
    return SideSums(long_usd, short_usd, coins, whole)


def _has_some(snapshot: FlowSnapshot, window_s: int) -> bool:
    window = _window(snapshot, window_s)
    return window is not None and window.long_usd + window.short_usd > 0
