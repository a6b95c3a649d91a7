"""How long CoinGlass answers are good. Pure; the cache calls these after each fetch.

A history of closed bars changes once per bar, so it is fetched once per bar: good until the next bar is due,
or for a few seconds while the newest closed bar is not published yet. Times are market time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.services.transport.cache import Freshness

# A bar that should be there and is not: it appears a moment after its close.
MISSING_BAR_MS = 20_000


class _Bars(Protocol):
    @property
    def interval_ms(self) -> int: ...
    @property
    def close_ms(self) -> tuple[int, ...]: ...


def history_freshness(missing_ms: int = MISSING_BAR_MS) -> Callable[[_Bars, int], Freshness]:
    """Good until exactly the next close; `missing_ms` when the newest closed bar is not there yet.

    Worked numbers, 1h bars: fetched at 10:20 with the bar closed at 10:00 -> 40 min; without it -> 20 s.
    """

    def freshness(bars: _Bars, fetched_ms: int) -> Freshness:
        interval_ms = bars.interval_ms
        newest_close_ms = fetched_ms - fetched_ms % interval_ms
        error_ms = 2 * interval_ms
        if bars.close_ms and bars.close_ms[-1] >= newest_close_ms:
            return Freshness(newest_close_ms + interval_ms - fetched_ms, 0, error_ms)
        return Freshness(missing_ms, 0, error_ms)

    return freshness


def fixed_freshness(
    fresh_ms: int, *, revalidate_ms: int = 0, error_ms: int = 0
) -> Callable[[object, int], Freshness]:
    """The same freshness whatever the value."""
    freshness = Freshness(fresh_ms, revalidate_ms, error_ms)
    return lambda _value, _fetched_ms: freshness
