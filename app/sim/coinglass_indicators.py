"""CoinGlass technical indicators of one futures pair: RSI, averages, MACD, bands, true range, TD counts.

Computed from the market's own candles, with enough bars before the window to be settled in its first row;
bars an indicator cannot know yet are absent. Used by the lists too (`load_prices`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.sim.coinglass_plans import Gate
from app.sim.coinglass_wire import (
    EMPTY,
    LONG_ROWS,
    MAX_ROWS,
    CoinglassEndpoint,
    data_reply,
    deepest_ms,
    pair_history,
    pair_of,
    read_span,
    trim,
)
from app.sim.indicator_math import (
    bollinger,
    exponential_average,
    macd,
    moving_average,
    relative_strength,
    setup_count,
    true_range_average,
)
from app.sim.market import CandleColumns, Floats
from app.sim.wire import Call, Reply, format_rows

_SERIES = {"series_type": ("open", "high", "low", "close")}
RSI_BARS = 14
AVERAGE_BARS = 20
RANGE_BARS = 14
MACD_BARS = (12, 26, 9)
_BAND_WIDTH = 2.0
# Exponential means forget with their length: after eight lengths the start weighs under a thousandth.
_SETTLE = 8

_Columns = tuple[Floats, ...]
_Compute = Callable[[Call, CandleColumns], _Columns]


def _window(call: Call, default: int, name: str = "window") -> int:
    return int(call.params.get(name) or default)


def _series(call: Call, bars: CandleColumns) -> Floats:
    column: Floats = getattr(bars, call.params.get("series_type") or "close")
    return column


def _rsi(call: Call, bars: CandleColumns) -> _Columns:
    return (relative_strength(_series(call, bars), _window(call, RSI_BARS)),)


def _ema(call: Call, bars: CandleColumns) -> _Columns:
    return (exponential_average(_series(call, bars), _window(call, AVERAGE_BARS)),)


def _ma(call: Call, bars: CandleColumns) -> _Columns:
    return (moving_average(_series(call, bars), _window(call, AVERAGE_BARS)),)


def _macd(call: Call, bars: CandleColumns) -> _Columns:
    names = ("fast_window", "slow_window", "signal_window")
    lengths = [_window(call, n, name) for n, name in zip(MACD_BARS, names, strict=True)]
    return (macd(_series(call, bars), *lengths)[0],)


def _boll(call: Call, bars: CandleColumns) -> _Columns:
    mult = float(call.params.get("mult") or _BAND_WIDTH)
    return bollinger(_series(call, bars), _window(call, AVERAGE_BARS), mult)


def _atr(call: Call, bars: CandleColumns) -> _Columns:
    return (true_range_average(bars.high, bars.low, bars.close, _window(call, RANGE_BARS)),)


def _load(call: Call, max_rows: int) -> tuple[Any, CandleColumns] | None:
    """(the span asked for, its bars and those before it, in the pair's own price), or None for no pair."""
    listing = pair_of(call)
    if listing is None:
        return None
    span = read_span(call, max_rows, deepest_ms)
    longest = max(_window(call, 30), _window(call, 30, "slow_window"))
    start_ms = span.start_ms - _SETTLE * longest * span.interval_ms
    bars = call.market.candles(listing.coin.base, listing.exchange, span.interval_ms, start_ms, span.end_ms)
    scaled = CandleColumns(
        bars.open_ms,
        bars.open * listing.multiplier,
        bars.high * listing.multiplier,
        bars.low * listing.multiplier,
        bars.close * listing.multiplier,
        bars.volume_base / listing.multiplier,
        bars.is_closed,
    )
    return span, scaled


def _indicator(compute: _Compute, keys: tuple[str, ...], max_rows: int) -> Callable[[Call], Reply]:
    template = '{"time":%d,' + ",".join(f'"{key}":%.8f' for key in keys) + "}"

    def handler(call: Call) -> Reply:
        loaded = _load(call, max_rows)
        if loaded is None:
            return EMPTY
        span, bars = loaded
        columns = compute(call, bars)
        known = ~np.isnan(np.sum(columns, axis=0))
        kept = (column[known] for column in columns)
        return data_reply(format_rows(template, *trim(span, bars.open_ms[known], *kept)))

    return handler


def _td(call: Call) -> Reply:
    """A row has the buy or the sell count, bars without either are absent."""
    loaded = _load(call, MAX_ROWS)
    if loaded is None:
        return EMPTY
    span, bars = loaded
    counts = setup_count(bars.close)
    times, counts = trim(span, bars.open_ms[counts != 0], counts[counts != 0])
    sides = np.where(counts > 0, "buy", "sell")
    return data_reply(format_rows('{"time":%d,"td_%s_count":%d}', times, sides, np.abs(counts)))


def _row(
    name: str, compute: _Compute, *keys: str, max_limit: int = LONG_ROWS, **options: Any
) -> CoinglassEndpoint:
    return pair_history(
        "futures_indicators_" + name.replace("-", "_"),
        "/api/futures/indicators/" + name,
        _indicator(compute, keys, max_limit),
        gate=Gate.STARTUP,
        max_limit=max_limit,
        **options,
    )


INDICATOR_ENDPOINTS: tuple[CoinglassEndpoint, ...] = (
    _row("rsi", _rsi, "rsi_value", choices=_SERIES),
    _row("ema", _ema, "ema_value", choices=_SERIES),
    _row("ma", _ma, "ma_value", choices=_SERIES),
    _row("macd", _macd, "macd_value", choices=_SERIES),
    _row("boll", _boll, "mb_value", "ub_value", "lb_value", choices=_SERIES),
    _row("avg-true-range", _atr, "avg_true_range_value", max_limit=MAX_ROWS),
    pair_history("futures_indicators_td", "/api/futures/indicators/td", _td, gate=Gate.STARTUP),
)
