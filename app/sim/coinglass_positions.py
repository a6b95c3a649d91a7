"""CoinGlass positioning: margin split of open interest, its chart by exchange, exchange rank, net positions.

The margin split is a fixed share of the market's open interest, so both halves sum to the aggregated figure.
Net positions follow from open interest and price alone. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS
from app.sim.coinglass_history import ohlc_reply
from app.sim.coinglass_plans import INTERVALS_MS, Gate, depth_ms
from app.sim.coinglass_wire import (
    BARS,
    EMPTY,
    CoinglassEndpoint,
    asked_market,
    data_reply,
    listed,
    listed_history,
    pair_history,
    pair_of,
    read_span,
    trim,
)
from app.sim.listings import find_coin
from app.sim.market import ValueColumns
from app.sim.wire import Call, Reply, format_rows

# Share of open interest that is margined in stablecoins; the rest is coin-margined.
STABLE_SHARE = 0.85
# The page calls this a range; its values are bar sizes, "all" the daily one.
_CHART_BARS = {"all": "1d", "1m": "1m", "15m": "15m", "1h": "1h", "4h": "4h", "12h": "12h"}
_CHART_ROWS = 500


def _split(share: float) -> Callable[[Call], Reply]:
    """Open interest in USD of one margin kind, summed over `exchange_list`."""

    def handler(call: Call) -> Reply:
        coin, names = asked_market(call)
        if coin is None or not names or not call.is_invented:
            return EMPTY
        span = read_span(call)
        window = ("usd", span.interval_ms, span.lead_ms, span.end_ms)
        parts = [call.market.open_interest(coin.base, name, *window) for name in names]
        total = np.sum([part.values for part in parts], axis=0)
        return ohlc_reply(span, ValueColumns(parts[0].open_ms, total, parts[0].is_closed), 4, share)

    return handler


def _chart(call: Call) -> object:
    coin = find_coin(call.market, call.params["symbol"])
    bar = _CHART_BARS[call.params["range"]]
    back_ms = min(_CHART_ROWS * INTERVALS_MS[bar], depth_ms(call.plan, bar) or _CHART_ROWS * DAY_MS)
    window = (INTERVALS_MS[bar], call.now_ms - back_ms, call.now_ms + 1)
    names = call.market.exchanges()
    if coin is None or not names:
        return []
    candles = call.market.candles(coin.base, names[0], *window)
    places, unit = (4, "base") if call.params.get("unit") == "coin" else (0, "usd")
    series = {}
    for name in names:
        held = call.market.open_interest(coin.base, name, unit, *window)
        if held.open_ms.size and np.array_equal(held.open_ms, candles.open_ms):
            series[name] = np.round(held.values, places).tolist()
    if not series:
        return {"time_list": [], "price_list": [], "data_map": {}}
    return {
        "time_list": candles.open_ms.tolist(),
        "price_list": candles.close.tolist(),
        "data_map": series,
    }


def _rank(call: Call) -> object:
    """Largest open interest first."""
    rows = [_rank_row(call, name) for name in call.market.exchanges()]
    known = [row for row in rows if row["open_interest_usd"] > 0]
    return sorted(known, key=lambda row: -float(row["open_interest_usd"]))


def _rank_row(call: Call, exchange: str) -> dict[str, Any]:
    market = call.market
    window = (HOUR_MS, call.now_ms - DAY_MS, call.now_ms + 1)
    held, traded, liquidated = 0.0, 0.0, 0.0
    for coin in market.coins():
        level = market.open_interest(coin.base, exchange, "usd", *window)
        candles = market.candles(coin.base, exchange, *window)
        forced = market.liquidations(coin.base, (exchange,), *window)
        held += float(level.values[-1]) if level.values.size else 0.0
        traded += float((candles.volume_base * candles.close).sum())
        liquidated += float(forced.long_usd.sum() + forced.short_usd.sum())
    return {
        "exchange": exchange,
        "open_interest_usd": round(held, 2),
        "volume_usd": round(traded, 2),
        "liquidation_usd_24h": round(liquidated, 5),
    }


_NET_ROW = (
    '{"net_long_change":%.4f,"net_short_change":%.4f,"net_long_change_cum":%.4f,'
    '"net_short_change_cum":%.4f,"net_position_change_cum":%.4f,"time":%d}'
)


def _net_positions(call: Call) -> Reply:
    """In units of the pair; the running totals start with the window.

    Open interest that grows in a rising bar is new longs, in a falling bar new shorts; open interest that
    shrinks in a falling bar is longs closed, in a rising bar shorts closed.
    """
    listing = pair_of(call)
    if listing is None:
        return EMPTY
    span, name = read_span(call), listing.exchange
    window = (span.interval_ms, span.lead_ms, span.end_ms)
    held = call.market.open_interest(listing.coin.base, name, "base", *window)
    candles = call.market.candles(listing.coin.base, name, *window)
    open_ms, at_held, at_bar = np.intersect1d(held.open_ms, candles.open_ms, return_indices=True)
    change = np.diff(held.values[at_held], prepend=np.nan)[1:] / listing.multiplier
    is_up = (candles.close >= candles.open)[at_bar][1:]
    of_longs = is_up == (change >= 0)
    longs, shorts = np.where(of_longs, change, 0.0), np.where(of_longs, 0.0, change)
    times, longs, shorts = trim(span, open_ms[1:], longs, shorts)
    long_sum, short_sum = np.cumsum(longs), np.cumsum(shorts)
    columns = (longs, shorts, long_sum, short_sum, long_sum - short_sum, times)
    return data_reply(format_rows(_NET_ROW, *columns))


def _whale_index(call: Call) -> Reply:
    """How much further long the top traders' positions are than all accounts, in tenths of a percent."""
    listing = pair_of(call)
    if listing is None or not call.is_invented:
        return EMPTY
    span = read_span(call)
    window = (span.interval_ms, span.start_ms, span.end_ms)
    top = call.market.top_position_long_share(listing.coin.base, listing.exchange, *window)
    crowd = call.market.account_long_share(listing.coin.base, listing.exchange, *window)
    columns = trim(span, top.open_ms, (top.values - crowd.values) * 1000)
    return data_reply(format_rows('{"time":%d,"whale_index_value":%.1f}', *columns))


