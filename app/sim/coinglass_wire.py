"""CoinGlass wire pieces shared by its endpoint modules: the table row, the envelope, the history window.

Knows the row limits and the order of rows (oldest first, the forming bar last); no market figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.sim.coinglass_plans import INTERVALS_MS, Gate, depth_ms
from app.sim.listings import Listing, find_pair
from app.sim.market import Int64s
from app.sim.wire import Call, Endpoint, Reply, dumps

MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class CoinglassEndpoint(Endpoint):
    """gate: smallest plan; ranges: allowed values of `range`, when the endpoint takes one.

    choices: allowed values by parameter; most: largest number by parameter; has_floor: whether small bars
    need a larger plan.
    """

    gate: Gate = Gate.ALL
    ranges: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    has_floor: bool = True


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


def read_span(call: Call) -> Span:
    """The window of a history call: plan depth, limit 1000, ms on both ends, end inclusive."""
    interval = call.params["interval"]
    interval_ms = INTERVALS_MS[interval]
    limit = min(int(call.params.get("limit") or MAX_ROWS) or MAX_ROWS, MAX_ROWS)
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
    depth = depth_ms(call.plan, interval)
    if depth is not None:
        start_ms = max(start_ms, call.now_ms - depth)
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


def data_reply(data: bytes) -> Reply:
    """The success envelope around an encoded `data`."""
    return Reply(200, b'{"code":"0","msg":"success","data":' + data + b"}")


EMPTY = data_reply(b"[]")


def listed(build: Callable[[Call], object]) -> Callable[[Call], Reply]:
    """A handler out of a function that builds `data` as plain objects."""

    def handler(call: Call) -> Reply:
        return data_reply(dumps(build(call)))

    return handler
