"""CoinGlass wire pieces shared by its endpoint modules: the table row, the envelope, the history window.

Knows the row limits and the order of rows (oldest first, the forming bar last); no market figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.sim.coinglass_plans import INTERVALS_MS, PLANS, Gate, depth_ms
from app.sim.listings import Listing, find_coin, find_pair
from app.sim.market import Coin, Int64s
from app.sim.wire import Call, Endpoint, Reply, dumps

MAX_ROWS = 1000
LONG_ROWS = 4500  # cumulative volume delta and most indicators
BARS = ("1m", "3m", "5m", "15m", "30m", "1h", "4h", "6h", "8h", "12h", "1d", "1w")
_PAIR = ("exchange", "symbol", "interval")
_COIN = ("symbol", "interval")
_LISTED = ("exchange_list", "symbol", "interval")


@dataclass(frozen=True, slots=True)
class CoinglassEndpoint(Endpoint):
    """gate: smallest plan; choices: allowed values by parameter, where they are a closed set.

    is_floored: small plans get large bars only. max_limit: rows that `limit` can reach.
    """

    gate: Gate = Gate.ALL
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_floored: bool = False
    max_limit: int = MAX_ROWS


@dataclass(frozen=True, slots=True)
class Span:
    """The rows asked for: bars that open in [start_ms, end_ms), at most `limit` of them.

    is_from_start: the oldest rows win when there are more than `limit` (only start_time was given).
    """

    interval_ms: int
    start_ms: int
    end_ms: int
    limit: int
    is_from_start: bool

    @property
    def lead_ms(self) -> int:
        """One bar before the window: its close is the first row's open."""
        return self.start_ms - self.interval_ms


def deepest_ms(plan: str, interval: str) -> int | None:
    """Depth where no plan table is documented: that of the largest plan, so that the work stays bounded."""
    return depth_ms(PLANS[-1], interval)


def read_span(
    call: Call, max_rows: int = MAX_ROWS, depth: Callable[[str, str], int | None] = depth_ms
) -> Span:
    """The window of a history call: depth by (plan, interval), limit, ms on both ends, end inclusive."""
    interval = call.params["interval"]
    interval_ms = INTERVALS_MS[interval]
    default = min(max_rows, MAX_ROWS)
    limit = min(int(call.params.get("limit") or default) or default, max_rows)
    start, end = call.params.get("start_time"), call.params.get("end_time")
    end_ms = min(int(end) + 1 if end else call.now_ms + 1, call.now_ms + 1)
    newest_ms = (end_ms - 1) // interval_ms * interval_ms
    # One bar of slack: weekly bars do not start at multiples of a week of the epoch, recorded data has no
    # forming bar.
    earliest_ms = newest_ms - limit * interval_ms
    is_from_start = bool(start) and not end
    start_ms = int(start) if start else earliest_ms
    if not is_from_start:
        start_ms = max(start_ms, earliest_ms)
    back_ms = depth(call.plan, interval)
    if back_ms is not None:
        start_ms = max(start_ms, call.now_ms - back_ms)
    return Span(interval_ms, start_ms, end_ms, limit, is_from_start)


def trim(span: Span, open_ms: Int64s, *columns: Any) -> tuple[Any, ...]:
    """Cut parallel columns to the window and limit; returns (open_ms, *columns)."""
    inside = (open_ms >= span.start_ms) & (open_ms < span.end_ms)
    rows = slice(None, span.limit) if span.is_from_start else slice(-span.limit, None)
    return tuple(column[inside][rows] for column in (open_ms, *columns))


def fill_open(close: Any) -> Any:
    """Opens from closes: each bar opens where the one before closed; the first opens at its own close."""
    return np.concatenate((close[:1], close[:-1]))


def pair_of(call: Call) -> Listing | None:
    """The listing behind `exchange` and `symbol`, or None: CoinGlass answers that with an empty list."""
    return find_pair(call.market, call.params["exchange"], call.params["symbol"])


def asked_market(call: Call) -> tuple[Coin | None, tuple[str, ...]]:
    """(coin of `symbol`, exchanges of `exchange_list` that list it); ALL means every one."""
    coin = find_coin(call.market, call.params["symbol"])
    if coin is None:
        return None, ()
    asked = {name.strip() for name in call.params["exchange_list"].split(",")}
    known = (name for name in call.market.exchanges() if name not in coin.absent_from)
    return coin, tuple(name for name in known if name in asked or asked & {"ALL", "All"})


def page_of(call: Call, rows: Sequence[Any], default: int = 100, most: int = 1000) -> Sequence[Any]:
    """The page that `page` (from 1) and `per_page` ask for."""
    page = max(1, int(call.params.get("page") or 1))
    size = min(int(call.params.get("per_page") or default) or default, most)
    return rows[(page - 1) * size : page * size]


SUCCESS_TRUE = b',"success":true'


def data_reply(data: bytes, tail: bytes = b"") -> Reply:
    """The success envelope around an encoded `data`; `tail`: what a few endpoints add to it."""
    return Reply(200, b'{"code":"0","msg":"success","data":' + data + tail + b"}")


EMPTY = data_reply(b"[]")


def listed(build: Callable[[Call], object], tail: bytes = b"") -> Callable[[Call], Reply]:
    """A handler out of a function that builds `data` as plain objects."""

    def handler(call: Call) -> Reply:
        return data_reply(dumps(build(call)), tail)

    return handler


def invented(build: Callable[[Call], object]) -> Callable[[Call], Reply]:
    """As `listed`, for figures no market source holds: an empty list on recorded data."""

    def handler(call: Call) -> Reply:
        return data_reply(dumps(build(call))) if call.is_invented else EMPTY

    return handler


_Handler = Callable[[Call], Reply]


def pair_history(id_: str, path: str, handler: _Handler, **options: Any) -> CoinglassEndpoint:
    """A history of one pair of one exchange. options: fields of `CoinglassEndpoint`."""
    return _history(id_, path, handler, _PAIR, options)


def coin_history(id_: str, path: str, handler: _Handler, **options: Any) -> CoinglassEndpoint:
    """A history of one coin across the market."""
    return _history(id_, path, handler, _COIN, options)


def listed_history(id_: str, path: str, handler: _Handler, **options: Any) -> CoinglassEndpoint:
    """A history of one coin, summed over the exchanges the caller names."""
    return _history(id_, path, handler, _LISTED, options)


def _history(
    id_: str, path: str, handler: _Handler, required: tuple[str, ...], options: dict[str, Any]
) -> CoinglassEndpoint:
    more = {"interval": BARS} | options.pop("choices", {})
    # Where the smallest plan may ask at all, its plan column names a smallest bar.
    options.setdefault("is_floored", options.get("gate", Gate.ALL) is Gate.ALL)
    required += options.pop("also", ())
    return CoinglassEndpoint(id_, path, handler, required, choices=more, **options)
