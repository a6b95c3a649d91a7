"""The watchlist and the counts of the service as models. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.api.numbers import clip, iso_utc, places
from app.api.schemas.base import DETAIL_CHARS
from app.api.schemas.coins import CoinChangeResponse, CoinItem, CoinsResponse
from app.api.schemas.stats import DroppedAlerts, StatsResponse
from app.core.domain.context import DataMode
from app.core.domain.service_stats import ServiceStats
from app.core.domain.signal import Direction
from app.core.domain.watchlist import MAX_COINS, WatchChange, WatchedCoin


def coins(found: Sequence[WatchedCoin], *, now_ms: int, data_mode: DataMode) -> CoinsResponse:
    """The whole list."""
    items = [_item(coin) for coin in found]
    return CoinsResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        items=items,
        on=sum(item.on for item in items),
        limit=MAX_COINS,
    )


def coin_change(
    found: Sequence[WatchedCoin], change: WatchChange, *, now_ms: int, data_mode: DataMode
) -> CoinChangeResponse:
    """The whole list after a change."""
    shown = coins(found, now_ms=now_ms, data_mode=data_mode)
    return CoinChangeResponse(**dict(shown), changed=change.symbol, did_change=change.did_change)


def stats(found: ServiceStats, *, data_mode: DataMode) -> StatsResponse:
    """The counts; those that cannot be had are null."""
    signals, alerts, store = found.signals, found.alerts, found.store
    return StatsResponse(
        timestamp=iso_utc(found.as_of_ms),
        data_mode=data_mode,
        since=iso_utc(found.since_ms),
        coins_listed=found.coins_listed,
        coins_on=found.coins_on,
        signals_total=None if signals is None else sum(signals.values()),
        signals_long=None if signals is None else signals[Direction.LONG],
        signals_neutral=None if signals is None else signals[Direction.NEUTRAL],
        signals_short=None if signals is None else signals[Direction.SHORT],
        alerts_total=None if alerts is None else sum(alerts.values()),
        alerts_kept=None if alerts is None else alerts.get(None, 0),
        alerts_dropped=None
        if alerts is None
        else [
            DroppedAlerts(reason=reason, count=count)
            for reason, count in sorted(alerts.items(), key=lambda one: (-one[1], str(one[0])))
            if reason is not None
        ],
        live_clients=found.live_clients,
        store_state=store.state,
        store_rows_waiting=store.buffered_rows,
        store_oldest_waiting_s=places(store.oldest_buffered_s, 1),
        store_rows_lost=store.lost_rows + store.rejected_rows,
        why_null=None if found.why_none is None else clip(found.why_none, DETAIL_CHARS),
    )


def _item(coin: WatchedCoin) -> CoinItem:
    return CoinItem(
        symbol=coin.symbol,
        on=coin.is_on,
        configured=coin.is_configured,
        saved=coin.is_saved,
        added_at=None if coin.added_ms is None else iso_utc(coin.added_ms),
    )
