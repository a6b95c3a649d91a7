"""CoinGlass spot market: coins, pairs, price history; and what stands between spot and futures.

Spot prices are numbers where futures prices are text. Basis, premium and borrow figures are in percent, three
histories of this family are stamped in SECONDS. Source: API v4 pages and observed answers, checked 2026-01.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sim.coin_view import HOUR_MS
from app.sim.coinglass_flow import taker_columns
from app.sim.coinglass_kinds import FUTURES, SPOT
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import (
    BARS,
    EMPTY,
    CoinglassEndpoint,
    Span,
    asked_market,
    coin_history,
    data_reply,
    deepest_ms,
    invented,
    listed_history,
    pair_history,
    pair_of,
    read_span,
    trim,
)
from app.sim.listings import find_coin, list_spot, listed_on, quote_of
from app.sim.made_up import curve, noise
from app.sim.market import CandleColumns, Coin, Int64s
from app.sim.wire import Call, Reply, decimals_of, format_rows


def _price(call: Call) -> Reply:
    listing = SPOT.find(call)
    if listing is None:
        return EMPTY
    span = read_span(call)
    window = (span.interval_ms, span.start_ms, span.end_ms)
    bars = SPOT.candles(call, listing.coin.base, listing.exchange, window)
    places = decimals_of(listing.coin.tick) + 1
    columns = trim(
        span, bars.open_ms, bars.open, bars.high, bars.low, bars.close, bars.volume_base * bars.close
    )
    template = '{"time":%%d,"open":%%.%df,"high":%%.%df,"low":%%.%df,"close":%%.%df,"volume_usd":%%.4f}'
    return data_reply(format_rows(template % ((places,) * 4), *columns))


def _basis(call: Call) -> Reply:
    """Basis in percent of spot; the two `change` columns are its size in USD."""
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    span = read_span(call)
    window = (span.interval_ms, span.start_ms, span.end_ms)
    perp = FUTURES.candles(call, listing.coin.base, listing.exchange, window)
    spot = SPOT.candles(call, listing.coin.base, listing.exchange, window)
    if not spot.open_ms.size:
        return EMPTY
    columns = trim(
        span,
        perp.open_ms,
        (perp.open / spot.open - 1) * 100,
        (perp.close / spot.close - 1) * 100,
        (perp.open - spot.open) * listing.multiplier,
        (perp.close - spot.close) * listing.multiplier,
    )
    template = '{"time":%d,"open_basis":%.4f,"close_basis":%.4f,"open_change":%.10f,"close_change":%.10f}'
    return data_reply(format_rows(template, *columns))


def _volume_ratio(call: Call) -> Reply:
    coin, names = asked_market(call)
    if coin is None or not names or not call.is_invented:
        return EMPTY
    span = read_span(call, depth=deepest_ms)
    times, *futures = taker_columns(call, FUTURES, coin.base, names, span)
    spot = taker_columns(call, SPOT, coin.base, names, span)[1:]
    of_futures, of_spot = futures[0] + futures[1], spot[0] + spot[1]
    template = '{"time":%d,"futures_spot_vol_ratio":%.4f,"futures_vol_usd":%.4f,"spot_vol_usd":%.4f}'
    return data_reply(format_rows(template, times, of_futures / of_spot, of_futures, of_spot))


def _bars_of(call: Call, base: str, span: Span) -> CandleColumns:
    """Spot candles of the first exchange; empty on recorded data."""
    exchange = next(iter(call.market.exchanges()), "")
    return SPOT.candles(call, base, exchange, (span.interval_ms, span.start_ms, span.end_ms))


def _coinbase_premium(call: Call) -> Reply:
    span = read_span(call, depth=deepest_ms)
    bars = _bars_of(call, "BTC", span)
    premium_pct = curve("coinbase premium", bars.open_ms // HOUR_MS, -0.08, 0.1)
    premium = np.round(bars.close * premium_pct / 100, 2)
    columns = trim(span, bars.open_ms, premium, premium / bars.close * 100, bars.close + premium)
    template = '{"time":%d,"premium":%.2f,"premium_rate":%.4f,"coinbase_price":%.2f}'
    return _in_seconds(template, *columns)


def _margin(call: Call) -> Reply:
    span = read_span(call, depth=deepest_ms)
    bars = _bars_of(call, call.params["symbol"], span)
    most = 75_000 if call.params["symbol"] == "BTC" else 400_000
    longs = curve(call.params["symbol"] + " margin longs", bars.open_ms // HOUR_MS, 0.5 * most, most)
    shorts = curve(
        call.params["symbol"] + " margin shorts", bars.open_ms // HOUR_MS, 0.002 * most, 0.05 * most
    )
    columns = trim(span, bars.open_ms, longs, shorts)
    return _in_seconds('{"time":%d,"long_quantity":%.2f,"short_quantity":%.2f}', *columns)


def _borrow_rate(call: Call) -> Reply:
    """Percent a day, higher while futures traders pay more to be long."""
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None or not call.is_invented:
        return EMPTY
    span = read_span(call)
    funding = call.market.funding_weighted(coin.base, span.interval_ms, span.start_ms, span.end_ms)
    key = f"{call.params['exchange']} {coin.base} borrow"
    rough = 0.0004 * noise(key, funding.open_ms // HOUR_MS)
    rates = np.maximum(funding.values * 3 * 100, 0) * 0.1 + 0.002 + rough
    return _in_seconds('{"time":%d,"interest_rate":%.6f}', *trim(span, funding.open_ms, rates))


def _in_seconds(template: str, open_ms: Int64s, *columns: Any) -> Reply:
    return data_reply(format_rows(template, open_ms // 1000, *columns))


def _coins(call: Call) -> object:
    return [coin.base for coin in call.market.coins()]


def _pairs(call: Call) -> object:
    names = call.market.exchanges()
    return {name: [_pair(name, coin) for coin in listed_on(call.market, name)] for name in names}


def _pair(exchange: str, coin: Coin) -> dict[str, str]:
    listing = list_spot(exchange, coin)
    return {
        "instrument_id": listing.pair,
        "base_asset": listing.base_asset,
        "quote_asset": quote_of(listing),
    }


SPOT_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    pair_history("spot_price_history", "/api/spot/price/history", _price),
    CoinglassEndpoint("spot_supported_coins", "/api/spot/supported-coins", invented(_coins), cache_ms=60_000),
    CoinglassEndpoint(
        "spot_supported_exchange_pairs",
        "/api/spot/supported-exchange-pairs",
        invented(_pairs),
        cache_ms=60_000,
    ),
    pair_history("futures_basis_history", "/api/futures/basis/history", _basis),
    listed_history(
        "futures_spot_volume_ratio", "/api/futures_spot_volume_ratio", _volume_ratio, gate=Gate.STARTUP
    ),
    CoinglassEndpoint(
        "coinbase_premium_index",
        "/api/coinbase-premium-index",
        _coinbase_premium,
        ("interval",),
        choices={"interval": BARS},
        is_floored=True,
    ),
    coin_history(
        "bitfinex_margin_long_short",
        "/api/bitfinex-margin-long-short",
        _margin,
        choices={"symbol": ("BTC", "ETH")},
    ),
    coin_history(
        "borrow_interest_rate_history",
        "/api/borrow-interest-rate/history",
        _borrow_rate,
        also=("exchange",),
        choices={"exchange": ("Binance", "OKX", "Bybit")},
        is_floored=False,
    ),
)
