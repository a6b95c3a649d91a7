"""What the history use cases answer: stored bars of one coin, how complete they are, and replayed bars.

Owns the shapes and the search for gaps; where the bars come from is the services' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.domain.stored import BarRow, OpenInterestRow, RatioRow, RatioScope, SeriesName
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part

# The whole of time for a query without bounds: epoch to the last millisecond of the year 9999.
END_OF_TIME_MS = 253_402_300_800_000
# Bar sizes a history may be stored in: those of every route, those of recordings, and funding's own rhythms.
STORED_INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """Which stored bars. from_ms inclusive, to_ms exclusive, by close; exchange None: every exchange.

    scope: for LONG_SHORT only, None otherwise.
    """

    series: SeriesName
    symbol: Symbol
    interval: str
    from_ms: int = 0
    to_ms: int = END_OF_TIME_MS
    exchange: str | None = None
    scope: RatioScope | None = None
    limit: int = 200
    cursor: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are not stored between two that are: `bars` of them on `exchange`, after_ms < close <
    before_ms."""

    exchange: str
    after_ms: int
    before_ms: int
    bars: int


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """One page of stored bars.

    gaps: between the rows of this page, oldest first. oldest_ms / newest_ms: closes of the first and last
    bar stored of this history at all, None when there is none. other_intervals, other_exchanges: bar sizes
    and exchanges that are stored, looked up only when nothing is at those asked for.
    """

    request: HistoryRequest
    rows: tuple[BarRow, ...]
    cursor: str | None
    gaps: tuple[Gap, ...]
    oldest_ms: int | None
    newest_ms: int | None
    other_intervals: tuple[str, ...]
    other_exchanges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayedInterest:
    """Open interest bars, newest last, out of the store, from upstream, or both.

    part: who answered, or why nobody did. stored_bars: how many of `bars` came out of the store;
    stored_from: the providers that answered those at the time. next_ms: older bars close before this time,
    None when there are none. store_fault: why the store could not be asked, else None.
    """

    part: Part
    interval_ms: int | None
    label: str | None
    bars: tuple[OpenInterestRow, ...]
    next_ms: int | None
    stored_bars: int
    stored_from: tuple[str, ...]
    store_fault: str | None


def find_gaps(rows: Sequence[BarRow], interval_ms: int) -> tuple[Gap, ...]:
    """Holes between neighbouring bars of one exchange and scope, oldest first; rows in any order.

    Worked number: hourly bars that close at 1:00, 2:00 and 5:00 -> one gap of 2 bars.
    """
    closes: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        scope = row.scope if isinstance(row, RatioRow) else ""
        closes.setdefault((row.exchange, scope), []).append(row.close_ms)
    found: list[Gap] = []
    for (exchange, _), times in closes.items():
        times.sort()
        for after_ms, before_ms in pairwise(times):
            missing = (before_ms - after_ms) // interval_ms - 1
            if missing > 0:
                found.append(Gap(exchange, after_ms, before_ms, missing))
    return tuple(sorted(found, key=lambda gap: (gap.after_ms, gap.exchange)))
