"""CoinGlass on single Hyperliquid wallets: whale alerts and positions, a coin's positions, one wallet.

Every coin has the same slots; a slot's wallet opens a new position when the one before has lived its hours.
Longs have a positive size and a liquidation price below the entry, shorts the mirror image. Recorded data
holds no wallets: then the answers are empty.
"""

from __future__ import annotations

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
_SLOTS = 40
_PAGE = 20


def _whales(call: Call) -> list[dict[str, Any]]:
    """Positions above a million, newest first."""
    rows = [
        row
        for coin in call.market.coins()[:_WHALE_COINS]
        for row in _positions(call, coin.base, _WHALES_PER_COIN)
    ]
    return sorted(rows, key=lambda row: -int(row["create_time"]))


def _positions(call: Call, base: str, slots: int = _SLOTS) -> list[dict[str, Any]]:
    known = call.market.last_price(base)
    if known is None:
        return []
    return [_position(call.now_ms, base, known[0], slot) for slot in range(slots)]


@lru_cache(maxsize=4096)
def wallet_address(base: str, slot: int) -> str:
    """Forty hex digits that belong to one slot of one coin."""
    return "0x" + "".join(f"{int(hashed_unit(base, slot, i) * 2**32):08x}" for i in range(5))


def _position(now_ms: int, base: str, mark: float, slot: int) -> dict[str, Any]:
    # Each slot opens a new position every slot+2 hours.
    life_ms = (slot + 2) * HOUR_MS
    opened_ms = now_ms // life_ms * life_ms
    draw = [hashed_unit(base, slot, opened_ms, salt) for salt in range(4)]
    # The first slots are whales, the others hold less than one.
    usd = _WHALE_USD * (1 + 20 * draw[0] ** 3 if slot < _WHALES_PER_COIN else 0.01 + 0.9 * draw[0])
    is_long = draw[1] > 0.45
    leverage = (5, 10, 20, 25, 40)[int(draw[2] * 5)]
    entry = mark * (1 + (draw[3] - 0.5) * 0.04)
    size = usd / mark * (1 if is_long else -1)
    return {
        "user": wallet_address(base, slot),
        "symbol": base,
        "position_size": round(size, 6),
        "entry_price": float(f"{entry:.8g}"),
        "mark_price": mark,
        "liq_price": float(f"{entry * (1 - (0.9 if is_long else -0.9) / leverage):.8g}"),
        "leverage": leverage,
        "margin_balance": round(usd / leverage, 4),
        "position_value_usd": round(usd, 4),
        "unrealized_pnl": round(size * (mark - entry), 4),
        "funding_fee": round(usd * (draw[2] - 0.5) * 0.001, 4),
        "margin_mode": "cross" if draw[3] > 0.5 else "isolated",
        "create_time": opened_ms,
        "update_time": now_ms,
    }


_ALERT_KEYS = ("user", "symbol", "position_size", "entry_price", "liq_price", "position_value_usd")


def _whale_alerts(call: Call) -> object:
    """Opens (action 1) of every position; about a third are already closed again (action 2)."""
    alerts = []
    for row in _whales(call):
        action = 2 if hashed_unit(row["user"], row["create_time"]) < 0.33 else 1
        kept = {key: row[key] for key in _ALERT_KEYS}
        alerts.append(kept | {"position_action": action, "create_time": row["create_time"]})
    return alerts


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
        _positions(call, coin.base)[slot]
        for coin in call.market.coins()
        for slot in range(_SLOTS)
        if wallet_address(coin.base, slot) == user
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
