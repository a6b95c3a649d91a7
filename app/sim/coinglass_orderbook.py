"""CoinGlass order books of futures and spot: resting volume by distance, heatmap rows, footprints.

Books are made up around the market's own prices: deeper where more is traded, leaning with the takers.
Footprints split each bar's taker volume over its price range. Heatmap rows and footprints are stamped in
SECONDS. Recorded data holds none of it: then the answers are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coin_view import HOUR_MS
from app.sim.coinglass_kinds import FUTURES, SPOT, Kind
from app.sim.coinglass_plans import INTERVALS_MS, Gate
from app.sim.coinglass_wire import (
    BARS,
    EMPTY,
    SUCCESS_TRUE,
    CoinglassEndpoint,
    Span,
    asked_market,
    data_reply,
    deepest_ms,
    listed_history,
    pair_history,
    read_span,
    trim,
)
from app.sim.listings import Listing
from app.sim.made_up import curve, noise
from app.sim.market import Floats, Int64s
from app.sim.wire import Call, Reply, decimals_of, dumps, format_rows

_DISTANCES = ("0.25", "0.5", "0.75", "1", "2", "3", "5", "10")  # percent from the middle
_MAX_BOOK_ROWS = 100
_BOOK_LEVELS = 20  # a side
_BOOK_STEP_FRAC = 0.0025
_BUCKETS = 6
_DAY_MS = 24 * HOUR_MS
# The book an hour's volume stands against: half of it within about one percent.
_BOOK_PER_HOUR = 0.6

_PAIR_ROW = '{"bids_usd":%.4f,"bids_quantity":%.4f,"asks_usd":%.4f,"asks_quantity":%.4f,"time":%d}'
_COIN_ROW = _PAIR_ROW.replace('"bids', '"aggregated_bids').replace('"asks', '"aggregated_asks')


def _book(
    call: Call, kind: Kind, base: str, exchange: str, span: Span
) -> tuple[Int64s, Floats, Floats, Floats]:
    """(open_ms, price, bids USD, asks USD) of the whole book at each bar."""
    window = (span.interval_ms, span.start_ms, span.end_ms)
    bars = kind.candles(call, base, exchange, window)
    # Five-minute volume of a quiet hour would thin the book out: a day's average stands for its size.
    day = kind.candles(call, base, exchange, (HOUR_MS, call.now_ms - _DAY_MS, call.now_ms + 1))
    size_usd = _BOOK_PER_HOUR * float((day.volume_base * day.close).mean()) if day.close.size else 0.0
    steps = bars.open_ms // (5 * 60_000)
    lean = curve(f"{kind.path} {base} {exchange} book", steps, 0.3, 0.7)
    rough = 0.8 + 0.4 * noise(f"{kind.path} {base} {exchange} depth", steps)
    open_ms, price, bids, asks = trim(
        span, bars.open_ms, bars.close, size_usd * rough * lean, size_usd * rough * (1 - lean)
    )
    return open_ms, price, bids, asks


def _within(call: Call) -> float:
    """Part of the book within the distance asked for. Worked number: 1 % -> 1 - e^-0.7 = 0.503."""
    return 1 - float(np.exp(-0.7 * float(call.params.get("range") or 1)))


def _pair_depth(kind: Kind) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        listing = kind.find(call)
        if listing is None or not call.is_invented:
            return EMPTY
        return _depth_rows(call, kind, listing.coin.base, (listing.exchange,), listing.multiplier, _PAIR_ROW)

    return handler


def _coin_depth(kind: Kind) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        coin, names = asked_market(call)
        if coin is None or not names or not call.is_invented:
            return EMPTY
        return _depth_rows(call, kind, coin.base, names, 1, _COIN_ROW)

    return handler


def _depth_rows(
    call: Call, kind: Kind, base: str, names: tuple[str, ...], multiplier: int, template: str
) -> Reply:
    span, part = read_span(call), _within(call)
    books = [_book(call, kind, base, name, span) for name in names]
    open_ms, price = books[0][:2]
    bids, asks = (part * np.sum([book[side] for book in books], axis=0) for side in (2, 3))
    unit = price * multiplier
    return data_reply(format_rows(template, bids, bids / unit, asks, asks / unit, open_ms))


def _book_depth_ms(plan: str, interval: str) -> int:
    """History of heatmap rows, the same on every plan: 3 days of 1m, 15 of 5m and below, 150 of the rest."""
    if interval == "1m":
        return 3 * _DAY_MS
    return (15 if INTERVALS_MS[interval] <= INTERVALS_MS["5m"] else 150) * _DAY_MS


def _heatmap_rows(kind: Kind) -> Callable[[Call], Reply]:
    """Rows [time s, bids, asks]; a level is [price, quantity], the one next to the price first."""

    def handler(call: Call) -> Reply:
        listing = kind.find(call)
        if listing is None or not call.is_invented:
            return data_reply(b"[]", SUCCESS_TRUE)
        span = read_span(call, _MAX_BOOK_ROWS, _book_depth_ms)
        rows = zip(*_book(call, kind, listing.coin.base, listing.exchange, span), strict=True)
        return data_reply(dumps([_heatmap_row(listing, *map(float, row)) for row in rows]), SUCCESS_TRUE)

    return handler


def _heatmap_row(listing: Listing, open_ms: float, price: float, bids: float, asks: float) -> list[Any]:
    distance = _BOOK_STEP_FRAC * np.arange(1, _BOOK_LEVELS + 1)
    share = np.exp(-0.7 * 100 * (distance - _BOOK_STEP_FRAC)) - np.exp(-0.7 * 100 * distance)
    # A few levels carry a wall; which ones stays the same for an hour.
    walls = 0.5 + noise(f"{listing.pair} walls", np.arange(_BOOK_LEVELS) + int(open_ms) // HOUR_MS)
    places = decimals_of(listing.coin.tick * listing.multiplier)
    sides = []
    for sign, usd in ((-1, bids), (1, asks)):
        prices = np.round(price * (1 + sign * distance) * listing.multiplier, places)
        quantity = np.round(usd * share * walls / prices, 4)
        sides.append([[float(p), float(q)] for p, q in zip(prices, quantity, strict=True)])
    return [int(open_ms) // 1000, *sides]


_BUCKET = "[%.10g,%.10g,%.4f,%.4f,%.4f,%.4f,%.4f,%.4f,%d,%d]"
_FOOTPRINT = "[%d,[" + ",".join([_BUCKET] * _BUCKETS) + "]]"


def _footprint(kind: Kind) -> Callable[[Call], Reply]:
    """Each bar's range in equal buckets; most is traded in the middle of it."""

    def handler(call: Call) -> Reply:
        listing = kind.find(call)
        if listing is None or not call.is_invented:
            return EMPTY
        span = read_span(call) if kind is SPOT else read_span(call, depth=deepest_ms)
        window = (span.interval_ms, span.start_ms, span.end_ms)
        bars = kind.candles(call, listing.coin.base, listing.exchange, window)
        buys, sells = kind.taker(call, listing.coin.base, listing.exchange, window)
        times, low, high, bought, sold = trim(
            span,
            bars.open_ms,
            bars.low * listing.multiplier,
            bars.high * listing.multiplier,
            buys.values,
            sells.values,
        )
        columns = [times // 1000]
        share = np.array([1, 2, 3, 3, 2, 1]) / 12
        for index in range(_BUCKETS):
            columns += _bucket(index, low, high, bought * share[index], sold * share[index])
        return data_reply(format_rows(_FOOTPRINT, *columns))

    return handler


def _bucket(index: int, low: Floats, high: Floats, bought: Floats, sold: Floats) -> list[Any]:
    """From, to, quantities, quote and USDT amounts, trade counts: buy before sell in each pair."""
    step = (high - low) / _BUCKETS
    first, last = low + index * step, low + (index + 1) * step
    middle = (first + last) / 2
    trades = [np.maximum(1, side / 2000).astype(np.int64) for side in (bought, sold)]
    return [first, last, bought / middle, sold / middle, bought, sold, bought, sold, *trades]


def _family(kind: Kind, footprint_exchanges: tuple[str, ...]) -> tuple[CoinglassEndpoint, ...]:
    id_, path = kind.id_prefix, kind.path
    return (
        pair_history(
            f"{id_}orderbook_ask_bids_history",
            f"{path}orderbook/ask-bids-history",
            _pair_depth(kind),
            choices={"range": _DISTANCES},
        ),
        listed_history(
            f"{id_}orderbook_aggregated_ask_bids_history",
            f"{path}orderbook/aggregated-ask-bids-history",
            _coin_depth(kind),
            choices={"range": _DISTANCES},
        ),
        pair_history(
            f"{id_}orderbook_history",
            f"{path}orderbook/history",
            _heatmap_rows(kind),
            also=("limit",) if kind is FUTURES else (),
            choices={"interval": BARS[:-1]},
            gate=Gate.STANDARD,
            max_limit=_MAX_BOOK_ROWS,
        ),
        pair_history(
            f"{id_}volume_footprint_history",
            f"{path}volume/footprint-history",
            _footprint(kind),
            choices={"exchange": footprint_exchanges},
            gate=Gate.PROFESSIONAL,
        ),
    )


ORDERBOOK_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    *_family(FUTURES, ("Binance", "OKX", "Bybit", "Hyperliquid")),
    *_family(SPOT, ("Binance", "OKX", "Bybit")),
)
