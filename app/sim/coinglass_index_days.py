"""The days behind the CoinGlass indexes: BTC closes of the market, running means, the other coins' worth.

Loaded per call from the market's own daily candles; nothing made up and no wire words. Used by the index,
peak-indicator and ETF pages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.sim.coin_view import DAY_MS
from app.sim.market import Floats, Int64s, MarketSource
from app.sim.wire import Call

_GENESIS_MS = 1_230_940_800_000  # 2009-01-03, the first block
_SEASON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Days:
    """at_ms: 00:00 of each day; price: close of the coin, of the running day so far; number: days of age."""

    at_ms: Int64s
    price: Floats
    number: Int64s
    market: MarketSource

    def mean(self, length: int) -> Floats:
        """Mean of the last `length` closes, of all so far where there are fewer."""
        sums = np.cumsum(np.insert(self.price, 0, 0.0))
        stop = np.arange(1, self.price.size + 1)
        first = np.maximum(stop - length, 0)
        return np.asarray((sums[stop] - sums[first]) / (stop - first))

    def _others(self) -> tuple[Floats, Floats]:
        """(closes, coins in circulation) of every coin but the first, one row each."""
        exchange = self.market.exchanges()[0]
        first, end = int(self.at_ms[0]), int(self.at_ms[-1]) + 1
        closes, supply = [], []
        for coin in self.market.coins()[1:]:
            bars = self.market.candles(coin.base, exchange, DAY_MS, first, end)
            if bars.close.size == self.price.size:
                closes.append(bars.close)
                supply.append(coin.circulating)
        return np.array(closes).reshape(-1, self.price.size), np.array(supply)

    def bitcoin_cap(self) -> Floats:
        return self.price * self.market.coins()[0].circulating

    def altcoin_cap(self) -> Floats:
        """USD of all coins but BTC."""
        closes, supply = self._others()
        return np.asarray(supply @ closes)

    def altcoin_season(self) -> Floats:
        """Percent of coins that did better than BTC in 90 days (in all days so far near the start)."""
        closes = self._others()[0]
        before = np.maximum(np.arange(self.price.size) - _SEASON_DAYS, 0)
        is_better = closes / closes[:, before] > self.price / self.price[before]
        return np.asarray(100 * is_better.mean(axis=0)) if closes.size else np.zeros(self.price.size)


def load_days(call: Call, base: str = "BTC", since_ms: int = 0) -> Days | None:
    """Every day of the market, or None on recorded data and before its first day."""
    exchanges = call.market.exchanges()
    if not call.is_invented or not exchanges:
        return None
    bars = call.market.candles(base, exchanges[0], DAY_MS, since_ms, call.now_ms + 1)
    if not bars.open_ms.size:
        return None
    return Days(bars.open_ms, bars.close, (bars.open_ms - _GENESIS_MS) // DAY_MS, call.market)
