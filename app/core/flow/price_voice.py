"""Which traded prices of a coin are believed: of one exchange as long as it speaks, and no lone leap.

Between two exchanges lies a spread that nobody traded, and one wrong price is an entry, a sweep or a target
that never was. Pure; used by the price path of the detectors and by what feeds outcomes.
"""

from __future__ import annotations

from typing import Final

# An exchange that says nothing of a coin for so long makes way for another.
SILENT_MS: Final = 15_000
# A price this many times the last one, or less than one over it, is believed once a second one agrees.
LEAP: Final = 1.25
# After this long without a price nothing is a leap.
FORGET_MS: Final = 60_000


class PriceVoice:
    """One coin. exchange, last, last_ms: of the newest price believed; None, 0 and 0 before the first."""

    __slots__ = ("_doubted", "exchange", "last", "last_ms")

    def __init__(self) -> None:
        self.exchange: str | None = None
        self.last = 0.0
        self.last_ms = 0
        self._doubted = 0.0

    def believes(self, exchange: str | None, price: float, ts_ms: int) -> bool:
        """Whether this price counts; if so, it is the last one unless it is late.

        Worked numbers: 100, then 130 is doubted; 131 after it is believed, 101 after it is, too.
        """
        since_ms = ts_ms - self.last_ms
        if self.last and exchange != self.exchange and since_ms < SILENT_MS:
            return False
        if self.last and since_ms < FORGET_MS and _is_leap(self.last, price):
            doubted, self._doubted = self._doubted, price
            if not doubted or _is_leap(doubted, price):
                return False
        self._doubted = 0.0
        if since_ms >= 0:
            self.exchange, self.last, self.last_ms = exchange, price, ts_ms
        return True


def _is_leap(before: float, price: float) -> bool:
    return price > LEAP * before or price * LEAP < before
