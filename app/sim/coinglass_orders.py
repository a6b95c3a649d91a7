"""CoinGlass large limit orders of futures and spot, open ones and their history.

Every quarter of an hour each pair gets one order below the price (side 2, buy) or above it (side 1, sell); it
rests for hours and ends filled or withdrawn. The open list is the part of that history not yet over.
Recorded data holds none: then the answers are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS
from app.sim.coinglass_kinds import FUTURES, SPOT, Kind
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed
from app.sim.listings import Listing, quote_of
from app.sim.wire import Call, decimals_of, hashed_unit

_SELL, _BUY = 1, 2
_OPEN, _FILLED, _WITHDRAWN = 1, 2, 3
_SLOT_MS = 15 * MINUTE_MS
_LONGEST_MS = DAY_MS
_MAX_ROWS = 200
_HISTORY_MS = 7 * DAY_MS


def _open_orders(kind: Kind) -> Callable[[Call], object]:
    def build(call: Call) -> object:
        listing = kind.find(call)
        if listing is None or not call.is_invented:
            return []
        orders = _orders(call, kind, listing, call.now_ms - _LONGEST_MS, call.now_ms)
        for order in orders:
            del order["order_end_time"]
        return [order for order in orders if order["order_state"] == _OPEN]

    return build


def _history(kind: Kind) -> Callable[[Call], object]:
    """Orders first seen inside the window, newest first."""

    def build(call: Call) -> object:
        listing = kind.find(call)
        if listing is None or not call.is_invented:
            return []
        start_ms = max(int(call.params["start_time"]), call.now_ms - _HISTORY_MS)
        end_ms = min(int(call.params["end_time"]), call.now_ms)
        wanted = int(call.params["state"])
        orders = _orders(call, kind, listing, start_ms, end_ms)
        return [order for order in reversed(orders) if order["order_state"] == wanted][:_MAX_ROWS]

    return build


def _orders(call: Call, kind: Kind, listing: Listing, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    first = -(-start_ms // _SLOT_MS) * _SLOT_MS
    slots = np.arange(first, end_ms + 1, _SLOT_MS, dtype=np.int64)
    if not slots.size:
        return []
    window = (_SLOT_MS, int(slots[0]) - _SLOT_MS, int(slots[-1]) + 1)
    bars = kind.candles(call, listing.coin.base, listing.exchange, window)
    if not bars.open_ms.size:
        return []
    prices = np.interp(slots, bars.open_ms, bars.open).tolist()
    now_price = float(
        kind.candles(
            call,
            listing.coin.base,
            listing.exchange,
            (MINUTE_MS, call.now_ms - 2 * MINUTE_MS, call.now_ms + 1),
        ).close[-1]
    )
    rows = zip(slots.tolist(), prices, strict=True)
    return [_order(call, kind, listing, at_ms, price, now_price) for at_ms, price in rows]


def _order(
    call: Call, kind: Kind, listing: Listing, at_ms: int, seen_price: float, now_price: float
) -> dict[str, Any]:
    draw = [hashed_unit(kind.path, listing.exchange, listing.pair, at_ms, salt) for salt in range(5)]
    side = _BUY if draw[0] < 0.5 else _SELL
    away = 0.002 + 0.03 * draw[1] ** 2
    coin_price = seen_price * (1 - away if side == _BUY else 1 + away)
    price = round(coin_price * listing.multiplier, decimals_of(listing.coin.tick * listing.multiplier))
    quantity = round((300_000 + 2_700_000 * draw[2] ** 3) / price, 4)
    end_ms = at_ms + HOUR_MS + int(draw[3] * (_LONGEST_MS - HOUR_MS))
    # The market cannot have gone through an order that still rests.
    is_passed = now_price < coin_price if side == _BUY else now_price > coin_price
    state = _OPEN if end_ms > call.now_ms else (_FILLED if draw[4] < 0.4 else _WITHDRAWN)
    if state == _OPEN and is_passed:
        state, end_ms = _FILLED, call.now_ms
    filled = quantity if state == _FILLED else 0.0
    left = round(quantity - filled, 4)
    row = {
        "id": 2_800_000_000 + int(draw[4] * 100_000_000),
        "exchange_name": listing.exchange,
        "symbol": listing.pair,
        "base_asset": listing.base_asset,
        "quote_asset": quote_of(listing),
        "price": price,
        "start_time": at_ms,
        "start_quantity": quantity,
        "start_usd_value": round(quantity * price, 4),
        "current_quantity": left,
        "current_usd_value": round(left * price, 4),
        "current_time": min(end_ms, call.now_ms),
        "executed_volume": filled,
        "executed_usd_value": round(filled * price, 4),
        "trade_count": int(filled > 0) * (1 + int(draw[2] * 400)),
        "order_side": side,
        "order_state": state,
        "order_end_time": None if state == _OPEN else end_ms,
    }
    # Live futures rows carry limit_price beside the documented price.
    return row | {"limit_price": price} if kind is FUTURES else row


def _family(kind: Kind) -> tuple[CoinglassEndpoint, ...]:
    id_, path = kind.id_prefix + "orderbook_large_limit_order", kind.path + "orderbook/large-limit-order"
    return (
        CoinglassEndpoint(
            id_,
            path,
            listed(_open_orders(kind)),
            ("exchange", "symbol"),
            gate=Gate.STANDARD,
        ),
        CoinglassEndpoint(
            id_ + "_history",
            path + "-history",
            listed(_history(kind)),
            ("exchange", "symbol", "start_time", "end_time", "state"),
            gate=Gate.STANDARD,
            choices={"state": ("1", "2", "3")},
        ),
    )


ORDER_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (*_family(FUTURES), *_family(SPOT))
