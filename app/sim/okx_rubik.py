"""OKX trading statistics ("rubik"): open interest history, long/short ratios, taker volume.

Rows are arrays of text, newest first, about the last 1440 of them; `begin` is included, `end` is not (older
than). Ratios are long divided by short; taker rows are [ts, SELL, BUY]. Source: OKX API v5, rubik endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.listings import find_coin
from app.sim.market import Coin, Int64s, MarketSource, ValueColumns
from app.sim.okx_wire import BARS, EXCHANGE, OkxEndpoint, data_reply, swap_coin
from app.sim.wire import Call, Reply, format_rows

_KEPT_ROWS = 1440
_MAX_ROWS = 100
_CONTRACT_PERIODS = {name: BARS[name][0] for name in ("5m", "15m", "30m", "1H", "2H", "4H")} | {
    name: BARS[f"{name}utc"][0] for name in ("6H", "12H", "1D")
}
_COIN_PERIODS = {name: _CONTRACT_PERIODS[name] for name in ("5m", "1H", "1D")}
_Read = Callable[[MarketSource, str, str, int, int, int], ValueColumns]


def _window(call: Call) -> tuple[int, int, int]:
    """(interval, start, end) of the rows asked for, ms; a period missing means 5m."""
    interval_ms = _CONTRACT_PERIODS[call.params.get("period") or "5m"]
    end = call.params.get("end")
    end_ms = min(int(end) if end else call.now_ms + 1, call.now_ms + 1)
    start_ms = max(int(call.params.get("begin") or 0), call.now_ms - _KEPT_ROWS * interval_ms)
    return interval_ms, start_ms, end_ms


def _newest(call: Call, open_ms: Int64s) -> Any:
    limit = min(int(call.params.get("limit") or _MAX_ROWS) or _MAX_ROWS, _MAX_ROWS)
    return np.arange(open_ms.size)[::-1][:limit]


def _coin(call: Call) -> Coin:
    if "instId" in call.params:
        return swap_coin(call)
    coin = find_coin(call.market, call.params["ccy"])
    if coin is None:
        raise LookupError(call.params["ccy"])  # admit has checked it
    return coin


def _ratio(read: _Read) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        interval_ms, start_ms, end_ms = _window(call)
        shares = read(call.market, _coin(call).base, EXCHANGE, interval_ms, start_ms, end_ms)
        rows = _newest(call, shares.open_ms)
        share = shares.values[rows]
        return data_reply(format_rows('["%d","%.6f"]', shares.open_ms[rows], share / (1 - share)))

    return handler


def _open_interest(call: Call) -> Reply:
    coin = swap_coin(call)
    window = _window(call)
    base = call.market.open_interest(coin.base, EXCHANGE, "base", *window)
    usd = call.market.open_interest(coin.base, EXCHANGE, "usd", *window)
    _, in_base, in_usd = np.intersect1d(base.open_ms, usd.open_ms, return_indices=True)
    rows = _newest(call, base.open_ms[in_base])
    coins = base.values[in_base][rows]
    columns = (base.open_ms[in_base][rows], coins / coin.contract_base, coins, usd.values[in_usd][rows])
    return data_reply(format_rows('["%d","%.4f","%.6f","%.4f"]', *columns))


def _taker(call: Call) -> Reply:
    """Coins, or contracts for one instrument unless `unit` says 0 (coins) or 2 (USDT)."""
    coin = _coin(call)
    interval_ms, start_ms, end_ms = _window(call)
    buys, sells = call.market.taker_volume(coin.base, EXCHANGE, interval_ms, start_ms, end_ms)
    bars = call.market.candles(coin.base, EXCHANGE, interval_ms, start_ms, end_ms)
    times, in_taker, in_bars = np.intersect1d(buys.open_ms, bars.open_ms, return_indices=True)
    unit = call.params.get("unit", "1") if "instId" in call.params else "0"
    per_unit = bars.close[in_bars] * (coin.contract_base if unit == "1" else 1.0)
    if unit == "2":
        per_unit = np.ones(times.size)
    rows = _newest(call, times)
    sold = (sells.values[in_taker] / per_unit)[rows]
    bought = (buys.values[in_taker] / per_unit)[rows]
    return data_reply(format_rows('["%d","%.4f","%.4f"]', times[rows], sold, bought))


_STAT = "/api/v5/rubik/stat/"
_ACCOUNTS = _ratio(lambda m, *a: m.account_long_share(*a))


def _of_contract(name: str, path: str, handler: Callable[[Call], Reply], limit: int = 5) -> OkxEndpoint:
    return OkxEndpoint(
        name,
        _STAT + path,
        handler,
        ("instId",),
        limit_per_2s=limit,
        limit_by="instId",
        bars=("period", _CONTRACT_PERIODS),
    )


RUBIK_ENDPOINTS: tuple[OkxEndpoint, ...] = (
    _of_contract("rubik_open_interest_history", "contracts/open-interest-history", _open_interest, 10),
    OkxEndpoint(
        "rubik_long_short_account_ratio",
        _STAT + "contracts/long-short-account-ratio",
        _ACCOUNTS,
        ("ccy",),
        limit_per_2s=5,
        bars=("period", _COIN_PERIODS),
    ),
    _of_contract("rubik_account_ratio_contract", "contracts/long-short-account-ratio-contract", _ACCOUNTS),
    _of_contract(
        "rubik_top_trader_account_ratio",
        "contracts/long-short-account-ratio-contract-top-trader",
        _ratio(lambda m, *a: m.top_account_long_share(*a)),
    ),
    _of_contract(
        "rubik_top_trader_position_ratio",
        "contracts/long-short-position-ratio-contract-top-trader",
        _ratio(lambda m, *a: m.top_position_long_share(*a)),
    ),
    OkxEndpoint(
        "rubik_taker_volume",
        _STAT + "taker-volume",
        _taker,
        ("ccy", "instType"),
        limit_per_2s=5,
        bars=("period", _COIN_PERIODS),
    ),
    _of_contract("rubik_taker_volume_contract", "taker-volume-contract", _taker),
)
