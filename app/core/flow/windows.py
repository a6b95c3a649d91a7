"""Liquidations of one coin in rolling windows of event time, a fraction of a microsecond per event.

The second under way lives in plain attributes; seconds that are over are rows (`columns`); rows that get old
are folded into rows of minutes. Edges lie on whole seconds: a w-second window covers w to w + 1 seconds,
never less; where it reaches into the minute tier (1 h and 24 h of a busy coin), on whole minutes. Owned by
`core.flow.market`.
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf
from typing import Final

from app.core.domain.flow import LiquidationWindow
from app.core.flow.columns import (
    EXACT_USD,
    NO_SUMS,
    NOTHING,
    SPARE_ROWS,
    Extremes,
    LiquidationRows,
    Totals,
    cut,
    drop,
    minus,
    plus,
)

WINDOWS_S: Final = (10, 30, 60, 300, 3_600, 86_400)
RETAINED_S: Final = 320  # the longest window of seconds, its late events and a little more
RETAINED_MIN: Final = 1_441


class LiquidationWindows:
    """Feed events in any order; read sums at any time.

    second: the newest one with an event. long_usd, short_usd, longs, shorts: sums since the beginning, this
    second included; largest, low, high: of this second alone. wake_usd: while both sides together are below
    it, no threshold can have been reached. armed_from: the hot window (the cascade's) never reaches back
    before this second. late: events more than `disorder_s` behind the newest one. version: another number
    whenever a base of any window may have moved; past_version: when a minute that was over has changed.
    """

    __slots__ = (
        "_alarm_usd",
        "_base_usd",
        "_cut_at",
        "_disorder_s",
        "_floor_usd",
        "_folded_to",
        "_hot_s",
        "_is_awake",
        "_minute_floor_usd",
        "_minutes_cut_at",
        "armed_from",
        "high",
        "largest",
        "late",
        "long_usd",
        "longs",
        "low",
        "minute",
        "minute_base_long_usd",
        "minute_base_usd",
        "minutes",
        "newest_ms",
        "past_version",
        "second",
        "seconds",
        "short_usd",
        "shorts",
        "version",
        "wake_usd",
    )

    def __init__(self, *, hot_s: int, alarm_usd: float, floor_usd: float, disorder_s: int) -> None:
        """hot_s: length of the window that is compared on every event; alarm_usd: its threshold; floor_usd:
        what one minute must hold before anybody asks for its z-score."""
        self.seconds, self._cut_at = LiquidationRows(), SPARE_ROWS
        self.minutes, self._minutes_cut_at = LiquidationRows(), RETAINED_MIN
        self.second = self.minute = self.newest_ms = self.version = self.past_version = 0
        self.long_usd = self.short_usd = 0.0
        self.longs = self.shorts = self.late = 0
        self.largest, self.low, self.high = NOTHING
        self._base_usd = self.minute_base_usd = self.minute_base_long_usd = self.wake_usd = 0.0
        self.armed_from = self._folded_to = 0
        self._is_awake = False
        self._hot_s, self._alarm_usd, self._disorder_s = hot_s, alarm_usd, disorder_s
        self._floor_usd = self._minute_floor_usd = floor_usd

    def add(self, ts_ms: int, is_long: bool, usd: float, price: float) -> bool:
        """One event. Whether detectors have to look: False where no threshold can have been reached."""
        second = ts_ms // 1000
        usd = (usd + EXACT_USD) - EXACT_USD  # columns.exact, written out
        if second == self.second:
            if usd > self.largest:
                self.largest = usd
            if price < self.low:
                self.low = price
            elif price > self.high:
                self.high = price
        elif second < self.second:
            return self._late_event(second, is_long, usd, price)
        else:
            self._turn(second)
            self.largest, self.low, self.high = usd, price, price
        if ts_ms > self.newest_ms:
            self.newest_ms = ts_ms
        if is_long:
            self.long_usd += usd
            self.longs += 1
        else:
            self.short_usd += usd
            self.shorts += 1
        return self.long_usd + self.short_usd >= self.wake_usd

    def _turn(self, second: int) -> None:
        """A new second begins: the one before becomes a row, the hot window moves on."""
        sum_usd, before = self.long_usd + self.short_usd, self.second
        if before:
            rows = self.seconds
            rows.units.append(before)
            rows.long_usd.append(self.long_usd)
            rows.short_usd.append(self.short_usd)
            rows.longs.append(self.longs)
            rows.shorts.append(self.shorts)
            rows.largest.append(self.largest)
            rows.low.append(self.low)
            rows.high.append(self.high)
            if len(rows.units) >= self._cut_at:
                self._fold(second)
        self.second = second
        minute = second // 60
        if minute != self.minute:
            self.minute, self._minute_floor_usd = minute, self._floor_usd
            self.minute_base_usd, self.minute_base_long_usd = sum_usd, self.long_usd
        if before < second - self._hot_s and not self._is_awake:
            # Nothing lies within the hot window yet, so there is no base to look for (`_rebase`).
            self.version += 1
            self._base_usd = sum_usd
            self._plan()
        else:
            self._rebase()

    def _rebase(self) -> None:
        """What the hot window does not count: all before it, and what a cascade that is over has counted."""
        self.version += 1
        first = self.second - self._hot_s
        if first < self.armed_from:
            first = self.armed_from
        if first <= self.second:
            rows = self.seconds
            row = bisect_left(rows.units, first) - 1
            self._base_usd = rows.long_usd[row] + rows.short_usd[row]
        else:
            self._base_usd = self.long_usd + self.short_usd
        self._plan()

    def _plan(self) -> None:
        """From which sum on detectors have to look."""
        alarm_usd = self._base_usd + self._alarm_usd
        floor_usd = self.minute_base_usd + self._minute_floor_usd
        self.wake_usd = 0.0 if self._is_awake else alarm_usd if alarm_usd < floor_usd else floor_usd

    def _fold(self, second: int) -> None:
        """Old seconds become rows of minutes: of whole minutes, so that none is in both tiers."""
        rows, minutes = self.seconds, self.minutes
        self._folded_to = (second - RETAINED_S) // 60 * 60
        end, start = rows.row_from(self._folded_to), 1
        spans = []
        while start < end:
            stop = bisect_left(rows.units, rows.units[start] // 60 * 60 + 60, start, end)
            spans.append((start, stop))
            start = stop
        minutes.take_over(rows, spans, 60)
        drop(rows.columns, end - 1)
        self._cut_at = len(rows.units) + SPARE_ROWS
        if len(minutes.units) >= self._minutes_cut_at:
            self._minutes_cut_at = cut(minutes.columns, second // 60 - RETAINED_MIN)

    def add_sums(self, second: int, sums: Totals, largest: float) -> bool:
        """Many events of one second at once, without prices (the whole market is fed like this)."""
        newest_s = self.second
        if second < newest_s:
            return self._add_late(second, sums, Extremes(largest, inf, 0.0))
        if second != newest_s:
            self._turn(second)
        self.newest_ms = max(self.newest_ms, second * 1000)
        self.long_usd, self.short_usd, self.longs, self.shorts = plus(self.totals(), sums)
        self.largest = largest if second != newest_s else max(self.largest, largest)
        return self.long_usd + self.short_usd >= self.wake_usd

    def _late_event(self, second: int, is_long: bool, usd: float, price: float) -> bool:
        self.late += self.second - second > self._disorder_s
        late = Totals(usd, 0.0, 1, 0) if is_long else Totals(0.0, usd, 0, 1)
        return self._add_late(second, late, Extremes(usd, price, price))

    def _add_late(self, second: int, late: Totals, extremes: Extremes) -> bool:
        """Events of a second that is over: into their own place, however late, as long as that is kept.

        False where their seconds are folded already (five minutes ago or more): nothing then looks at them
        as news, and sums of 1 h and 24 h have them all the same.
        """
        minute = second // 60
        if minute <= self.minutes.units[0]:
            return False
        if second >= self._folded_to:
            self.seconds.patch(second, late, extremes)
        else:
            self.minutes.patch(minute, late, extremes)
            self.seconds.shift(0, late)
        if minute < self.minute:
            self.minute_base_usd += late.long_usd + late.short_usd
            self.minute_base_long_usd += late.long_usd
            self.past_version += 1
        self.long_usd, self.short_usd, self.longs, self.shorts = plus(self.totals(), late)
        self._rebase()
        return second >= self._folded_to

    def stay_awake(self, is_awake: bool) -> None:
        """While a cascade is under way every event has to be looked at."""
        self._is_awake = is_awake
        self._plan()

    @property
    def is_minute_loud(self) -> bool:
        """Whether the z-score of the minute under way is worth a look."""
        return self.minute_usd >= self._minute_floor_usd

    def no_alarm_below(self, minute_usd: float) -> None:
        """What the minute under way must hold before its z-score is worth another look."""
        self._minute_floor_usd = minute_usd
        self._plan()

    def disarm(self, counted_to_s: int) -> None:
        """A cascade is over: what it counted, up to this second, can start no other one."""
        self.armed_from = max(self.armed_from, counted_to_s + 1)
        self._rebase()

    @property
    def hot_usd(self) -> float:
        """Both sides of the hot window as of the newest event."""
        return self.long_usd + self.short_usd - self._base_usd

    @property
    def minute_usd(self) -> float:
        """Both sides of the minute under way."""
        return self.long_usd + self.short_usd - self.minute_base_usd

    def totals(self) -> Totals:
        """Sums since the beginning."""
        return Totals(self.long_usd, self.short_usd, self.longs, self.shorts)

    def before(self, second: int) -> Totals:
        """Sums from the beginning to before a second of the retained ones."""
        return self.totals() if second > self.second else self.seconds.before(second)

    def usd_before(self, second: int) -> tuple[float, float]:
        """`before` without the counts."""
        return (self.long_usd, self.short_usd) if second > self.second else self.seconds.usd_before(second)

    def since(self, second: int) -> Totals:
        """Sums from the beginning of a second of the retained ones on."""
        return minus(self.totals(), self.before(second))

    def hot_from(self, as_of_s: int) -> int:
        """First second of the hot window as it stands at `as_of_s`."""
        return max(as_of_s - self._hot_s, self.armed_from)

    def first_from(self, second: int) -> int:
        """The first second at or after `second` that had an event; the one under way if none is over yet."""
        row = self.seconds.row_from(second)
        return self.seconds.units[row] if row < len(self.seconds.units) else self.second

    def window(self, window_s: int, as_of_s: int) -> LiquidationWindow:
        """The last `window_s` seconds as of `as_of_s`, or as of the newest event where that is later."""
        edge = max(as_of_s, self.second) - window_s
        if self.second < edge:
            return _window(window_s, NO_SUMS, NOTHING)
        if edge > self.seconds.units[0]:
            return _window(window_s, self.since(edge), self.extremes_since(edge))
        rows, minute = self.minutes, edge // 60
        older = rows.extremes(rows.row_from(minute), len(rows.units))
        sums = minus(self.totals(), rows.before(minute))
        return _window(window_s, sums, _wider(older, self.extremes_since(self.seconds.units[0] + 1)))

    def extremes_since(self, second: int) -> Extremes:
        """Largest event and stated prices from a second of the retained ones on."""
        if self.second < second:
            return NOTHING
        rows = self.seconds
        over = rows.extremes(rows.row_from(second), len(rows.units))
        return _wider(over, Extremes(self.largest, self.low, self.high))

    def minutes_before(self, minute: int, count: int) -> dict[int, float]:
        """USD of both sides in each non-empty one of the `count` minutes before `minute`, oldest first."""
        first = minute - count
        if first * 60 <= self.seconds.units[0]:
            before, ends = self.minutes.ends(first, minute, 1)
            ends.update(self.seconds.ends(first * 60, minute * 60, 60)[1])
        else:
            before, ends = self.seconds.ends(first * 60, minute * 60, 60)
        for ended, end in ends.items():
            ends[ended], before = end - before, end
        return ends


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
