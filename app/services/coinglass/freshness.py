"""How long CoinGlass answers are good. Pure; the cache calls these after each fetch.

A history of closed bars changes once per bar, so it is fetched once per bar: good until the next bar is due,
or for a few seconds while the newest closed bar is not published yet or may still grow. Times are market
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.services.transport.cache import Freshness

# A bar that should be there and is not: it appears a moment after its close.
MISSING_BAR_MS = 20_000
# Our clock may run ahead of theirs, and late trades are still booked: a bar this young may not be finished.
SETTLING_MS = 90_000


class _Bars(Protocol):
    @property
    def interval_ms(self) -> int: ...
    @property
    def close_ms(self) -> tuple[int, ...]: ...


def history_freshness(missing_ms: int = MISSING_BAR_MS) -> Callable[[_Bars, int], Freshness]:
    """Good until exactly the next close; `missing_ms` while the newest closed bar is not there or not final.

    By our clock alone a bar is not final: a later bar beside it proves it, and so does its age.
    Worked numbers, 1h bars: fetched at 10:20 with the bar closed at 10:00 -> 40 min; without it -> 20 s.
    Fetched at 10:00:30 -> 59 min 30 s when the bar from 10:00 has begun, else 20 s.
    """

    def freshness(bars: _Bars, fetched_ms: int) -> Freshness:
        interval_ms = bars.interval_ms
        newest_close_ms = fetched_ms - fetched_ms % interval_ms
        error_ms = 2 * interval_ms
        until_next_ms = newest_close_ms + interval_ms - fetched_ms
        newest_ms = bars.close_ms[-1] if bars.close_ms else 0
        is_old = fetched_ms - newest_close_ms >= SETTLING_MS
        if newest_ms > newest_close_ms or (newest_ms == newest_close_ms and is_old):
            return Freshness(until_next_ms, 0, error_ms)
        return Freshness(min(missing_ms, until_next_ms), 0, error_ms)

    return freshness


def fixed_freshness(
    fresh_ms: int, *, revalidate_ms: int = 0, error_ms: int = 0
) -> Callable[[object, int], Freshness]:
    """The same freshness whatever the value."""
    freshness = Freshness(fresh_ms, revalidate_ms, error_ms)
    return lambda _value, _fetched_ms: freshness
