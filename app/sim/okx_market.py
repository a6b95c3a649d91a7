"""OKX market data: candles, candle history and the ticker.

Candles are newest first, stamped at the open, row 0 still forming (confirm "0"); volume in contracts,
coins and USD. Source: OKX API v5, market endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.sim.market import CandleColumns, Coin, Floats, Int64s, MarketSource
from app.sim.okx_wire import (
    BARS,
    DAY_MS,
    EXCHANGE,
    HONG_KONG_MS,
    HOUR_MS,
    OkxEndpoint,
    contracts,
    data_reply,
    inst_id_of,
    page_rows,
    swap_coin,
)
from app.sim.wire import Call, Reply, decimals_of, dumps, format_rows, plain

_NEWEST_BARS = 1440


def candle_bars(market: MarketSource, coin: Coin, bar: str, start_ms: int, end_ms: int) -> CandleColumns:
    """Candles of one OKX bar name; bars on Hong Kong time are put together from hours."""
    interval_ms, shift_ms = BARS[bar]
    if not shift_ms:
        return market.candles(coin.base, EXCHANGE, interval_ms, start_ms, end_ms)
    first_ms = (start_ms - shift_ms) // interval_ms * interval_ms + shift_ms
    hours = market.candles(coin.base, EXCHANGE, HOUR_MS, first_ms, end_ms)
    return _merge(hours, interval_ms, shift_ms, market.now_ms())


def _merge(hours: CandleColumns, interval_ms: int, shift_ms: int, now_ms: int) -> CandleColumns:
    opens = (hours.open_ms - shift_ms) // interval_ms * interval_ms + shift_ms
    open_ms, first = np.unique(opens, return_index=True)
    if not open_ms.size:
        return hours
    last = np.append(first[1:], opens.size) - 1
    return CandleColumns(
        open_ms=open_ms,
        open=hours.open[first],
        high=np.maximum.reduceat(hours.high, first),
        low=np.minimum.reduceat(hours.low, first),
        close=hours.close[last],
        volume_base=np.add.reduceat(hours.volume_base, first),
        is_closed=open_ms + interval_ms <= now_ms,
    )


def candle_template(coin: Coin) -> str:
    places = decimals_of(coin.tick)
    return f'["%d","%.{places}f","%.{places}f","%.{places}f","%.{places}f","%.4f","%.6f","%.4f","%d"]'


def candle_columns(coin: Coin, bars: CandleColumns) -> tuple[Int64s | Floats, ...]:
    """Row columns in wire order, oldest first."""
    quote = bars.volume_base * (bars.high + bars.low + bars.close) / 3
    volume = bars.volume_base / coin.contract_base
    closed = bars.is_closed.astype(np.int64)
    prices = (bars.open, bars.high, bars.low, bars.close)
    return (bars.open_ms, *prices, volume, bars.volume_base, quote, closed)


def _rows(call: Call, coin: Coin, bars: CandleColumns, *, most: int) -> Reply:
    rows = page_rows(call, bars.open_ms, default=100, most=most)
    columns = [column[rows] for column in candle_columns(coin, bars)]
    return data_reply(format_rows(candle_template(coin), *columns))


def _candles(call: Call) -> Reply:
    coin = swap_coin(call)
    bar = call.params.get("bar") or "1m"
    start_ms, end_ms = _page_window(call, bar, 300)
    start_ms = max(start_ms, call.now_ms - _NEWEST_BARS * BARS[bar][0])
    return _rows(call, coin, candle_bars(call.market, coin, bar, start_ms, end_ms), most=300)


def _page_window(call: Call, bar: str, most: int) -> tuple[int, int]:
    """A window that surely holds the page: pages are at most `most` bars below `after` (or now)."""
    interval_ms = BARS[bar][0]
    end_ms = min(int(call.params.get("after") or call.now_ms + 1), call.now_ms + 1)
    return end_ms - (most + 2) * interval_ms, end_ms


def _history_candles(call: Call) -> Reply:
    coin = swap_coin(call)
    bar = call.params.get("bar") or "1m"
    start_ms, end_ms = _page_window(call, bar, 102)
    bars = candle_bars(call.market, coin, bar, start_ms, end_ms)
    closed = bars.is_closed
    bars = CandleColumns(
        bars.open_ms[closed],
        bars.open[closed],
        bars.high[closed],
        bars.low[closed],
        bars.close[closed],
        bars.volume_base[closed],
        closed[closed],
    )
    return _rows(call, coin, bars, most=100)


@dataclass(frozen=True, slots=True)
class _Day:
    """The last 24 hours of one swap."""

    open: float
    high: float
    low: float
    volume_base: float


def _last_day(market: MarketSource, coin: Coin, now_ms: int) -> _Day | None:
    bars = market.candles(coin.base, EXCHANGE, HOUR_MS, now_ms - DAY_MS, now_ms + 1)
    if not bars.open_ms.size:
        return None
    return _Day(
        float(bars.open[0]), float(bars.high.max()), float(bars.low.min()), float(bars.volume_base.sum())
    )


def _day_open(market: MarketSource, coin: Coin, now_ms: int, shift_ms: int) -> str:
    """Price at the start of the day that began `shift_ms` before midnight UTC; "" when unknown."""
    start_ms = (now_ms + shift_ms) // DAY_MS * DAY_MS - shift_ms
    bars = market.candles(coin.base, EXCHANGE, HOUR_MS, start_ms, start_ms + 1)
    return plain(float(bars.open[0])) if bars.open_ms.size else ""


def ticker_row(market: MarketSource, coin: Coin, now_ms: int) -> dict[str, str] | None:
    """The SWAP ticker, or None when the market has no price for the coin."""
    known, day = market.last_price(coin.base), _last_day(market, coin, now_ms)
    if known is None or day is None:
        return None
    last, at_ms = known
    places = decimals_of(coin.tick)
    size = plain(max(1.0, round(contracts(coin, day.volume_base / 86_400))), 2)
    return {
        "instType": "SWAP",
        "instId": inst_id_of(coin),
        "last": f"{last:.{places}f}",
        "lastSz": size,
        "askPx": f"{last + coin.tick:.{places}f}",
        "askSz": size,
        "bidPx": f"{max(coin.tick, last - coin.tick):.{places}f}",
        "bidSz": size,
        "open24h": f"{day.open:.{places}f}",
        "high24h": f"{max(day.high, last):.{places}f}",
        "low24h": f"{min(day.low, last):.{places}f}",
        "volCcy24h": plain(day.volume_base, 4),
        "vol24h": plain(contracts(coin, day.volume_base), 2),
        "sodUtc0": _day_open(market, coin, now_ms, 0),
        "sodUtc8": _day_open(market, coin, now_ms, HONG_KONG_MS),
        "ts": str(at_ms),
    }


def _ticker(call: Call) -> Reply:
    row = ticker_row(call.market, swap_coin(call), call.now_ms)
    return data_reply(dumps([row] if row else []))


_MARKET = "/api/v5/market/"
MARKET_ENDPOINTS: tuple[OkxEndpoint, ...] = (
    OkxEndpoint(
        "market_candles",
        _MARKET + "candles",
        _candles,
        ("instId",),
        limit_per_2s=40,
        bars=("bar", BARS),
    ),
    OkxEndpoint(
        "market_history_candles",
        _MARKET + "history-candles",
        _history_candles,
        ("instId",),
        limit_per_2s=20,
        bars=("bar", BARS),
    ),
    OkxEndpoint("market_ticker", _MARKET + "ticker", _ticker, ("instId",), limit_per_2s=20),
)
