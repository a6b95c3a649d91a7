"""Liquidations of one coin in rolling windows of event time, under half a microsecond per event.

The second under way lives in plain attributes; seconds that are over are rows (`columns`), minutes that are
over are rows of a second tier for 1 h and 24 h. Edges lie on whole seconds: a w-second window covers w to
w + 1 seconds, never less; from 1 h on whole minutes (w to w + 60 s). Owned by `core.flow.coin`.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Final

from app.core.domain.flow import LiquidationWindow
from app.core.flow.columns import EXACT_USD, Extremes, LiquidationRows, Totals

WINDOWS_S: Final = (10, 30, 60, 300, 3_600, 86_400)
MINUTE_TIER_FROM_S: Final = 3_600  # windows from here on are summed from whole minutes
RETAINED_S: Final = 320  # the longest window of seconds, its late events and a little more
RETAINED_MIN: Final = 1_441


class LiquidationWindows:
    """Feed events in any order; read sums at any time.

    second: the newest one with an event. long_usd, short_usd, longs, shorts: sums since the beginning, this
    second included; largest, low, high: of this second alone. base_*: the sums before the hot window (the
    cascade's) began. wake_usd: while both sides together are below it, no threshold can have been reached.
    armed_from: the hot window never reaches back before this second. late: events more than `disorder_s`
    behind the newest one.
    """

    __slots__ = (
        "_alarm_usd",
        "_base_usd",
        "_disorder_s",
        "_floor_usd",
        "_hot_s",
        "_minute_floor_usd",
        "armed_from",
        "high",
        "is_awake",
        "largest",
        "late",
        "long_usd",
        "longs",
        "low",
        "minute",
        "minute_base_usd",
        "minutes",
        "newest_ms",
        "second",
        "seconds",
        "short_usd",
        "shorts",
        "wake_usd",
    )

    def __init__(self, *, hot_s: int, alarm_usd: float, floor_usd: float, disorder_s: int) -> None:
        """hot_s: length of the window that is compared on every event; alarm_usd: its threshold; floor_usd:
        what one minute must hold before anybody asks for its z-score."""
        self.seconds = LiquidationRows(RETAINED_S)
        self.minutes = LiquidationRows(RETAINED_MIN)
        self.second = self.minute = self.newest_ms = 0
        self.long_usd = self.short_usd = 0.0
        self.longs = self.shorts = self.late = 0
        self.largest, self.low, self.high = 0.0, inf, 0.0
        self._base_usd = self.minute_base_usd = self.wake_usd = 0.0
        self.armed_from = 0
        self.is_awake = False
        self._hot_s, self._alarm_usd, self._disorder_s = hot_s, alarm_usd, disorder_s
        self._floor_usd = self._minute_floor_usd = floor_usd

    def add(self, ts_ms: int, is_long: bool, usd: float, price: float) -> bool:
        """One event. Whether detectors have to look: False where no threshold can have been reached."""
        second = ts_ms // 1000
        usd = (usd + EXACT_USD) - EXACT_USD  # columns.exact, written out
        if second != self.second:
            if second < self.second:
                return self._late_event(second, is_long, usd, price)
            self._turn(second)
        if ts_ms > self.newest_ms:
            self.newest_ms = ts_ms
        if is_long:
            self.long_usd += usd
            self.longs += 1
        else:
            self.short_usd += usd
            self.shorts += 1
        if usd > self.largest:
            self.largest = usd
        if price < self.low:
            self.low = price
        if price > self.high:
            self.high = price
        return self.long_usd + self.short_usd >= self.wake_usd

    def _turn(self, second: int) -> None:
        """A new second begins: the one before becomes a row, the hot window moves on."""
        if self.second:
            extremes = Extremes(self.largest, self.low, self.high)
            self.seconds.append(self.second, self.totals(), extremes)
            if second // 60 != self.minute:
                self._close_minute()
        self.second, self.minute = second, second // 60
        self.largest, self.low, self.high = 0.0, inf, 0.0
        self._rebase()

    def _rebase(self) -> None:
        """What the hot window does not count: all before it, and what a cascade that is over has counted."""
        first = max(self.second - self._hot_s, self.armed_from)
        self._base_usd = self.long_usd + self.short_usd
        if first <= self.second:
            before = self.seconds.before(first)
            self._base_usd = before.long_usd + before.short_usd
        self._plan()

    def _close_minute(self) -> None:
        self.minutes.append(self.minute, self.totals(), self.seconds.extremes(self.minute * 60))
        self.minute_base_usd = self.long_usd + self.short_usd
        self._minute_floor_usd = self._floor_usd

    def _plan(self) -> None:
        """When detectors have to look next."""
        alarm_usd = self._base_usd + self._alarm_usd
        asleep_until = min(alarm_usd, self.minute_base_usd + self._minute_floor_usd)
        self.wake_usd = 0.0 if self.is_awake else asleep_until

    def add_sums(self, second: int, sums: Totals, largest: float) -> bool:
        """Many events of one second at once, without prices (the whole market is fed like this)."""
        extremes = Extremes(largest, inf, 0.0)
        if second < self.second:
            return self._add_late(second, sums, extremes)
        if second != self.second:
            self._turn(second)
        self.newest_ms = max(self.newest_ms, second * 1000)
        self.long_usd, self.short_usd, self.longs, self.shorts = plus(self.totals(), sums)
        self.largest = max(self.largest, largest)
        return self.long_usd + self.short_usd >= self.wake_usd

    def _late_event(self, second: int, is_long: bool, usd: float, price: float) -> bool:
        self.late += self.second - second > self._disorder_s
        late = Totals(usd, 0.0, 1, 0) if is_long else Totals(0.0, usd, 0, 1)
        return self._add_late(second, late, Extremes(usd, price, price))

    def _add_late(self, second: int, late: Totals, extremes: Extremes) -> bool:
        """Events of a second that is over: into their own place, however late, as long as that is kept."""
        minute = second // 60
        if not self.minutes.holds(minute):
            return False
        is_fresh = self.seconds.holds(second)
        if is_fresh:
            self.seconds.patch(second, late, extremes)
        else:
            self.seconds.shift(0, late)
        if minute < self.minute:
            self.minutes.patch(minute, late, extremes)
            self.minute_base_usd += late.long_usd + late.short_usd
        self.long_usd, self.short_usd, self.longs, self.shorts = plus(self.totals(), late)
        self._rebase()
        return is_fresh

    def stay_awake(self, is_awake: bool) -> None:
        """While a cascade is under way every event has to be looked at."""
        self.is_awake = is_awake
        self._plan()

    def no_alarm_below(self, minute_usd: float) -> None:
        """What the minute under way must hold before its z-score is worth another look."""
        self._minute_floor_usd = minute_usd
        self._plan()

    def disarm(self, counted_to_s: int) -> None:
        """A cascade is over: what it counted, up to this second, can start no other one."""
        self.armed_from = max(self.armed_from, counted_to_s + 1)
        self._rebase()

    @property
    def minute_usd(self) -> float:
        """Both sides of the minute under way."""
        return self.long_usd + self.short_usd - self.minute_base_usd

    def totals(self) -> Totals:
        return Totals(self.long_usd, self.short_usd, self.longs, self.shorts)

    def since(self, second: int) -> Totals:
        """Sums from the beginning of `second` on (within the retained seconds)."""
        if self.second < second:
            return Totals(0.0, 0.0, 0, 0)
        return difference(self.totals(), self.seconds.before(second))

    def hot_from(self, as_of_s: int) -> int:
        """First second of the hot window as it stands at `as_of_s`."""
        return max(as_of_s - self._hot_s, self.armed_from)

    def first_from(self, second: int) -> int:
        """The first second at or after `second` that had an event; the newest one if none is closed yet."""
        row = self.seconds.row_from(second)
        return self.seconds.units[row] if row < len(self.seconds.units) else self.second

    def window(self, window_s: int, as_of_s: int) -> LiquidationWindow:
        """The last `window_s` seconds as of `as_of_s`, or as of the newest event where that is later."""
        as_of_s = max(as_of_s, self.second)
        if window_s >= MINUTE_TIER_FROM_S:
            return self._of_minutes(window_s, as_of_s // 60 - window_s // 60)
        edge = as_of_s - window_s
        return _window(window_s, self.since(edge), self.extremes_since(edge))

    def extremes_since(self, second: int) -> Extremes:
        if self.second < second:
            return Extremes(0.0, inf, 0.0)
        return _wider(self.seconds.extremes(second), Extremes(self.largest, self.low, self.high))

    def _of_minutes(self, window_s: int, edge: int) -> LiquidationWindow:
        if self.minute < edge:
            return _window(window_s, Totals(0.0, 0.0, 0, 0), Extremes(0.0, inf, 0.0))
        sums = difference(self.totals(), self.minutes.before(edge))
        now = self.extremes_since(self.minute * 60)
        return _window(window_s, sums, _wider(self.minutes.extremes(edge), now))

    def minutes_before(self, minute: int, count: int) -> list[float]:
        """USD of both sides in each non-empty one of the `count` minutes before `minute`."""
        rows = self.minutes
        start, end = rows.row_from(minute - count), rows.row_from(minute)
        longs, shorts = rows.long_usd[start - 1 : end], rows.short_usd[start - 1 : end]
        sums = [long + short for long, short in zip(longs, shorts, strict=True)]
        return [after - before for before, after in pairwise(sums)]

    def nbytes(self) -> int:
        """Memory of the columns in bytes."""
        return self.seconds.nbytes() + self.minutes.nbytes()


def plus(one: Totals, other: Totals) -> Totals:
    return Totals(one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def difference(now: Totals, before: Totals) -> Totals:
    return Totals(now[0] - before[0], now[1] - before[1], now[2] - before[2], now[3] - before[3])


def _wider(one: Extremes, other: Extremes) -> Extremes:
    return Extremes(max(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]))


def _window(window_s: int, sums: Totals, extremes: Extremes) -> LiquidationWindow:
    has_prices = extremes.high > 0.0
    return LiquidationWindow(
        window_s=window_s,
        long_usd=sums.long_usd,
        short_usd=sums.short_usd,
        long_events=sums.longs,
        short_events=sums.shorts,
        largest_usd=extremes.largest,
        low=extremes.low if has_prices else None,
        high=extremes.high if has_prices else None,
    )
