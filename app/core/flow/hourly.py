"""The liquidation history of one coin out of the own record: hourly sums that tell quiet from not recorded.

Pure. An hour is only in the series when one stream recorded all of it: an hour with a gap, or one in which
another stream was counted too, is left out and never taken for a quiet one. Called by
`services.streaming.stream_source`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.core.domain.flow import StreamGap
from app.core.domain.market import HOUR_MS, LiquidationHistory
from app.core.domain.stored import HourSum

# Source of the gaps that arise between processes: what any stream brought may be missing.
BUS = "bus"


def build_hours(
    sums: Sequence[HourSum], gaps: Iterable[StreamGap], *, source: str, until_ms: int, scope: str
) -> LiquidationHistory:
    """Whole hours of `source`, oldest first, up to the one that closes at or before `until_ms`.

    A gap of the bus is one of every stream.

    The first hour with an event is the one in which the recording may have begun, so the series starts after
    it. Worked numbers: events in hours 1 and 3, until 4, no gap -> hours 2, 3, 4 with nothing in 2 and 4.
    """
    own = {row.hour_ms: row for row in sums if row.source == source}
    foreign = {row.hour_ms for row in sums if row.source != source}
    broken = foreign | _hours_of(gap for gap in gaps if gap.source in (source, BUS))
    first_ms = min(own, default=until_ms)
    closes = [
        close_ms for close_ms in range(first_ms + HOUR_MS, until_ms + 1, HOUR_MS) if close_ms not in broken
    ]
    rows = [own.get(close_ms) for close_ms in closes]
    return LiquidationHistory(
        interval_ms=HOUR_MS,
        close_ms=tuple(closes),
        long_usd=tuple(row.long_usd if row else 0.0 for row in rows),
        short_usd=tuple(row.short_usd if row else 0.0 for row in rows),
        scope=scope,
    )


def _hours_of(gaps: Iterable[StreamGap]) -> set[int]:
    """Closes of the hours that a gap reaches into."""
    broken: set[int] = set()
    for gap in gaps:
        first = gap.from_ms // HOUR_MS * HOUR_MS + HOUR_MS
        last = max(gap.to_ms - 1, gap.from_ms) // HOUR_MS * HOUR_MS + HOUR_MS
        broken.update(range(first, last + 1, HOUR_MS))
    return broken
