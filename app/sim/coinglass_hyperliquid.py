"""CoinGlass on single Hyperliquid wallets: whale alerts and positions, a coin's positions, one wallet.

Every coin has the same slots; a slot's wallet opens a new position when the one before has lived its hours;
about a third are closed before that. Size and entry stay what they were at the opening, the value moves with
the price. Longs have a positive size and a liquidation price below the entry, shorts the mirror image.
Recorded data holds no wallets: then the answers are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.sim.coin_view import HOUR_MS
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, invented
from app.sim.listings import find_coin
from app.sim.wire import Call, hashed_unit

_WHALE_COINS = 8
_WHALES_PER_COIN = 5
_WHALE_USD = 1_000_000
_CLOSED_SHARE = 0.33
_SLOTS = 40
_PAGE = 20


@dataclass(frozen=True, slots=True)
class _Held:
    """The newest position of one slot. closed_ms: when it was or will be closed early; None: it is not.

    Size, entry and `usd` (the value at the opening) never change; what moves with the price is in `row`.
    """

    row: dict[str, Any]
    usd: float
    closed_ms: int | None

    def is_open(self, now_ms: int) -> bool:
        return self.closed_ms is None or self.closed_ms > now_ms


def _whales(call: Call) -> list[dict[str, Any]]:
    """Open positions above a million, newest first."""
    rows = [held.row for held in _whale_slots(call) if held.is_open(call.now_ms)]
    large = [row for row in rows if row["position_value_usd"] > _WHALE_USD]
    return sorted(large, key=lambda row: -int(row["create_time"]))


def _whale_slots(call: Call) -> list[_Held]:
    coins = call.market.coins()[:_WHALE_COINS]
    return [held for coin in coins for held in _slots(call, coin.base, _WHALES_PER_COIN)]


def _positions(call: Call, base: str) -> list[dict[str, Any]]:
    """Open ones of a coin."""
    return [held.row for held in _slots(call, base, _SLOTS) if held.is_open(call.now_ms)]


def _slots(call: Call, base: str, slots: int) -> list[_Held]:
    known = call.market.last_price(base)
    if known is None:
        return []
    return [_hold(call, base, known[0], slot) for slot in range(slots)]


@lru_cache(maxsize=4096)
def wallet_address(base: str, slot: int) -> str:
    """Forty hex digits that belong to one slot of one coin."""
    return "0x" + "".join(f"{int(hashed_unit(base, slot, i) * 2**32):08x}" for i in range(5))


def _hold(call: Call, base: str, mark: float, slot: int) -> _Held:
    # Each slot opens a new position every slot+2 hours.
    life_ms = (slot + 2) * HOUR_MS
    opened_ms = call.now_ms // life_ms * life_ms
    draw = [hashed_unit(base, slot, opened_ms, salt) for salt in range(6)]
    # The first slots are whales, the others hold less than one.
    usd = _WHALE_USD * (1.1 + 20 * draw[0] ** 3 if slot < _WHALES_PER_COIN else 0.01 + 0.9 * draw[0])
    is_long = draw[1] > 0.45
    leverage = (5, 10, 20, 25, 40)[int(draw[2] * 5)]
    entry = _price_at(call, base, opened_ms, mark)
    size = round(usd / entry * (1 if is_long else -1), 6)
    row = {
        "user": wallet_address(base, slot),
        "symbol": base,
        "position_size": size,
        "entry_price": entry,
        "mark_price": mark,
        "liq_price": float(f"{entry * (1 - (0.9 if is_long else -0.9) / leverage):.8g}"),
        "leverage": leverage,
        "margin_balance": round(usd / leverage, 4),
        "position_value_usd": round(abs(size) * mark, 4),
        "unrealized_pnl": round(size * (mark - entry), 4),
        "funding_fee": round(usd * (draw[2] - 0.5) * 0.001, 4),
        "margin_mode": "cross" if draw[3] > 0.5 else "isolated",
        "create_time": opened_ms,
        "update_time": call.now_ms,
    }
    closed_ms = opened_ms + int((0.1 + 0.8 * draw[5]) * life_ms) if draw[4] < _CLOSED_SHARE else None
    return _Held(row, usd, closed_ms)


def _price_at(call: Call, base: str, at_ms: int, otherwise: float) -> float:
    """Price of the first exchange at a full hour."""
    exchange = call.market.exchanges()[0]
    bar = call.market.candles(base, exchange, HOUR_MS, at_ms, at_ms + 1)
    return float(f"{float(bar.open[0]) if bar.open_ms.size else otherwise:.8g}")


_ALERT_KEYS = ("user", "symbol", "position_size", "entry_price", "liq_price")


def _whale_alerts(call: Call) -> object:
    """Opens (action 1) of every whale, and closes (action 2) of those closed since; newest first."""
    alerts = []
    for held in _whale_slots(call):
        kept = {key: held.row[key] for key in _ALERT_KEYS} | {"position_value_usd": round(held.usd, 4)}
        alerts.append(kept | {"position_action": 1, "create_time": held.row["create_time"]})
        if not held.is_open(call.now_ms):
            alerts.append(kept | {"position_action": 2, "create_time": held.closed_ms})
    return sorted(alerts, key=lambda alert: -int(alert["create_time"]))


def _of_coin(call: Call) -> object:
    """Largest first, twenty a page."""
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    rows = sorted(_positions(call, coin.base), key=lambda row: -float(row["position_value_usd"]))
    page = max(1, int(call.params.get("current_page") or 1))
    return {
        "total_pages": -(-len(rows) // _PAGE),
        "current_page": page,
        "list": rows[(page - 1) * _PAGE : page * _PAGE],
    }


def _of_wallet(call: Call) -> object:
    """An account nobody knows has no positions and no money, which is not an error."""
    user = call.params["user_address"].lower()
    rows = [
        row
        for coin in call.market.coins()
        for slot in range(_SLOTS)
        if wallet_address(coin.base, slot) == user
        for row in _positions(call, coin.base)
        if row["user"] == user
    ]
    margin = sum(float(row["margin_balance"]) for row in rows)
    held = sum(float(row["position_value_usd"]) for row in rows)
    equity = 1.5 * margin + sum(float(row["unrealized_pnl"]) for row in rows)
    signed = sum(float(row["position_size"]) * float(row["mark_price"]) for row in rows)
    summary = {
        "account_value": round(equity, 6),
        "total_ntl_pos": round(held, 6),
        "total_raw_usd": round(equity - signed, 6),
        "total_margin_used": round(margin, 6),
    }
    return {
        "margin_summary": summary,
        "cross_margin_summary": summary,
        "cross_maintenance_margin_used": round(margin / 2, 6),
        "withdrawable": round(max(0.0, equity - margin), 6),
        "asset_positions": [_asset_position(row) for row in rows],
    }


def _asset_position(row: dict[str, Any]) -> dict[str, Any]:
    paid = row["funding_fee"]
    position = {
        "coin": row["symbol"],
        "szi": row["position_size"],
        "leverage": {"type": row["margin_mode"], "value": row["leverage"]},
        "entry_px": row["entry_price"],
        "position_value": row["position_value_usd"],
        "unrealized_pnl": row["unrealized_pnl"],
        "return_on_equity": round(row["unrealized_pnl"] / row["margin_balance"], 10),
        "max_leverage": 40,
        "cum_funding": {"all_time": round(3 * paid, 6), "since_open": paid, "since_change": paid},
    }
    return {"type": "oneWay", "position": position}


_PATH = "/api/hyperliquid/"

HYPERLIQUID_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "hyperliquid_whale_alert", _PATH + "whale-alert", invented(_whale_alerts), gate=Gate.STARTUP
    ),
    CoinglassEndpoint(
        "hyperliquid_whale_position", _PATH + "whale-position", invented(_whales), gate=Gate.STARTUP
    ),
    CoinglassEndpoint(
        "hyperliquid_position", _PATH + "position", invented(_of_coin), ("symbol",), gate=Gate.STANDARD
    ),
    CoinglassEndpoint(
        "hyperliquid_user_position",
        _PATH + "user-position",
        invented(_of_wallet),
        ("user_address",),
        gate=Gate.STARTUP,
    ),
)
