"""CoinGlass spot tables: every coin across exchanges, and every pair of one coin.

Changes in price are against the close at the start of the window, volumes are the spot taker flow. The two
pages spell the same figures differently (volume_flow_usd, net_flows_usd; volume_change without usd).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS
from app.sim.coinglass_kinds import SPOT
from app.sim.coinglass_netflow import TakerSums, length_ms
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import CoinglassEndpoint, listed, page_of
from app.sim.listings import find_coin, list_spot, quote_of
from app.sim.market import Coin
from app.sim.wire import Call

_COIN_WINDOWS = ("5m", "15m", "30m", "1h", "4h", "12h", "24h", "1w")
_PAIR_WINDOWS = ("1h", "4h", "12h", "24h", "1w")
# On the page of pairs these windows lack the usd in volume_change_usd.
_BARE_WINDOWS = ("4h", "12h", "24h")


class _SpotView:
    """One coin on one exchange ("All": the whole market) over the last two weeks."""

    def __init__(self, call: Call, coin: Coin, exchange: str) -> None:
        end_ms = call.now_ms + 1
        windows = (
            (5 * MINUTE_MS, call.now_ms - DAY_MS - HOUR_MS, end_ms),
            (HOUR_MS, call.now_ms - 8 * DAY_MS, end_ms),
        )
        self._now_ms = call.now_ms
        self._fine, self._coarse = (SPOT.candles(call, coin.base, exchange, window) for window in windows)
        self._sums = TakerSums(call, SPOT, coin.base, (exchange,), 14 * DAY_MS)

    @property
    def price(self) -> float | None:
        return float(self._fine.close[-1]) if self._fine.close.size else None

    def change(self, back_ms: int) -> tuple[float, float]:
        """(USD, percent) since `back_ms` ago; zeros before the market began."""
        bars = self._fine if back_ms <= DAY_MS else self._coarse
        index = int(np.searchsorted(bars.open_ms, self._now_ms - back_ms, side="right")) - 1
        before, now = float(bars.open[max(index, 0)]), float(self._fine.close[-1])
        return float(f"{now - before:.6g}"), round((now / before - 1) * 100, 2)

    def flow(self, back_ms: int) -> tuple[float, float, float]:
        """(bought, sold, volume of the window before), USD."""
        bought, sold = self._sums.between(back_ms)
        return bought, sold, sum(self._sums.between(2 * back_ms, back_ms))


def _coins(call: Call) -> object:
    rows = [_coin_row(call, coin) for coin in page_of(call, call.market.coins())]
    return [row for row in rows if row is not None]


def _coin_row(call: Call, coin: Coin) -> dict[str, Any] | None:
    view = _SpotView(call, coin, "All")
    if view.price is None:
        return None
    row: dict[str, Any] = {
        "symbol": coin.base,
        "current_price": view.price,
        "market_cap": view.price * coin.circulating,
    }
    for name in _COIN_WINDOWS:
        row |= _window(view, name, "volume_flow_usd", f"volume_change_usd_{name}")
    return row


def _pairs(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    rows = []
    for exchange in call.market.exchanges():
        view = _SpotView(call, coin, exchange)
        if view.price is None:
            continue
        quote = quote_of(list_spot(exchange, coin))
        row = {"symbol": f"{coin.base}/{quote}", "exchange_name": exchange, "current_price": view.price}
        for name in _PAIR_WINDOWS:
            bare = f"volume_change_{name}" if name in _BARE_WINDOWS else f"volume_change_usd_{name}"
            row |= _window(view, name, "net_flows_usd", bare)
        rows.append(row)
    return rows


def _window(view: _SpotView, name: str, flow_key: str, volume_change_key: str) -> dict[str, Any]:
    ms = length_ms(name)
    (usd, pct), (bought, sold, before) = view.change(ms), view.flow(ms)
    volume = bought + sold
    return {
        f"price_change_{name}": usd,
        f"price_change_percent_{name}": pct,
        f"volume_usd_{name}": round(volume, 4),
        f"buy_volume_usd_{name}": round(bought, 4),
        f"sell_volume_usd_{name}": round(sold, 4),
        volume_change_key: round(volume - before, 4),
        f"volume_change_percent_{name}": round((volume / before - 1) * 100, 2) if before else 0,
        f"{flow_key}_{name}": round(bought - sold, 4),
    }


SPOT_MARKET_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "spot_coins_markets",
        "/api/spot/coins-markets",
        listed(_coins),
        cache_ms=10_000,
        gate=Gate.STANDARD,
    ),
    CoinglassEndpoint(
        "spot_pairs_markets", "/api/spot/pairs-markets", listed(_pairs), ("symbol",), cache_ms=5000
    ),
)
