"""What was traded: last price and the range of any recent stretch of seconds, from trades and tickers only.

Prices of liquidations are bankruptcy prices and never come here. One row per non-empty second, the newest
seconds only. Owned by `core.flow.coin`; read by the cascade detector.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from math import inf
from typing import Final, NamedTuple

from app.core.flow.columns import Column, cut
from app.core.flow.price_voice import PriceVoice

# The range before a cascade reaches 300 s back from its first event, which lies 30 s (and some disorder)
# before the moment the cascade is seen.
RETAINED_S: Final = 360
# A price older than this is no longer "the price": perpetuals of watched coins trade every few seconds.
STALE_MS: Final = 60_000


class PriceRange(NamedTuple):
    """Lowest and highest traded price of a stretch of time, USD."""

    low: float
    high: float


class PricePath:
    """Feed prices in any order; those of a second exchange and lone leaps are left out (`price_voice`)."""

    __slots__ = ("_columns", "_cut_at", "_highs", "_lows", "_seconds", "_voice")

    def __init__(self) -> None:
        self._seconds = array("I", (0,))
        self._lows, self._highs = array("d", (inf,)), array("d", (0.0,))
        self._columns: tuple[Column, ...] = (self._seconds, self._lows, self._highs)
        self._cut_at = RETAINED_S
        self._voice = PriceVoice()

    @property
    def last_ms(self) -> int:
        """Of the newest price, 0 before the first."""
        return self._voice.last_ms

    @property
    def exchange(self) -> str | None:
        """Where the newest price was traded, None before the first."""
        return self._voice.exchange

    def add(self, ts_ms: int, price: float, exchange: str | None = None) -> bool:
        """One traded price; whether it counts."""
        if not self._voice.believes(exchange, price, ts_ms):
            return False
        second = ts_ms // 1000
        newest = self._seconds[-1]
        if second > newest:
            self._seconds.append(second)
            self._lows.append(price)
            self._highs.append(price)
            if len(self._seconds) >= self._cut_at:
                self._cut_at = cut(self._columns, second - RETAINED_S)
        else:
            self._widen(second, price)
        return True

    def _widen(self, second: int, price: float) -> None:
        row = bisect_left(self._seconds, second)
        if self._seconds[row] != second:
            self._seconds.insert(row, second)
            self._lows.insert(row, price)
            self._highs.insert(row, price)
        elif price < self._lows[row]:
            self._lows[row] = price
        elif price > self._highs[row]:
            self._highs[row] = price

    def at(self, now_ms: int) -> float | None:
        """The last traded price, None where there is none or it is over a minute old."""
        last_ms = self._voice.last_ms
        return self._voice.last if last_ms and now_ms - last_ms <= STALE_MS else None

    def reaches_back_to(self, second: int) -> bool:
        """Whether prices were known that early."""
        first = self._seconds[0] or (self._seconds[1] if len(self._seconds) > 1 else second + 1)
        return first <= second

    def range_between(self, from_s: int, to_s: int) -> PriceRange | None:
        """Low and high from the beginning of one second to the beginning of another; None if nothing traded.

        The second in which something begins is left out of the range before it: no look-ahead.
        """
        start, end = bisect_left(self._seconds, from_s), bisect_left(self._seconds, to_s)
        if start >= end:
            return None
        return PriceRange(min(self._lows[start:end]), max(self._highs[start:end]))
