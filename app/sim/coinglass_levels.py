"""CoinGlass estimates and Hyperliquid whales: heatmap, liquidation map, max pain, large positions.

Levels are where positions opened at past prices would be closed by force (entry x (1 -+ 1 / leverage)),
sized by volume, so they hang together with the candles. Whales are made up per coin and hour. Recorded data
holds neither: then the answers are empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed
from app.sim.listings import find_coin
from app.sim.market import CandleColumns, Coin, Floats
from app.sim.wire import Call, hashed_unit

# Leverage tiers and the share of volume assumed at each.
_TIERS = ((10, 0.4), (25, 0.3), (50, 0.2), (100, 0.1))
_LEVELS = 120
_COLUMNS = 288
_RANGES_MS = {
    "12h": DAY_MS // 2,
    "24h": DAY_MS,
    "1d": DAY_MS,
    "48h": 2 * DAY_MS,
    "3d": 3 * DAY_MS,
    "7d": 7 * DAY_MS,
    "14d": 14 * DAY_MS,
    "30d": 30 * DAY_MS,
    "90d": 90 * DAY_MS,
    "180d": 180 * DAY_MS,
    "1y": 365 * DAY_MS,
}
_BAR_STEPS_MS = (60_000, 300_000, 900_000, 1_800_000, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS, DAY_MS)
_WHALE_COINS = 8
_WHALES_PER_COIN = 5
_WHALE_USD = 1_000_000


def _bars(call: Call, coin: Coin, back_ms: int) -> CandleColumns:
    """Candles over the range, about `_COLUMNS` of them."""
    step_ms = next((s for s in _BAR_STEPS_MS if s * _COLUMNS >= back_ms), DAY_MS)
    exchange = call.market.exchanges()[0]
    return call.market.candles(coin.base, exchange, step_ms, call.now_ms - back_ms, call.now_ms + 1)


def _levels(bars: CandleColumns) -> tuple[Floats, Floats, Any]:
    """(price, USD, bar index) of every estimated level: longs below the entry, shorts above."""
    usd = bars.volume_base * bars.close
    index = np.arange(bars.close.size)
    prices, sizes, columns = [], [], []
    for leverage, share in _TIERS:
        for side in (-1.0, 1.0):
            prices.append(bars.close * (1 + side / leverage))
            sizes.append(usd * share / 2)
            columns.append(index)
    return np.concatenate(prices), np.concatenate(sizes), np.concatenate(columns)


def _grid(prices: Floats) -> tuple[Floats, Any]:
    """(price axis, index of each price on it)."""
    axis = np.linspace(float(prices.min()), float(prices.max()), _LEVELS)
    step = (axis[-1] - axis[0]) / (_LEVELS - 1) or 1.0
    return axis, np.rint((prices - axis[0]) / step).astype(np.int64)


def _heatmap(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    bars = _bars(call, coin, _RANGES_MS[call.params["range"]]) if coin and call.is_invented else None
    if bars is None or bars.close.size < 2:
        return {"y_axis": [], "liquidation_leverage_data": [], "price_candlesticks": []}
    prices, sizes, columns = _levels(bars)
    axis, rows = _grid(prices)
    summed = np.zeros((bars.close.size, _LEVELS))
    np.add.at(summed, (columns, rows), sizes)
    at, level = np.nonzero(summed)
    return {
        "y_axis": [float(f"{price:.8g}") for price in axis],
        "liquidation_leverage_data": [
            [int(i), int(j), round(float(summed[i, j]), 2)] for i, j in zip(at, level, strict=True)
        ],
        "price_candlesticks": _candlesticks(bars),
        "update_time": call.now_ms,
    }


def _candlesticks(bars: CandleColumns) -> list[list[Any]]:
    """Seconds, prices as text: unlike every other CoinGlass candle."""
    usd = bars.volume_base * bars.close
    columns = (bars.open_ms // 1000, bars.open, bars.high, bars.low, bars.close, usd)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [[row[0], *(f"{value:.10g}" for value in row[1:5]), f"{row[5]:.4f}"] for row in rows]


def _map(call: Call) -> object:
    """The observed shape: one map per exchange, the last price beside them."""
    coin = find_coin(call.market, call.params["symbol"])
    known = call.market.last_price(coin.base) if coin else None
    bars = _bars(call, coin, _RANGES_MS[call.params["range"]]) if coin and call.is_invented else None
    if bars is None or known is None or bars.close.size < 2:
        return {"data": []}
    prices, sizes, _ = _levels(bars)
    axis, rows = _grid(prices)
    summed = np.zeros(_LEVELS)
    np.add.at(summed, rows, sizes)
    levels = {
        f"{price:.8g}": [[float(f"{price:.8g}"), round(float(usd), 2), None, None]]
        for price, usd in zip(axis, summed, strict=True)
        if usd > 0
    }
    exchange = call.market.exchanges()[0]
    return {"data": [{"liqMapV2": levels, "instrument": {"exName": exchange}}], "last_price": known[0]}


def _max_pain(call: Call) -> object:
    if not call.is_invented:
        return []
    back_ms = _RANGES_MS[call.params.get("range") or "24h"]
    rows = [_max_pain_row(call, coin, back_ms) for coin in call.market.coins()]
    return [row for row in rows if row is not None]


def _max_pain_row(call: Call, coin: Coin, back_ms: int) -> dict[str, Any] | None:
    known = call.market.last_price(coin.base)
    bars = _bars(call, coin, back_ms)
    if known is None or bars.close.size < 2:
        return None
    prices, sizes, _ = _levels(bars)
    axis, rows = _grid(prices)
    summed = np.zeros(_LEVELS)
    np.add.at(summed, rows, sizes)
    below, above = np.where(axis < known[0], summed, 0.0), np.where(axis > known[0], summed, 0.0)
    low, high = int(below.argmax()), int(above.argmax())
    # Names as in the documented sample: the LONG level lies above the price, the SHORT level below.
    return {
        "symbol": coin.base,
        "price": known[0],
        "long_max_pain_liq_level": round(float(above[high]), 2),
        "long_max_pain_liq_price": float(f"{axis[high]:.8g}"),
        "short_max_pain_liq_level": round(float(below[low]), 2),
        "short_max_pain_liq_price": float(f"{axis[low]:.8g}"),
    }


def _whales(call: Call) -> list[dict[str, Any]]:
    """Every made-up position, newest first; one lives from its hour on until the next takes its slot."""
    if not call.is_invented:
        return []
    rows: list[dict[str, Any]] = []
    for coin in call.market.coins()[:_WHALE_COINS]:
        known = call.market.last_price(coin.base)
        if known is not None:
            slots = range(_WHALES_PER_COIN)
            rows += [_whale(call.now_ms, coin.base, known[0], slot) for slot in slots]
    return sorted(rows, key=lambda row: -int(row["create_time"]))


def _whale(now_ms: int, base: str, mark: float, slot: int) -> dict[str, Any]:
    # Each slot opens a new position every slot+2 hours.
    life_ms = (slot + 2) * HOUR_MS
    opened_ms = now_ms // life_ms * life_ms
    draw = [hashed_unit(base, slot, opened_ms, salt) for salt in range(4)]
    usd, is_long = _WHALE_USD * (1 + 20 * draw[0] ** 3), draw[1] > 0.45
    leverage = (5, 10, 20, 25, 40)[int(draw[2] * 5)]
    entry = mark * (1 + (draw[3] - 0.5) * 0.04)
    size = usd / mark * (1 if is_long else -1)
    return {
        "user": "0x" + "".join(f"{int(hashed_unit(base, slot, i) * 2**32):08x}" for i in range(5)),
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


LEVEL_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "futures_liquidation_aggregated_heatmap_model1",
        "/api/futures/liquidation/aggregated-heatmap/model1",
        listed(_heatmap),
        ("symbol", "range"),
        cache_ms=10_000,
        gate=Gate.PROFESSIONAL,
        choices={"range": ("12h", "24h", "3d", "7d", "30d", "90d", "180d", "1y")},
    ),
    CoinglassEndpoint(
        "futures_liquidation_aggregated_map",
        "/api/futures/liquidation/aggregated-map",
        listed(_map),
        ("symbol", "range"),
        cache_ms=10_000,
        gate=Gate.PROFESSIONAL,
        choices={"range": ("1d", "7d", "30d")},
    ),
    CoinglassEndpoint(
        "futures_liquidation_max_pain",
        "/api/futures/liquidation/max-pain",
        listed(_max_pain),
        cache_ms=10_000,
        gate=Gate.PROFESSIONAL,
        choices={"range": ("12h", "24h", "48h", "3d", "7d", "14d", "30d")},
    ),
    CoinglassEndpoint(
        "hyperliquid_whale_alert",
        "/api/hyperliquid/whale-alert",
        listed(_whale_alerts),
        gate=Gate.STARTUP,
    ),
    CoinglassEndpoint(
        "hyperliquid_whale_position",
        "/api/hyperliquid/whale-position",
        listed(_whales),
        gate=Gate.STARTUP,
    ),
)
