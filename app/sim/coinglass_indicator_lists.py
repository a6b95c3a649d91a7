"""CoinGlass indicator lists: RSI, averages, MACD, true range and TD counts of every coin by bar size.

The newest value on each bar size, the forming bar included. A bar size the market cannot serve is null.
The pages differ in their bar sizes and in which of them have a signal line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import change_pct, rounded
from app.sim.coinglass_indicators import AVERAGE_BARS, MACD_BARS, RANGE_BARS, RSI_BARS
from app.sim.coinglass_plans import INTERVALS_MS, Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed
from app.sim.indicator_math import (
    exponential_average,
    macd,
    moving_average,
    relative_strength,
    setup_count,
    true_range_average,
)
from app.sim.market import CandleColumns, Coin
from app.sim.wire import Call

_BARS = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
_RSI_BARS = ("15m", "1h", "4h", "12h", "24h", "1w")
_LOADED = 90  # bars behind each value
_Row = Callable[[str, CandleColumns], dict[str, Any]]


def _load(call: Call, coin: Coin, name: str) -> CandleColumns:
    interval_ms = INTERVALS_MS["1d" if name == "24h" else name]
    exchange = call.market.exchanges()[0]
    return call.market.candles(
        coin.base, exchange, interval_ms, call.now_ms - _LOADED * interval_ms, call.now_ms + 1
    )


def _last(values: Any, places: int | None = None) -> float | None:
    """The newest value, to `places` or to eight significant digits; null when it is not known."""
    if not values.size or np.isnan(values[-1]):
        return None
    return round(float(values[-1]), places) if places is not None else float(f"{values[-1]:.8g}")


def _rsi(name: str, bars: CandleColumns) -> dict[str, Any]:
    now = int(bars.open_ms[-1]) if bars.open_ms.size else 0
    before = now - INTERVALS_MS["1d" if name == "24h" else name]
    return {
        f"rsi_{name}": _last(relative_strength(bars.close, RSI_BARS), 2),
        f"price_change_percent_{name}": rounded(change_pct(bars.open_ms, bars.close, before)),
    }


def _ema(name: str, bars: CandleColumns) -> dict[str, Any]:
    return {f"ema_{name}": _last(exponential_average(bars.close, AVERAGE_BARS))}


def _ma(name: str, bars: CandleColumns) -> dict[str, Any]:
    return {f"ma_{name}": _last(moving_average(bars.close, AVERAGE_BARS))}


def _macd(name: str, bars: CandleColumns) -> dict[str, Any]:
    line, signal = macd(bars.close, *MACD_BARS)
    row = {f"macd_{name}": _last(line)}
    return row if name == "1m" else row | {f"signal_{name}": _last(signal)}


def _atr(name: str, bars: CandleColumns) -> dict[str, Any]:
    return {f"avg_true_range_{name}": _last(true_range_average(bars.high, bars.low, bars.close, RANGE_BARS))}


def _td(name: str, bars: CandleColumns) -> dict[str, Any]:
    counts = setup_count(bars.close)
    return {f"td_{name}": int(counts[-1]) if counts.size else None}


def _list(compute: _Row, names: tuple[str, ...] = _BARS, price_key: str = "") -> Callable[[Call], object]:
    def build(call: Call) -> object:
        rows = []
        for coin in call.market.coins():
            known = call.market.last_price(coin.base)
            if known is None:
                continue
            row: dict[str, Any] = {"symbol": coin.base}
            if price_key:
                row[price_key] = known[0]
            for name in names:
                row |= compute(name, _load(call, coin, name))
            rows.append(row)
        return rows

    return build


def _endpoint(name: str, build: Callable[[Call], object]) -> CoinglassEndpoint:
    return CoinglassEndpoint(
        f"futures_{name.replace('-', '_')}_list",
        f"/api/futures/{name}/list",
        listed(build),
        cache_ms=10_000,
        gate=Gate.STANDARD,
    )


INDICATOR_LIST_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    _endpoint("rsi", _list(_rsi, _RSI_BARS, "current_price")),
    _endpoint("ema", _list(_ema, price_key="close_price")),
    _endpoint("ma", _list(_ma, price_key="close_price")),
    _endpoint("macd", _list(_macd)),
    _endpoint("avg-true-range", _list(_atr)),
    _endpoint("td", _list(_td)),
)
