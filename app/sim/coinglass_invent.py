"""Made-up but repeatable figures in a given shape: what the simulated market knows nothing about.

A shape is a template of the catalogue: objects, lists, dynamic keys in angle brackets, rows by place under
`@row`, and kinds such as `price`, `usd` or `pct` as leaves (`#`: sent as text, `?`: seen live only, left
out). Prices lie near the coin's, bars of prices are its candles; the rest is drawn from a hash of endpoint,
field and time, so an answer is the same twice. Called by `coinglass_catalogue`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.sim.coinglass_plans import INTERVALS_MS
from app.sim.market import Coin
from app.sim.wire import Call, hashed_unit

_DAY_MS = 86_400_000
_ROWS = 30
_MAX_ROWS = 1000
_BRACES = re.compile(r"^(.*)\{(.+)\}(.*)$")
_SIGNED = re.compile(
    r"flow|change|pnl|delta|net_|spread|bias|premium|basis|macd|signal|funding|szi|position_size|td_"
)
_SHARE = re.compile(r"(long|short)_percent|share|ratio|dominance|percent_of|position_address|address_percent")
_SECONDS = frozenset(
    {
        "futures_orderbook_history",
        "spot_orderbook_history",
        "futures_volume_footprint_history",
        "spot_volume_footprint_history",
        "coinbase_premium_index",
        "borrow_interest_rate_history",
        "bitfinex_margin_long_short",
        "exchange_chain_tx_list",
        "chain_v2_whale_transfer",
    }
)
_CODES: Mapping[str, tuple[int, ...]] = {
    "order_side": (1, 2),
    "order_state": (1, 2, 3),
    "liquidated_side": (1, 2),
    "whale_action": (1, 2),
    "transfer_type": (1, 2, 3),
    "importance": (1, 2, 3),
    "yes_no": (0, 1),
    "day_side": (0, 1),
}
# Usual size and spread of each kind: a value lies between the two.
_BETWEEN: Mapping[str, tuple[float, float]] = {
    "usd": (1e6, 9e8),
    "base": (10.0, 90_000.0),
    "contracts": (100.0, 90_000.0),
    "count": (1.0, 5_000.0),
    "pct": (-4.0, 4.0),
    "frac": (0.01, 0.6),
    "ratio": (0.6, 1.6),
    "score": (5.0, 95.0),
    "index": (0.1, 3.0),
    "correlation": (-1.0, 1.0),
    "multiple": (1.0, 50.0),
    "hours": (8.0, 8.0),
    "days": (1.0, 1_400.0),
}
_WHOLE = frozenset({"count", "hours", "days"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: which endpoint and coin, which row, and the time of that row."""

    call: Call
    endpoint: str
    coin: Coin
    price: float
    step_ms: int
    row: int
    at_ms: int
    name: str = ""

    def draw(self, low: float, high: float) -> float:
        seed = hashed_unit(self.endpoint, self.coin.base, self.name, self.row, self.at_ms // self.step_ms)
        return low + (high - low) * seed


def invent(call: Call, endpoint: str, shape: Any, coin: Coin) -> object:
    """An answer in `shape` about `coin`."""
    known = call.market.last_price(coin.base)
    interval = call.params.get("interval", "1d")
    step_ms = INTERVALS_MS.get(interval, 600_000 if interval == "10m" else _DAY_MS)
    now_ms = call.now_ms // step_ms * step_ms
    place = _Place(call, endpoint, coin, known[0] if known else 1.0, step_ms, 0, now_ms)
    return _build(place, shape)


def _build(place: _Place, shape: Any) -> Any:
    if isinstance(shape, str):
        return _leaf(place, shape)
    if isinstance(shape, list):
        return [_build(each, shape[0]) for each in _rows(place, shape[0])]
    if "@row" in shape:
        return [_build(replace(place, name=name), kind) for name, kind in shape["@row"]]
    found: dict[str, Any] = {}
    candle = _candle(place, shape)
    for key, child in _fields(place, shape):
        if not _is_only_seen_live(child):
            found[key] = candle[key] if key in candle else _build(replace(place, name=key), child)
    return found


def _is_only_seen_live(child: Any) -> bool:
    first = child[0] if isinstance(child, list) and child else child
    return isinstance(first, str) and first.endswith("?")


def _fields(place: _Place, shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys with their windows spelt out; a dynamic key stands once for each exchange or price."""
    for key, child in shape.items():
        braces = _BRACES.match(key)
        if braces is not None:
            head, windows, tail = braces.groups()
            yield from ((f"{head}{window}{tail}", child) for window in windows.split(","))
        elif key == "<price>":
            yield from ((f"{place.price * (0.9 + n / 100):.6g}", child) for n in range(20))
        elif key.startswith("<"):
            yield from ((name, child) for name in place.call.market.exchanges()[:5])
        else:
            yield key, child


def _rows(place: _Place, shape: Any) -> Iterator[_Place]:
    """One place per row, oldest first; inner lists are short."""
    asked = place.call.params.get("limit", "")
    is_outer = not place.name
    count = min(int(asked), _MAX_ROWS) if asked.isdigit() and int(asked) and is_outer else _ROWS
    count = min(count if is_outer else 12, _most(place, shape))
    for row in range(count):
        yield replace(place, row=row, at_ms=place.at_ms - (count - 1 - row) * place.step_ms)


def _most(place: _Place, shape: Any) -> int:
    """A list without times has each coin or each exchange once."""
    kinds = {key: str(kind).rstrip("#?") for key, kind in shape.items()} if isinstance(shape, dict) else {}
    if "time" in kinds.values():
        return _MAX_ROWS
    if "exchange" in kinds.values() and "exchange" not in place.call.params:
        return len(place.call.market.exchanges()[:5])
    if kinds.get("symbol") == "symbol" and "symbol" not in place.call.params:
        return len(place.call.market.coins())
    return _MAX_ROWS


def _candle(place: _Place, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Open, high, low and close of the coin's bar where the shape has bars of prices."""
    if str(shape.get("close", "")).rstrip("#") != "price" or "open" not in shape:
        return {}
    exchange = place.call.market.exchanges()[0]
    bars = place.call.market.candles(
        place.coin.base, exchange, place.step_ms, place.at_ms, place.at_ms + place.step_ms
    )
    if not bars.close.size:
        return {}
    prices = (float(column[0]) for column in (bars.open, bars.high, bars.low, bars.close))
    named = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    is_text = shape["close"].endswith("#")
    return {key: f"{price:.8g}" if is_text else float(f"{price:.8g}") for key, price in named.items()}


def _leaf(place: _Place, kind: str) -> Any:
    is_text = kind.endswith("#")
    kind = kind.rstrip("#?")
    if kind == "time":
        return place.at_ms // 1000 if place.endpoint in _SECONDS else place.at_ms
    if kind.startswith("code:"):
        codes = _CODES[kind.removeprefix("code:")]
        return codes[int(place.draw(0, len(codes) - 1e-9))]
    if kind in ("symbol", "exchange", "text", "flag", "id"):
        word = _words(place, kind)
        return str(word) if is_text else word
    number = _number(place, kind)
    return str(number) if is_text else number


def _number(place: _Place, kind: str) -> float | int:
    name = place.name
    if kind == "price":
        return float(f"{place.price * place.draw(0.97, 1.03):.8g}")
    if kind == "by_unit":
        kind = "base" if place.call.params.get("unit") == "coin" else "usd"
    low, high = _BETWEEN[kind]
    if kind == "pct" and _SHARE.search(name):
        low, high = 1.0, 99.0
    elif kind in ("usd", "base", "index") and _SIGNED.search(name):
        low = -high
    value = place.draw(low, high)
    return round(value) if kind in _WHOLE else float(f"{value:.8g}")


def _words(place: _Place, kind: str) -> Any:
    if kind == "flag":
        return place.draw(0, 1) > 0.5
    if kind == "id":
        return 1_000_000 + place.row
    if kind == "symbol":
        coins = place.call.market.coins()
        return place.call.params.get("symbol") or coins[place.row % len(coins)].base
    if kind == "exchange":
        return place.call.params.get("exchange") or place.call.market.exchanges()[place.row % 5]
    if "date" in place.name:
        moment = datetime.fromtimestamp(place.at_ms / 1000, UTC)
        return f"{moment:%y%m%d}" if place.endpoint.startswith("option") else f"{moment:%Y/%m/%d}"
    return f"{place.name or place.coin.base} {place.row}"
