"""CoinGlass estimates of liquidation levels (heatmaps, maps, max pain).

Levels are where positions opened at past prices would be closed by force (entry x (1 -+ 1 / leverage)),
sized by volume, so they hang together with the candles. Recorded data holds no levels: then these answers are
empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed, pair_of
from app.sim.listings import Listing, find_coin
from app.sim.market import CandleColumns, Coin, Floats
from app.sim.wire import Call

# Leverage tiers and the share of volume assumed at each; the three heatmap models assume different crowds.
_Tiers = tuple[tuple[int, float], ...]
_TIERS: _Tiers = ((10, 0.4), (25, 0.3), (50, 0.2), (100, 0.1))
_MODELS: dict[str, _Tiers] = {
    "model1": _TIERS,
    "model2": ((25, 0.4), (50, 0.35), (100, 0.25)),
    "model3": ((5, 0.2), (10, 0.3), (25, 0.25), (50, 0.15), (100, 0.1)),
}
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
_RANGES = ("12h", "24h", "3d", "7d", "30d", "90d", "180d", "1y")
_MAP_RANGES = ("1d", "7d", "30d")


def _bars(call: Call, base: str, exchange: str, back_ms: int) -> CandleColumns:
    """Candles over the range, about `_COLUMNS` of them."""
    step_ms = next((s for s in _BAR_STEPS_MS if s * _COLUMNS >= back_ms), DAY_MS)
    return call.market.candles(base, exchange, step_ms, call.now_ms - back_ms, call.now_ms + 1)


def _bars_asked(call: Call) -> tuple[CandleColumns, Listing] | None:
    """(candles of the range in the pair's own price, the pair); None for nothing known or recorded data.

    Without `exchange` in the call the pair is the coin's on the first exchange, per single coin.
    """
    if not call.is_invented:
        return None
    if "exchange" in call.params:
        listing = pair_of(call)
    else:
        coin = find_coin(call.market, call.params["symbol"])
        exchange = call.market.exchanges()[0]
        listing = Listing(exchange, coin.base, coin.base, 1, coin) if coin else None
    if listing is None:
        return None
    bars = _bars(call, listing.coin.base, listing.exchange, _RANGES_MS[call.params["range"]])
    if bars.close.size < 2:
        return None
    prices = [column * listing.multiplier for column in (bars.open, bars.high, bars.low, bars.close)]
    volume = bars.volume_base / listing.multiplier
    return CandleColumns(
        bars.open_ms, prices[0], prices[1], prices[2], prices[3], volume, bars.is_closed
    ), listing


def _levels(bars: CandleColumns, tiers: _Tiers = _TIERS) -> tuple[Floats, Floats, Any]:
    """(price, USD, bar index) of every estimated level: longs below the entry, shorts above."""
    usd = bars.volume_base * bars.close
    index = np.arange(bars.close.size)
    prices, sizes, columns = [], [], []
    for leverage, share in tiers:
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


def _heatmap(model: str) -> Callable[[Call], object]:
    def build(call: Call) -> object:
        asked = _bars_asked(call)
        if asked is None:
            return {"y_axis": [], "liquidation_leverage_data": [], "price_candlesticks": []}
        bars = asked[0]
        prices, sizes, columns = _levels(bars, _MODELS[model])
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

    return build


def _candlesticks(bars: CandleColumns) -> list[list[Any]]:
    """Seconds, prices as text: unlike every other CoinGlass candle."""
    usd = bars.volume_base * bars.close
    columns = (bars.open_ms // 1000, bars.open, bars.high, bars.low, bars.close, usd)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [[row[0], *(f"{value:.10g}" for value in row[1:5]), f"{row[5]:.4f}"] for row in rows]


def _price_levels(bars: CandleColumns, leverage: int | None) -> dict[str, list[list[Any]]]:
    """Price as text -> [[price, USD, leverage, null]]."""
    prices, sizes, _ = _levels(bars)
    axis, rows = _grid(prices)
    summed = np.zeros(_LEVELS)
    np.add.at(summed, rows, sizes)
    return {
        f"{price:.8g}": [[float(f"{price:.8g}"), round(float(usd), 2), leverage, None]]
        for price, usd in zip(axis, summed, strict=True)
        if usd > 0
    }


def _map(call: Call) -> object:
    """The observed shape: one map per exchange, the last price beside them."""
    asked = _bars_asked(call)
    known = call.market.last_price(asked[1].coin.base) if asked else None
    if asked is None or known is None:
        return {"data": []}
    bars, listing = asked
    levels = _price_levels(bars, None)
    return {
        "data": [{"liqMapV2": levels, "instrument": {"exName": listing.exchange}}],
        "last_price": known[0],
    }


def _pair_map(call: Call) -> object:
    """The documented shape: levels by price, one object deep."""
    asked = _bars_asked(call)
    return {"data": {} if asked is None else _price_levels(asked[0], _TIERS[1][0])}


def _max_pain(call: Call) -> object:
    if not call.is_invented:
        return []
    back_ms = _RANGES_MS[call.params.get("range") or "24h"]
    rows = [_max_pain_row(call, coin, back_ms) for coin in call.market.coins()]
    return [row for row in rows if row is not None]


def _max_pain_row(call: Call, coin: Coin, back_ms: int) -> dict[str, Any] | None:
    known = call.market.last_price(coin.base)
    bars = _bars(call, coin.base, call.market.exchanges()[0], back_ms)
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


_LIQUIDATION = "/api/futures/liquidation/"
_OF_PAIR = ("exchange", "symbol", "range")


def _row(
    name: str,
    build: Callable[[Call], object],
    required: tuple[str, ...],
    ranges: tuple[str, ...],
) -> CoinglassEndpoint:
    return CoinglassEndpoint(
        "futures_liquidation_" + name.replace("/", "_").replace("-", "_"),
        _LIQUIDATION + name,
        listed(build),
        required,
        cache_ms=10_000,
        gate=Gate.PROFESSIONAL,
        choices={"range": ranges},
    )


LEVEL_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *(
        _row(f"aggregated-heatmap/{model}", _heatmap(model), ("symbol", "range"), _RANGES)
        for model in _MODELS
    ),
    *(_row(f"heatmap/{model}", _heatmap(model), _OF_PAIR, _RANGES) for model in _MODELS),
    _row("aggregated-map", _map, ("symbol", "range"), _MAP_RANGES),
    _row("map", _pair_map, _OF_PAIR, _MAP_RANGES),
    _row("max-pain", _max_pain, (), ("12h", "24h", "48h", "3d", "7d", "14d", "30d")),
)
