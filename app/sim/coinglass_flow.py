"""CoinGlass taker flow of futures and spot: buy and sell volume, cumulative delta, net flow by window.

All of it from the market's taker volume, so that a net flow is the sum of the bars and a CVD their running
sum. Volumes are text or numbers as each page documents. Source: API v4 pages, checked 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.sim.coin_view import DAY_MS, HOUR_MS, MINUTE_MS
from app.sim.coinglass_kinds import FUTURES, SPOT, Kind
from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import (
    EMPTY,
    LONG_ROWS,
    MAX_ROWS,
    SUCCESS_TRUE,
    CoinglassEndpoint,
    Span,
    asked_market,
    data_reply,
    listed,
    listed_history,
    page_of,
    pair_history,
    read_span,
    trim,
)
from app.sim.listings import find_coin
from app.sim.market import Coin, Floats, Int64s
from app.sim.wire import Call, Reply, format_rows

_UNITS = {"unit": ("usd", "coin")}
_TAKER_RANGES = ("5m", "15m", "30m", "1h", "4h", "12h", "24h")
_COIN_WINDOWS = (
    *("5m", "15m", "30m", "1h", "4h", "8h", "12h", "24h", "3d", "5d", "7d", "10d", "15d", "30d"),
    *("40d", "50d", "60d", "90d", "120d", "150d", "180d", "1y"),
)
_SPOT_LIST_WINDOWS = (
    *("5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "24h", "3d", "7d", "15d", "30d"),
)
_LIST_WINDOWS = (*_SPOT_LIST_WINDOWS, "40d", "50d", "60d", "90d", "120d")
_STEP_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS, "y": 365 * DAY_MS}

_PAIR_ROW = '{"time":%d,"taker_buy_volume_usd":"%.4f","taker_sell_volume_usd":"%.4f"}'
_COIN_ROW = '{"time":%d,"aggregated_buy_volume_usd":%.4f,"aggregated_sell_volume_usd":%.4f}'
_PAIR_CVD = '{"time":%d,"taker_buy_vol":%.4f,"taker_sell_vol":%.4f,"cum_vol_delta":%.4f}'
_COIN_CVD = '{"time":%d,"agg_taker_buy_vol":%.4f,"agg_taker_sell_vol":%.4f,"cum_vol_delta":%.4f}'


def taker_columns(
    call: Call, kind: Kind, base: str, names: Sequence[str], span: Span
) -> tuple[Int64s, Floats, Floats]:
    """(open_ms, bought, sold) summed over exchanges, in USD or, with `unit=coin`, in coins."""
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
    if call.params.get("unit") == "coin" and times.size:
        candles = kind.candles(call, base, names[0], window)
        totals /= np.interp(times, candles.open_ms, candles.close)
    open_ms, bought, sold = trim(span, times, totals[0], totals[1])
    return open_ms, bought, sold


def _pair_rows(kind: Kind, template: str, is_cumulative: bool) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        listing = kind.find(call)
        if listing is None:
            return EMPTY
        return _rows(call, kind, listing.coin, (listing.exchange,), template, is_cumulative)

    return handler


def coin_rows(kind: Kind, template: str, is_cumulative: bool) -> Callable[[Call], Reply]:
    """A history summed over `exchange_list`."""

    def handler(call: Call) -> Reply:
        coin, names = asked_market(call)
        if coin is None or not names:
            return EMPTY
        return _rows(call, kind, coin, names, template, is_cumulative)

    return handler


def _rows(
    call: Call, kind: Kind, coin: Coin, names: Sequence[str], template: str, is_cumulative: bool
) -> Reply:
    span = read_span(call, LONG_ROWS if template is _COIN_CVD else MAX_ROWS)
    open_ms, bought, sold = taker_columns(call, kind, coin.base, names, span)
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


def length_ms(window: str) -> int:
    """Worked: "15m" -> 900,000."""
    return int(window[:-1]) * _STEP_MS[window[-1]]


class TakerSums:
    """Bought and sold USD of one coin in any window that ends now: five-minute bars, then hours."""

    def __init__(self, call: Call, kind: Kind, base: str, names: Sequence[str], longest_ms: int) -> None:
        self._now_ms = call.now_ms
        end_ms = call.now_ms + 1
        self._fine = self._load(call, kind, base, names, (5 * MINUTE_MS, call.now_ms - 2 * DAY_MS, end_ms))
        self._coarse = self._load(
            call, kind, base, names, (HOUR_MS, call.now_ms - longest_ms - HOUR_MS, end_ms)
        )

    @staticmethod
    def _load(
        call: Call, kind: Kind, base: str, names: Sequence[str], window: tuple[int, int, int]
    ) -> tuple[Int64s, Floats]:
        """(bar opens, running sums with a zero in front; rows bought and sold)."""
        parts = [kind.taker(call, base, name, window) for name in names]
        if not parts:
            return np.empty(0, np.int64), np.zeros((2, 1))
        sides = np.stack([sum((p[side].values for p in parts), np.zeros(1)) for side in (0, 1)])
        return parts[0][0].open_ms, np.cumsum(np.pad(sides, ((0, 0), (1, 0))), axis=1)

    @property
    def is_empty(self) -> bool:
        return not self._coarse[0].size

    def between(self, back_ms: int, until_ms: int = 0) -> tuple[float, float]:
        """(bought, sold) from `back_ms` ago until `until_ms` ago."""
        opens, sums = self._fine if back_ms <= 2 * DAY_MS else self._coarse
        first, stop = np.searchsorted(opens, [self._now_ms - back_ms, self._now_ms - until_ms])
        bought, sold = sums[:, stop] - sums[:, first]
        return float(bought), float(sold)


def _coin_netflow(kind: Kind) -> Callable[[Call], object]:
    def build(call: Call) -> object:
        coin, names = asked_market(call)
        known = call.market.last_price(coin.base) if coin else None
        if coin is None or known is None or not names:
            return []
        sums = TakerSums(call, kind, coin.base, names, 2 * length_ms("1y"))
        if sums.is_empty:
            return []
        row: dict[str, Any] = {"symbol": coin.base}
        for name in _COIN_WINDOWS:
            row |= _netflow_window(sums, name, known[0] * coin.circulating)
        return row

    return build


def _netflow_window(sums: TakerSums, name: str, cap_usd: float) -> dict[str, Any]:
    """Volumes as whole USD in text; the change against the window before; the cap ratio in percent."""
    ms = length_ms(name)
    (bought, sold), (bought_before, sold_before) = sums.between(ms), sums.between(2 * ms, ms)
    net, before = bought - sold, bought_before - sold_before
    return {
        f"taker_buy_volume_usd_{name}": f"{bought:.0f}",
        f"taker_sell_volume_usd_{name}": f"{sold:.0f}",
        f"net_flow_usd_{name}": f"{net:.0f}",
        f"net_flow_usd_change_percent_{name}": round((net - before) / abs(before) * 100, 2) if before else 0,
        f"net_flow_usd_{name}_market_cap_ratio": round(net / cap_usd * 100, 6),
    }


def _netflow_list(kind: Kind, windows: tuple[str, ...], net_name: Callable[[str], str]) -> Any:
    longest_ms = max(map(length_ms, windows))

    def build(call: Call) -> object:
        rows = []
        for coin in page_of(call, call.market.coins()):
            known = call.market.last_price(coin.base)
            sums = TakerSums(call, kind, coin.base, ("All",), longest_ms)
            if known is None or sums.is_empty:
                continue
            row: dict[str, Any] = {"symbol": coin.base, "market_cap": known[0] * coin.circulating}
            for name in windows:
                bought, sold = sums.between(length_ms(name))
                row[f"taker_buy_volume_usd_{name}"] = round(bought, 4)
                row[f"taker_sell_volume_usd_{name}"] = round(sold, 4)
                row[f"net_flow_usd_{net_name(name)}"] = round(bought - sold, 4)
            rows.append(row)
        return rows

    return build


def _family(kind: Kind, taker_path: str, netflow_list: Callable[[Call], object]) -> Any:
    """The six endpoints futures and spot share."""
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
            coin_rows(kind, _COIN_ROW, False),
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
            coin_rows(kind, _COIN_CVD, True),
            gate=startup,
            choices=_UNITS,
            max_limit=LONG_ROWS,
        ),
        CoinglassEndpoint(
            f"{id_}coin_netflow",
            f"{path}coin/netflow",
            listed(_coin_netflow(kind), SUCCESS_TRUE),
            ("symbol", "exchange_list"),
            gate=startup,
            cache_ms=5000,
        ),
        CoinglassEndpoint(
            f"{id_}netflow_list",
            f"{path}netflow-list",
            listed(netflow_list),
            gate=startup,
            cache_ms=10_000,
        ),
    )


FLOW_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *_family(FUTURES, "v2/taker-buy-sell-volume", _netflow_list(FUTURES, _LIST_WINDOWS, str)),
    *_family(
        SPOT,
        "taker-buy-sell-volume",
        # The spot page calls the week 7d in the volumes and 1w in the net flow.
        _netflow_list(SPOT, _SPOT_LIST_WINDOWS, lambda name: "1w" if name == "7d" else name),
    ),
    CoinglassEndpoint(
        "futures_taker_buy_sell_volume_exchange_list",
        "/api/futures/taker-buy-sell-volume/exchange-list",
        listed(_by_exchange),
        ("symbol", "range"),
        choices={"range": _TAKER_RANGES},
    ),
)
