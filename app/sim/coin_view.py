"""One coin over the last two days in small bars: the changes and sums that list endpoints show.

Read once per coin and answer; five-minute bars where the market has them, hourly otherwise. No wire words.
Used by the CoinGlass lists and LunarCrush.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.sim.market import CandleColumns, Coin, Floats, Int64s, MarketSource

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def change_pct(open_ms: Int64s, values: Floats, at_ms: int) -> float | None:
    """Percent from the value in force at `at_ms` to the newest one; None when that is not known."""
    index = int(np.searchsorted(open_ms, at_ms, side="right")) - 1
    if index < 0 or values[index] == 0:
        return None
    return float(values[-1] / values[index] - 1) * 100


@dataclass(frozen=True, slots=True)
class CoinView:
    """`exchange` is where candles come from; sums and changes count back from `now_ms`."""

    market: MarketSource
    coin: Coin
    now_ms: int
    interval_ms: int
    exchange: str
    candles: CandleColumns

    @property
    def price(self) -> float | None:
        """Newest price in USD, or None when unknown."""
        known = self.market.last_price(self.coin.base)
        return known[0] if known else None

    def _since(self, back_ms: int) -> slice:
        first = np.searchsorted(self.candles.open_ms, self.now_ms - back_ms, side="left")
        return slice(int(first), None)

    def price_change_pct(self, back_ms: int) -> float | None:
        # A bar's close is the price one interval after its open.
        at_ms = self.now_ms - back_ms - self.interval_ms
        return change_pct(self.candles.open_ms, self.candles.close, at_ms)

    def amplitude_pct(self, back_ms: int) -> float | None:
        """(highest - lowest) / lowest over the window, percent."""
        rows = self._since(back_ms)
        if not self.candles.low[rows].size:
            return None
        return float(self.candles.high[rows].max() / self.candles.low[rows].min() - 1) * 100

    def volume_usd(self, back_ms: int, skip_ms: int = 0) -> float:
        """USD traded in the window that ends `skip_ms` ago."""
        rows = self._since(back_ms + skip_ms)
        usd = self.candles.volume_base[rows] * self.candles.close[rows]
        return float(usd[self.candles.open_ms[rows] < self.now_ms - skip_ms].sum())

    def liquidated_usd(self, back_ms: int, exchange: str = "All") -> tuple[float, float]:
        """(long, short) USD closed by force in the window."""
        bars = self.market.liquidations(
            self.coin.base, (exchange,), self.interval_ms, self.now_ms - back_ms, self.now_ms + 1
        )
        return float(bars.long_usd.sum()), float(bars.short_usd.sum())

    def open_interest(self, exchange: str, unit: str) -> tuple[Int64s, Floats]:
        """(open_ms, values) over a day and a bit."""
        columns = self.market.open_interest(
            self.coin.base,
            exchange,
            unit,
            self.interval_ms,
            self.now_ms - DAY_MS - 2 * self.interval_ms,
            self.now_ms + 1,
        )
        return columns.open_ms, columns.values


def view_coin(market: MarketSource, coin: Coin, now_ms: int, exchange: str | None = None) -> CoinView:
    """Load a coin's last 49 hours."""
    exchange = exchange or market.exchanges()[0]
    interval_ms = 5 * MINUTE_MS
    start_ms, end_ms = now_ms - 2 * DAY_MS - HOUR_MS, now_ms + 1
    candles = market.candles(coin.base, exchange, interval_ms, start_ms, end_ms)
    if not candles.open_ms.size:
        interval_ms = HOUR_MS
        candles = market.candles(coin.base, exchange, interval_ms, start_ms, end_ms)
    return CoinView(market, coin, now_ms, interval_ms, exchange, candles)


def rounded(value: float | None, places: int = 2) -> float | None:
    return None if value is None else round(value, places)
