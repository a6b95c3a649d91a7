"""CoinGlass single liquidation orders of one coin on one exchange: the market's own forced orders.

Owns the side codes: the same as in the stream (1 a long was closed by force, 2 a short). The REST page
documents the opposite, but its sample fits the stream. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from typing import Any

from app.sim.coin_view import DAY_MS
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed
from app.sim.listings import Listing, find_coin, list_on
from app.sim.market import LiquidationEvent
from app.sim.wire import Call

_HISTORY_MS = 7 * DAY_MS
_MAX_ROWS = 200
_SIDE_CODES = {"long": 1, "short": 2}


def _orders(call: Call) -> object:
    """Newest first; the request names a coin, rows name the pair; exchange names in capitals."""
    coin, exchange = find_coin(call.market, call.params["symbol"]), call.params["exchange"]
    if coin is None or exchange not in call.market.exchanges():
        return []
    oldest_ms = call.now_ms - _HISTORY_MS
    start_ms = max(int(call.params.get("start_time") or oldest_ms), oldest_ms)
    end_ms = int(call.params.get("end_time") or call.now_ms) + 1
    least_usd, listing = float(call.params["min_liquidation_amount"]), list_on(exchange, coin)
    rows: list[dict[str, Any]] = []
    # Back a day at a time: the newest 200 are soon found.
    while end_ms > start_ms and len(rows) < _MAX_ROWS:
        day_ms = max(start_ms, end_ms - DAY_MS)
        events = call.market.liquidation_events(day_ms, end_ms, coin.base)
        wanted = (
            event for event in reversed(events) if event.exchange == exchange and event.usd >= least_usd
        )
        rows += [_order_row(listing, event) for event in wanted]
        end_ms = day_ms
    return rows[:_MAX_ROWS]


def _order_row(listing: Listing, event: LiquidationEvent) -> dict[str, Any]:
    return {
        "exchange_name": listing.exchange.upper(),
        "symbol": listing.pair,
        "base_asset": listing.base_asset,
        "price": float(f"{event.price_usd * listing.multiplier:.10g}"),
        "usd_value": round(event.usd, 4),
        "side": _SIDE_CODES[event.liquidated],
        "time": event.ts_ms,
    }


FORCED_ORDER_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "futures_liquidation_order",
        "/api/futures/liquidation/order",
        listed(_orders),
        ("exchange", "symbol", "min_liquidation_amount"),
        gate=Gate.STANDARD,
    ),
)
