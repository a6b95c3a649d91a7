"""Taker volume of one watched coin in rolling windows of event time: 60 s and 300 s, and the base of a spike.

The same design as `windows`, seconds only: sums since the beginning, one row per non-empty second that is
over, any window a difference of two rows. Owned by `core.flow.coin`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final, NamedTuple

from app.core.domain.flow import TradeWindow
from app.core.flow.columns import EXACT_USD, Column, add_from, count_from, cut

TRADE_WINDOWS_S: Final = (60, 300)
RETAINED_S: Final = 320


class TradeTotals(NamedTuple):
    """USD and number of taker buys and sells; large ones counted again on their own."""

    buy_usd: float
    sell_usd: float
    buys: int
    sells: int
    large_buys: int
    large_sells: int

    @property
    def usd(self) -> float:
        return self.buy_usd + self.sell_usd

    @property
    def trades(self) -> int:
        return self.buys + self.sells

    def minus(self, before: TradeTotals) -> TradeTotals:
        return TradeTotals(
            self[0] - before[0],
            self[1] - before[1],
            self[2] - before[2],
            self[3] - before[3],
            self[4] - before[4],
            self[5] - before[5],
        )


NO_TRADES: Final = TradeTotals(0.0, 0.0, 0, 0, 0, 0)


class TradeWindows:
    """Feed trades in any order; read sums at any time. second: the newest one with a trade.

    first_ms: the first trade of an unbroken stretch (`break_off` begins a new one); late: trades more than
    `disorder_s` behind.
    """

    __slots__ = (
        "_columns",
        "_counts",
        "_cut_at",
        "_disorder_s",
        "_large_usd",
        "_seconds",
        "_usd",
        "first_ms",
        "late",
        "second",
        "totals",
    )

    def __init__(self, *, large_usd: float, disorder_s: int) -> None:
        self.second = self.late = 0
        self.first_ms: int | None = None
        self.totals = NO_TRADES
        self._large_usd, self._disorder_s = large_usd, disorder_s
        # The row of second 0 is nothing at all: so every window has a row before it.
        self._seconds = array("I", (0,))
        self._usd = (array("d", (0.0,)), array("d", (0.0,)))
        self._counts = (array("I", (0,)), array("I", (0,)), array("I", (0,)), array("I", (0,)))
        self._columns: tuple[Column, ...] = (self._seconds, *self._usd, *self._counts)
        self._cut_at = RETAINED_S

    def add(self, ts_ms: int, is_buy: bool, usd: float) -> None:
        """One trade. usd at or above the tier's threshold makes it large."""
        second = ts_ms // 1000
        usd = (usd + EXACT_USD) - EXACT_USD
        if second > self.second:
            self._turn(second)
        elif second < self.second and not self._add_late(second, is_buy, usd):
            return
        if self.first_ms is None:
            self.first_ms = ts_ms
        buy_usd, sell_usd, buys, sells, large_buys, large_sells = self.totals
        is_large = usd >= self._large_usd
        if is_buy:
            self.totals = TradeTotals(
                buy_usd + usd, sell_usd, buys + 1, sells, large_buys + is_large, large_sells
            )
        else:
            self.totals = TradeTotals(
                buy_usd, sell_usd + usd, buys, sells + 1, large_buys, large_sells + is_large
            )

    def _turn(self, second: int) -> None:
        if self.second:
            self._seconds.append(self.second)
            self._usd[0].append(self.totals.buy_usd)
            self._usd[1].append(self.totals.sell_usd)
            for column, count in zip(self._counts, self.totals[2:], strict=True):
                column.append(int(count))
            if len(self._seconds) >= self._cut_at:
                self._cut_at = cut(self._columns, second - RETAINED_S)
        self.second = second

    def _add_late(self, second: int, is_buy: bool, usd: float) -> bool:
        """Into the row of its second and all sums after it; False where that row is no longer kept."""
        self.late += self.second - second > self._disorder_s
        if second <= self._seconds[0]:
            return False
        row = bisect_left(self._seconds, second)
        if row == len(self._seconds) or self._seconds[row] != second:
            self._insert(row, second)
        side = 0 if is_buy else 1
        add_from(self._usd[side], row, usd)
        count_from(self._counts[side], row)
        if usd >= self._large_usd:
            count_from(self._counts[2 + side], row)
        return True

    def _insert(self, row: int, second: int) -> None:
        self._seconds.insert(row, second)
        for column in self._usd:
            column.insert(row, column[row - 1])
        for counts in self._counts:
            counts.insert(row, counts[row - 1])

    def before(self, second: int) -> TradeTotals:
        """Sums before `second` began (within the retained seconds)."""
        if second > self.second:
            return self.totals
        row = bisect_left(self._seconds, second) - 1
        buys, sells, large_buys, large_sells = (column[row] for column in self._counts)
        return TradeTotals(self._usd[0][row], self._usd[1][row], buys, sells, large_buys, large_sells)

    def last(self, window_s: int, as_of_s: int) -> TradeTotals:
        """The last `window_s` seconds as of `as_of_s`, or as of the newest trade where that is later."""
        return self.totals.minus(self.before(max(as_of_s, self.second) - window_s))

    def between(self, from_s: int, to_s: int) -> TradeTotals:
        """From the beginning of one second to the beginning of another."""
        return self.before(to_s).minus(self.before(from_s))

    def window(self, window_s: int, as_of_s: int) -> TradeWindow:
        return TradeWindow(window_s, *self.last(window_s, as_of_s))

    def break_off(self) -> None:
        """Trades are missing from here on: what compares spans of time has to wait for a whole one."""
        self.first_ms = None
