"""Trading sessions and kill zones in their venues' own time, daylight saving included. Definition 9.

A bar belongs to a window when its open time lies in [start, end); a window that reaches midnight belongs to
the date it starts on. Vectorised (`session_columns`) and bar by bar (`SessionTracker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import nan
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from app.core.smc.bars import Bars, Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Session:
    """A window of local time, minutes from midnight; `end_min` 1440 is midnight."""

    name: str
    zone: str
    start_min: int
    end_min: int
    is_kill_zone: bool


_NEW_YORK = "America/New_York"
SESSIONS = (
    Session("tokyo", "Asia/Tokyo", 9 * 60, 18 * 60, False),
    Session("london", "Europe/London", 8 * 60, 16 * 60 + 30, False),
    # Cash hours; the wider 08:00-17:00 of FX would swallow half of London.
    Session("new_york", _NEW_YORK, 9 * 60 + 30, 16 * 60, False),
    Session("asia_kill_zone", _NEW_YORK, 20 * 60, 24 * 60, True),
    Session("london_kill_zone", _NEW_YORK, 2 * 60, 5 * 60, True),
    Session("new_york_kill_zone", _NEW_YORK, 7 * 60, 10 * 60, True),
    Session("london_close_kill_zone", _NEW_YORK, 10 * 60, 12 * 60, True),
)


@lru_cache(maxsize=20_000)
def window_of(session: Session, day: date) -> tuple[int, int]:
    """(start, end) of the window that starts on a local date, UTC ms.

    London 2026-03-30 (summer time since the 29th) -> 07:00 to 15:30 UTC; on 2026-03-27 -> 08:00 to 16:30.
    """
    midnight = datetime.combine(day, time(), ZoneInfo(session.zone))
    edges = (midnight + timedelta(minutes=minute) for minute in (session.start_min, session.end_min))
    start, end = (int(edge.astimezone(UTC).timestamp() * 1000) for edge in edges)
    return start, end


def windows_between(session: Session, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    """Windows that touch [from_ms, to_ms], in order."""
    # A local date may be a day beside the UTC date.
    day = datetime.fromtimestamp(from_ms / 1000, UTC).date() - timedelta(days=1)
    last = datetime.fromtimestamp(to_ms / 1000, UTC).date() + timedelta(days=1)
    while day <= last:
        start, end = window_of(session, day)
        if end > from_ms and start <= to_ms:
            yield start, end
        day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SessionColumns:
    """One row per bar: is it inside, since when (start of the window, -1 outside), high and low so far of
    this window only (NaN outside)."""

    is_active: Bools
    start_ms: Ints
    high: Floats
    low: Floats


def session_columns(bars: Bars, session: Session) -> SessionColumns:
    """One session over all bars."""
    size = len(bars)
    active, started = np.zeros(size, dtype=np.bool_), np.full(size, -1)
    high, low = np.full(size, np.nan), np.full(size, np.nan)
    if size:
        opens = bars.close_ms - bars.interval_ms
        windows = np.array(list(windows_between(session, int(opens[0]), int(opens[-1]))), dtype=np.int64)
        edges = np.searchsorted(opens, windows)
        for (begin, end), (start, _) in zip(edges.tolist(), windows.tolist(), strict=True):
            active[begin:end], started[begin:end] = True, start
            high[begin:end] = np.maximum.accumulate(bars.high[begin:end])
            low[begin:end] = np.minimum.accumulate(bars.low[begin:end])
    return SessionColumns(active, started, high, low)


class SessionRow(NamedTuple):
    """One row of `SessionColumns`."""

    is_active: bool
    start_ms: int
    high: float
    low: float


_OUTSIDE = SessionRow(False, -1, nan, nan)


class SessionTracker:
    """The same bar by bar."""

    __slots__ = ("_end", "_high", "_low", "_session", "_start")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._start = self._end = -1
        self._high = self._low = nan

    def update(self, open_ms: int, high: float, low: float) -> SessionRow:
        """Take the next bar; its row."""
        if open_ms >= self._end:
            self._start, self._end = next(windows_between(self._session, open_ms, open_ms + 3 * 86_400_000))
            self._high, self._low = high, low
        if open_ms < self._start:
            self._high = self._low = nan
            return _OUTSIDE
        self._high = high if not self._high >= high else self._high
        self._low = low if not self._low <= low else self._low
        return SessionRow(True, self._start, self._high, self._low)
