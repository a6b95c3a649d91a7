"""OKX wire pieces shared by its endpoint modules and streams: envelope, bars, paging, liquidation events.

Every number is text. Rows are newest first. Knows nothing about a single endpoint.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.sim.listings import find_coin
from app.sim.market import Coin, Int64s, LiquidationEvent, MarketSource
from app.sim.wire import Call, Endpoint, Reply, json_reply, plain

EXCHANGE = "OKX"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# From six hours up, bars without the utc suffix open at Hong Kong midnight (16:00 UTC).
HONG_KONG_MS = 8 * HOUR_MS

_SMALL_BARS: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1H": HOUR_MS,
    "2H": 2 * HOUR_MS,
    "4H": 4 * HOUR_MS,
}
_LARGE_BARS: dict[str, int] = {"6H": 6 * HOUR_MS, "12H": 12 * HOUR_MS, "1D": DAY_MS}
# (length, shift of the opening time against the epoch)
BARS: dict[str, tuple[int, int]] = (
    {name: (ms, 0) for name, ms in _SMALL_BARS.items()}
    | {f"{name}utc": (ms, 0) for name, ms in _LARGE_BARS.items()}
    | {name: (ms, -HONG_KONG_MS % ms) for name, ms in _LARGE_BARS.items()}
)


@dataclass(frozen=True, slots=True)
class OkxEndpoint(Endpoint):
    """limit_by: parameter that the limit counts apart (beside the IP), "" for none.

    bars: (parameter, allowed values), the first value is the default.
    """

    limit_per_2s: int = 20
    limit_by: str = ""
    bars: tuple[str, Mapping[str, object]] | None = None


def failure(code: str, message: str, status: int) -> Reply:
    return json_reply({"code": code, "data": [], "msg": message}, status)


def data_reply(rows: bytes) -> Reply:
    """The success envelope around an encoded list."""
    return Reply(200, b'{"code":"0","msg":"","data":' + rows + b"}")


def base_of(market: MarketSource, inst_id: str) -> Coin | None:
    """The coin of `BTC-USDT-SWAP`, or None."""
    base, dash, rest = inst_id.partition("-")
    return find_coin(market, base) if dash and rest == "USDT-SWAP" else None


def swap_coin(call: Call) -> Coin:
    """The coin of an instId that `OkxServer.admit` has already checked."""
    coin = base_of(call.market, call.params["instId"])
    if coin is None:
        raise LookupError(call.params["instId"])
    return coin


def inst_id_of(coin: Coin) -> str:
    return f"{coin.base}-USDT-SWAP"


def contracts(coin: Coin, coins: float) -> float:
    """Contracts out of coins. Worked: 1 BTC at ctVal 0.01 = 100 contracts."""
    return coins / coin.contract_base


def page_rows(call: Call, ts_ms: Int64s, *, default: int, most: int) -> Any:
    """Indexes of the page, newest first: `after` = older than, `before` = newer than, both exclusive."""
    keep = np.ones(ts_ms.size, dtype=np.bool_)
    if after := call.params.get("after"):
        keep &= ts_ms < int(after)
    if before := call.params.get("before"):
        keep &= ts_ms > int(before)
    limit = min(int(call.params.get("limit") or default) or default, most)
    return np.nonzero(keep)[0][::-1][:limit]


class EventIndex:
    """OKX liquidation orders by hour and coin, so that paging through a week reads each hour once."""

    _MAX_HOURS = 400

    def __init__(self) -> None:
        self._hours: OrderedDict[tuple[int, int], dict[str, list[LiquidationEvent]]] = OrderedDict()

    def newest_first(
        self, market: MarketSource, base: str, start_ms: int, end_ms: int, limit: int
    ) -> list[LiquidationEvent]:
        """Up to `limit` events of one coin in [start, end), newest first."""
        found: list[LiquidationEvent] = []
        hour = (end_ms - 1) // HOUR_MS
        while hour >= start_ms // HOUR_MS and len(found) < limit:
            events = self._hour(market, hour).get(base, [])
            found += [e for e in reversed(events) if start_ms <= e.ts_ms < end_ms]
            hour -= 1
        return found[:limit]

    def _hour(self, market: MarketSource, hour: int) -> dict[str, list[LiquidationEvent]]:
        key = (id(market), hour)
        known = self._hours.get(key)
        if known is not None:
            return known
        end_ms = (hour + 1) * HOUR_MS
        by_base: dict[str, list[LiquidationEvent]] = {}
        for event in market.liquidation_events(hour * HOUR_MS, min(end_ms, market.now_ms())):
            if event.exchange == EXCHANGE:
                by_base.setdefault(event.base, []).append(event)
        if end_ms <= market.now_ms():
            self._hours[key] = by_base
            if len(self._hours) > self._MAX_HOURS:
                self._hours.popitem(last=False)
        return by_base


def liquidation_detail(event: LiquidationEvent, coin: Coin) -> dict[str, str]:
    """One order: size in CONTRACTS, side of the forced order (sell closes a long)."""
    is_long = event.liquidated == "long"
    return {
        "bkLoss": "0",
        "bkPx": plain(event.price_usd),
        "ccy": "",
        "posSide": "long" if is_long else "short",
        "side": "sell" if is_long else "buy",
        "sz": plain(contracts(coin, event.usd / event.price_usd), 8),
        "ts": str(event.ts_ms),
    }
