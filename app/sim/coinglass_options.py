"""CoinGlass options: open interest and volume by exchange, now and over time, and max pain by expiry.

Only BTC and ETH have options. Open interest is a share of the market's futures open interest, strikes lie
around its price. Recorded data holds none: then the answers are empty. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_index_days import Days, load_days
from app.sim.coinglass_plans import INTERVALS_MS
from app.sim.coinglass_wire import CoinglassEndpoint, invented
from app.sim.made_up import curve
from app.sim.market import Floats, Int64s
from app.sim.wire import Call, hashed_unit

# Share of all options held and traded on each exchange.
_SHARES = {"Deribit": 0.74, "OKX": 0.09, "Binance": 0.07, "Bybit": 0.06, "CME": 0.04}
_OF_FUTURES = {"BTC": 0.52, "ETH": 0.3}  # options' open interest over futures'
_STRIKE_STEP = {"BTC": 1000, "ETH": 50}
_EXPIRY_DAYS = (1, 2, 3, 8, 15, 29, 57, 120)
# The page calls this a range; its values are bar sizes, "all" the daily one.
_BARS = {"1h": "1h", "4h": "4h", "12h": "12h", "all": "1d"}
_ROWS = 500


def _held(call: Call, base: str, interval_ms: int, start_ms: int) -> tuple[Int64s, Floats, Floats]:
    """(open_ms, price, options' open interest in coins of all exchanges)."""
    window = (interval_ms, start_ms, call.now_ms + 1)
    futures = call.market.open_interest(base, "All", "base", *window)
    bars = call.market.candles(base, call.market.exchanges()[0], *window)
    share = _OF_FUTURES[base] * curve(base + " options", futures.open_ms // DAY_MS, 0.85, 1.15)
    return futures.open_ms, bars.close, futures.values * share


def _traded(base: str, days: Int64s) -> Floats:
    """Options traded in a day over those held."""
    return curve(base + " options traded", days, 0.04, 0.2)


def _info(call: Call) -> object:
    base = call.params["symbol"]
    if base not in _OF_FUTURES:
        return []
    times, price, coins = _held(call, base, HOUR_MS, call.now_ms - DAY_MS - HOUR_MS)
    if not times.size:
        return []
    today = np.array([call.now_ms // DAY_MS - 1, call.now_ms // DAY_MS])
    before, now = _traded(base, today).tolist()
    held, change_pct = float(coins[-1]), round(float(coins[-1] / coins[0] - 1) * 100, 2)
    rows = []
    for name, share in ({"All": 1.0} | _SHARES).items():
        usd = held * share * float(price[-1])
        rows.append(
            {
                "exchange_name": name,
                "open_interest": round(held * share, 2),
                "oi_market_share": round(100 * share, 2),
                "open_interest_change_24h": change_pct,
                "open_interest_usd": round(usd, 4),
                "volume_usd_24h": round(usd * now, 4),
                "volume_change_percent_24h": round((now / before - 1) * 100, 2),
            }
        )
    return rows


def _oi_history(call: Call) -> object:
    base, interval_ms = call.params["symbol"], INTERVALS_MS[_BARS[call.params["range"]]]
    if base not in _OF_FUTURES:
        return []
    times, price, coins = _held(call, base, interval_ms, call.now_ms - _ROWS * interval_ms)
    return _chart(call, times, price, coins)


def _volume_history(call: Call) -> object:
    base = call.params["symbol"]
    days: Days | None = load_days(call, base) if base in _OF_FUTURES else None
    if days is None:
        return []
    times, price, coins = _held(call, base, DAY_MS, int(days.at_ms[0]))
    return _chart(call, times, price, coins * _traded(base, times // DAY_MS))


def _chart(call: Call, times: Int64s, price: Floats, coins: Floats) -> object:
    """A list of one object; in USD unless `unit` names the coin."""
    if not times.size:
        return []
    is_usd = call.params["unit"].upper() == "USD"
    total = coins * price if is_usd else coins
    return [
        {
            "time_list": times.tolist(),
            "price_list": price.tolist(),
            "data_map": {name: np.round(total * share, 4).tolist() for name, share in _SHARES.items()},
        }
    ]


def _max_pain(call: Call) -> object:
    base, share = call.params["symbol"], _SHARES.get(call.params["exchange"])
    known = call.market.last_price(base) if base in _OF_FUTURES else None
    if known is None or share is None:
        return []
    held = float(_held(call, base, HOUR_MS, call.now_ms - 2 * HOUR_MS)[2][-1]) * share
    day = call.now_ms // DAY_MS
    return [_expiry(base, known[0], held / len(_EXPIRY_DAYS), day + ahead) for ahead in _EXPIRY_DAYS]


def _expiry(base: str, price: float, coins: float, day: int) -> dict[str, Any]:
    """Puts and calls of one expiry; max pain lies within a few percent of the price."""
    draw = [hashed_unit(base, "expiry", day, salt) for salt in range(4)]
    step = _STRIKE_STEP[base]
    calls = round(coins * (0.5 + draw[0]) * 0.6, 1)
    puts = round(coins * (0.5 + draw[1]) * 0.4, 1)
    return {
        "date": datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%y%m%d"),
        "call_open_interest_market_value": round(calls * price * (0.01 + 0.04 * draw[2]), 2),
        "put_open_interest": puts,
        "put_open_interest_market_value": round(puts * price * (0.01 + 0.04 * draw[3]), 2),
        "max_pain_price": str(round(price * (0.96 + 0.06 * draw[2]) / step) * step),
        "call_open_interest": calls,
        "call_open_interest_notional": round(calls * price, 2),
        "put_open_interest_notional": round(puts * price, 2),
    }


def _row(
    name: str, build: Callable[[Call], object], *required: str, choices: Any = None
) -> CoinglassEndpoint:
    id_ = "option_" + name.replace("-", "_")
    return CoinglassEndpoint(
        id_, "/api/option/" + name, invented(build), ("symbol", *required), 30_000, choices=choices or {}
    )


OPTION_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    _row("info", _info),
    _row("max-pain", _max_pain, "exchange"),
    _row("exchange-oi-history", _oi_history, "unit", "range", choices={"range": tuple(_BARS)}),
    _row("exchange-vol-history", _volume_history, "unit"),
)
