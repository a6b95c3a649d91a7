"""CoinGlass Grayscale pages: holdings of every trust, and the premium of one trust over its days.

Premiums are percent; the history is one row of parallel lists, whose times live answers call `time_list` (the
documents say date_list). All made up around the market's prices; recorded data holds none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS
from app.sim.coinglass_index_days import load_days
from app.sim.coinglass_wire import CoinglassEndpoint, invented
from app.sim.listings import find_coin
from app.sim.made_up import curve
from app.sim.market import Coin
from app.sim.wire import Call

# Share of all coins that the trust holds, and coins per share.
_TRUSTS = {
    "BTC": (0.012, 0.00079),
    "ETH": (0.018, 0.0082),
    "SOL": (0.0008, 0.065),
    "LTC": (0.02, 0.081),
    "BCH": (0.016, 0.0083),
    "ETC": (0.07, 0.73),
    "LINK": (0.0006, 0.93),
    "FIL": (0.0007, 0.91),
}


def _holdings(call: Call) -> object:
    coins = (find_coin(call.market, base) for base in _TRUSTS)
    rows = (_holding(call, coin) for coin in coins if coin is not None)
    return [row for row in rows if row is not None]


def _holding(call: Call, coin: Coin) -> dict[str, Any] | None:
    known = call.market.last_price(coin.base)
    if known is None:
        return None
    share, per_share = _TRUSTS[coin.base]
    days = call.now_ms // DAY_MS - np.array([0, 1, 7, 30])
    held, day, week, month = np.round(
        curve(coin.base + " trust", days, 0.9, 1.0) * share * coin.circulating, 5
    ).tolist()
    premium_pct = round(float(_premium_pct(coin.base, days[:1])[0]), 2)
    primary = known[0] * per_share
    return {
        "symbol": coin.base,
        "primary_market_price": round(primary, 4),
        "secondary_market_price": round(primary * (1 + premium_pct / 100), 4),
        "premium_rate": premium_pct,
        "holdings_amount": held,
        "holdings_usd": round(held * known[0], 4),
        "holdings_amount_change_30d": round(held - month, 5),
        "holdings_amount_change_7d": round(held - week, 5),
        "holdings_amount_change1d": round(held - day, 5),  # (sic)
        "close_time": call.now_ms // DAY_MS * DAY_MS,
        "update_time": call.now_ms,
    }


def _premium_pct(base: str, days: Any) -> Any:
    return (
        curve(base + " trust premium", days, -1.5, 2.5)
        if base in ("BTC", "ETH")
        else curve(base + " trust premium", days, -20, 60)
    )


def _premiums(call: Call) -> object:
    base = call.params["symbol"]
    days = load_days(call, base) if base in _TRUSTS else None
    if days is None:
        return []
    primary = days.price * _TRUSTS[base][1]
    premium_pct = np.round(_premium_pct(base, days.at_ms // DAY_MS), 2)
    return [
        {
            "primary_market_price": np.round(primary, 4).tolist(),
            "time_list": days.at_ms.tolist(),
            "secondary_market_price_list": np.round(primary * (1 + premium_pct / 100), 4).tolist(),
            "premium_rate_list": premium_pct.tolist(),
        }
    ]


GRAYSCALE_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    CoinglassEndpoint(
        "grayscale_holdings_list", "/api/grayscale/holdings-list", invented(_holdings), cache_ms=60_000
    ),
    CoinglassEndpoint(
        "grayscale_premium_history",
        "/api/grayscale/premium-history",
        invented(_premiums),
        ("symbol",),
        cache_ms=60_000,
    ),
)
