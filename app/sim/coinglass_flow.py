"""CoinGlass taker flow of futures and spot: buy and sell volume by bar, cumulative delta, shares by exchange.

All of it from the market's taker volume, so that a CVD is the running sum of the bars. Volumes are text or
numbers as each page documents. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.sim.coin_view import HOUR_MS
from app.sim.coinglass_kinds import FUTURES, SPOT, Kind
from app.sim.coinglass_netflow import length_ms
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import (
    EMPTY,
    LONG_ROWS,
    MAX_ROWS,
    CoinglassEndpoint,
    Span,
    asked_market,
    data_reply,
    listed,
    listed_history,
    pair_history,
    read_span,
    trim,
)
from app.sim.listings import find_coin
from app.sim.market import Coin, Floats, Int64s
from app.sim.wire import Call, Reply, format_rows

_UNITS = {"unit": ("usd", "coin")}
_TAKER_RANGES = ("5m", "15m", "30m", "1h", "4h", "12h", "24h")

_PAIR_ROW = '{"time":%d,"taker_buy_volume_usd":"%.4f","taker_sell_volume_usd":"%.4f"}'
_COIN_ROW = '{"time":%d,"aggregated_buy_volume_usd":%.4f,"aggregated_sell_volume_usd":%.4f}'
_PAIR_CVD = '{"time":%d,"taker_buy_vol":%.4f,"taker_sell_vol":%.4f,"cum_vol_delta":%.4f}'
_COIN_CVD = '{"time":%d,"agg_taker_buy_vol":%.4f,"agg_taker_sell_vol":%.4f,"cum_vol_delta":%.4f}'


def taker_columns(
    call: Call, kind: Kind, base: str, names: Sequence[str], span: Span, *, in_coins: bool = False
) -> tuple[Int64s, Floats, Floats]:
    """(open_ms, bought, sold) summed over exchanges, in USD or in coins."""
    window = (span.interval_ms, span.start_ms, span.end_ms)
    parts = [kind.taker(call, base, name, window) for name in names]
    if not parts:
        empty = np.empty(0)
        return empty.astype(np.int64), empty, empty
    times = np.unique(np.concatenate([buys.open_ms for buys, _ in parts]))
    totals = np.zeros((2, times.size))
    for part in parts:
        at = np.searchsorted(times, part[0].open_ms)
        for side in (0, 1):
            totals[side, at] += part[side].values
    if in_coins and times.size:
        candles = kind.candles(call, base, names[0], window)
        totals /= np.interp(times, candles.open_ms, candles.close)
    open_ms, bought, sold = trim(span, times, totals[0], totals[1])
    return open_ms, bought, sold


def _pair_rows(kind: Kind, template: str, is_cumulative: bool) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        listing = kind.find(call)
        if listing is None:
            return EMPTY
        # Of the pair pages only the spot CVD has a unit.
        has_unit = kind is SPOT and is_cumulative
        return _rows(call, kind, listing.coin, (listing.exchange,), template, is_cumulative, has_unit)

    return handler


def _coin_rows(kind: Kind, template: str, is_cumulative: bool) -> Callable[[Call], Reply]:
    """A history summed over `exchange_list`."""

    def handler(call: Call) -> Reply:
        coin, names = asked_market(call)
        if coin is None or not names:
            return EMPTY
        return _rows(call, kind, coin, names, template, is_cumulative, True)

    return handler


def _rows(
    call: Call,
    kind: Kind,
    coin: Coin,
    names: Sequence[str],
    template: str,
    is_cumulative: bool,
    has_unit: bool,
) -> Reply:
    span = read_span(call, LONG_ROWS if template is _COIN_CVD else MAX_ROWS)
    in_coins = has_unit and call.params.get("unit") == "coin"
    open_ms, bought, sold = taker_columns(call, kind, coin.base, names, span, in_coins=in_coins)
    columns: tuple[Any, ...] = (open_ms, bought, sold)
    if is_cumulative:
        # The running sum starts with the window.
        columns += (np.cumsum(bought - sold),)
    return data_reply(format_rows(template, *columns))


def _by_exchange(call: Call) -> object:
    """Shares are percent; the head of the object is the sum of the exchanges."""
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return []
    back_ms = length_ms(call.params["range"])
    window = (min(back_ms, HOUR_MS) // 5, call.now_ms - back_ms, call.now_ms + 1)
    rows = []
    for name in call.market.exchanges():
        buys, sells = call.market.taker_volume(coin.base, name, *window)
        bought, sold = float(buys.values.sum()), float(sells.values.sum())
        if bought + sold > 0:
            rows.append({"exchange": name, **_taker_shares(bought, sold)})
    if not rows:
        return []
    total = _taker_shares(sum(r["buy_vol_usd"] for r in rows), sum(r["sell_vol_usd"] for r in rows))
    return {"symbol": coin.base, **total, "exchange_list": rows}


def _taker_shares(bought: float, sold: float) -> dict[str, Any]:
    buy_pct = round(100 * bought / (bought + sold), 2)
    return {
        "buy_ratio": buy_pct,
        "sell_ratio": round(100 - buy_pct, 2),
        "buy_vol_usd": round(bought, 4),
        "sell_vol_usd": round(sold, 4),
    }


def _family(kind: Kind, taker_path: str) -> tuple[CoinglassEndpoint, ...]:
    """The four endpoints futures and spot share."""
    id_, path, startup = kind.id_prefix, kind.path, Gate.STARTUP
    taker_id = "v2_taker" if kind is FUTURES else "taker"
    return (
        pair_history(
            f"{id_}{taker_id}_buy_sell_volume_history",
            f"{path}{taker_path}/history",
            _pair_rows(kind, _PAIR_ROW, False),
        ),
        listed_history(
            f"{id_}aggregated_taker_buy_sell_volume_history",
            f"{path}aggregated-taker-buy-sell-volume/history",
            _coin_rows(kind, _COIN_ROW, False),
            choices=_UNITS,
        ),
        pair_history(
            f"{id_}cvd_history",
            f"{path}cvd/history",
            _pair_rows(kind, _PAIR_CVD, True),
            gate=startup,
            choices=_UNITS if kind is SPOT else {},
        ),
        listed_history(
            f"{id_}aggregated_cvd_history",
            f"{path}aggregated-cvd/history",
            _coin_rows(kind, _COIN_CVD, True),
            gate=startup,
            choices=_UNITS,
            max_limit=LONG_ROWS,
        ),
    )


FLOW_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *_family(FUTURES, "v2/taker-buy-sell-volume"),
    *_family(SPOT, "taker-buy-sell-volume"),
    CoinglassEndpoint(
        "futures_taker_buy_sell_volume_exchange_list",
        "/api/futures/taker-buy-sell-volume/exchange-list",
        listed(_by_exchange),
        ("symbol", "range"),
        choices={"range": _TAKER_RANGES},
    ),
)
