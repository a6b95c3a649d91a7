"""CoinGlass funding beyond the histories: volume-weighted, accumulated over a range, arbitrage.

Everything in percent. Accumulated rates are sums of settled ones; an arbitrage buys where the rate is lowest
and sells where it is highest. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_history import ohlc_reply
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import EMPTY, CoinglassEndpoint, coin_history, listed, read_span
from app.sim.listings import find_coin
from app.sim.made_up import noise
from app.sim.market import Coin, ValueColumns
from app.sim.wire import Call, Reply

_RANGES = {"1d": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "365d": 365 * DAY_MS}
# Weights by volume shift the market's rate by a few tenths of a millionth against weights by open interest.
_WEIGHTING_FRAC = 3e-6
_FEE_PCT = 0.03  # both legs, taker
_YEAR_HOURS = 365 * 24


def _volume_weighted(call: Call) -> Reply:
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None or not call.is_invented:
        return EMPTY
    span = read_span(call)
    by_oi = call.market.funding_weighted(coin.base, span.interval_ms, span.lead_ms, span.end_ms)
    shift = (noise(f"{coin.base} volume weight", by_oi.open_ms // HOUR_MS) - 0.5) * _WEIGHTING_FRAC
    return ohlc_reply(span, ValueColumns(by_oi.open_ms, by_oi.values + shift, by_oi.is_closed), 6, 100.0)


def _accumulated(call: Call) -> object:
    """Exchange names in capitals, as the page has them."""
    start_ms = call.now_ms - _RANGES[call.params["range"]]
    rows = []
    for coin in call.market.coins():
        rates = []
        for exchange in call.market.exchanges():
            settled = call.market.funding_settled(coin.base, exchange, start_ms, call.now_ms + 1)
            if settled.values.size:
                total_pct = round(float(settled.values.sum()) * 100, 6)
                rates.append({"exchange": exchange.upper(), "funding_rate": total_pct})
        if rates:
            rows.append(
                {"symbol": coin.base, "stablecoin_margin_list": rates, "token_margin_list": rates[:1]}
            )
    return rows


def _arbitrage(call: Call) -> object:
    """Largest yearly carry first."""
    asked = {name.strip() for name in call.params.get("exchange_list", "").split(",") if name.strip()}
    names = [name for name in call.market.exchanges() if not asked or name in asked]
    rows = [_arbitrage_row(call, coin, names) for coin in call.market.coins()]
    return sorted((row for row in rows if row is not None), key=lambda row: -float(row["apr"]))


def _arbitrage_row(call: Call, coin: Coin, names: list[str]) -> dict[str, Any] | None:
    legs = [leg for name in names if (leg := _leg(call, coin, name)) is not None]
    if len(legs) < 2:
        return None
    legs.sort(key=lambda leg: float(leg[0]["funding_rate"]))
    (buy, _), (sell, next_ms) = legs[0], legs[-1]
    gap_pct = float(sell["funding_rate"]) - float(buy["funding_rate"])
    periods = _YEAR_HOURS / int(sell["funding_rate_interval"])
    return {
        "symbol": coin.base,
        "buy": buy,
        "sell": sell,
        "apr": round(gap_pct * periods, 2),
        "funding": round(gap_pct, 6),
        "fee": _FEE_PCT,
        "spread": 0.0,  # this market has one price on every exchange
        "next_funding_time": next_ms,
    }


def _leg(call: Call, coin: Coin, exchange: str) -> tuple[dict[str, Any], int] | None:
    """(the leg as the page shows it, its next settlement in ms)."""
    current = call.market.funding_current(coin.base, exchange)
    held = call.market.open_interest(
        coin.base, exchange, "usd", HOUR_MS, call.now_ms - 3 * HOUR_MS, call.now_ms + 1
    )
    if current is None or not np.any(held.values):
        return None
    rate, previous_ms, next_ms = current
    leg = {
        "exchange": exchange,
        "open_interest_usd": round(float(held.values[-1]), 4),
        "funding_rate_interval": (next_ms - previous_ms) // HOUR_MS,
        "funding_rate": round(rate * 100, 6),
    }
    return leg, next_ms


_PATH = "/api/futures/funding-rate/"

FUNDING_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    coin_history("futures_funding_rate_vol_weight_history", _PATH + "vol-weight-history", _volume_weighted),
    CoinglassEndpoint(
        "futures_funding_rate_accumulated_exchange_list",
        _PATH + "accumulated-exchange-list",
        listed(_accumulated),
        ("range",),
        cache_ms=60_000,
        choices={"range": tuple(_RANGES)},
    ),
    CoinglassEndpoint(
        "futures_funding_rate_arbitrage",
        _PATH + "arbitrage",
        listed(_arbitrage),
        ("usd",),
        cache_ms=20_000,
        gate=Gate.STARTUP,
    ),
)