_OI, _NET = "/api/futures/open-interest/", "net-position/history"

POSITION_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    listed_history(
        "futures_open_interest_aggregated_stablecoin_history",
        _OI + "aggregated-stablecoin-history",
        _split(STABLE_SHARE),
    ),
    listed_history(
        "futures_open_interest_aggregated_coin_margin_history",
        _OI + "aggregated-coin-margin-history",
        _split(1 - STABLE_SHARE),
    ),
    CoinglassEndpoint(
        "futures_open_interest_exchange_history_chart",
        _OI + "exchange-history-chart",
        listed(_chart),
        ("symbol", "range"),
        cache_ms=10_000,
        choices={"range": tuple(_CHART_BARS), "unit": ("usd", "coin")},
    ),
    CoinglassEndpoint("futures_exchange_rank", "/api/futures/exchange-rank", listed(_rank), cache_ms=60_000),
    pair_history(
        "futures_net_position_history",
        "/api/futures/" + _NET,
        _net_positions,
        gate=Gate.STARTUP,
        choices={"exchange": ("Binance", "OKX", "Bybit", "Hyperliquid"), "interval": BARS[:-1]},
    ),
    pair_history(
        "futures_v2_net_position_history",
        "/api/futures/v2/" + _NET,
        _net_positions,
        gate=Gate.STARTUP,
        choices={"exchange": ("Binance",)},
    ),
    pair_history(
        "futures_whale_index_history",
        "/api/futures/whale-index/history",
        _whale_index,
        gate=Gate.STARTUP,
    ),
)
