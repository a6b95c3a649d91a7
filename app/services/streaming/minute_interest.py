"""Open interest by the minute for the composite heatmap, read from the bars that the poller keeps.

Owns the reading and the words for what is missing; the arithmetic is `core.heatmap.interest`'s. Used by the
heatmap use case in every process that shares the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.domain.heatmap import MINUTE_MS, AbsentPart, HeatmapPart
from app.core.domain.quality import MissingReason
from app.core.domain.stored import BarQuery, OpenInterestRow, SeriesName
from app.core.domain.symbol import Symbol
from app.core.heatmap.composite import MIN_TILES_FOR_ALERT, WINDOW_MIN, InterestMinute
from app.core.heatmap.interest import interest_minutes
from app.core.store_ports import BarReader

# Two exchanges for a day: after a change of the provider both are there.
_MAX_ROWS = 3_000


class MinuteInterest:
    """Callable as `heatmap_service.InterestNow`."""

    def __init__(self, bars: BarReader) -> None:
        self._bars = bars

    async def __call__(self, symbol: Symbol, ts_min: int) -> Sequence[InterestMinute] | AbsentPart:
        """Minutes of the day that ends with `ts_min`, that one included. Raises: StorageUnavailable."""
        query = BarQuery(
            SeriesName.OPEN_INTEREST,
            symbol.base,
            "1m",
            from_ms=(ts_min - WINDOW_MIN) * MINUTE_MS,
            to_ms=(ts_min + 1) * MINUTE_MS + 1,
            limit=_MAX_ROWS,
        )
        page = await self._bars.bars(query)
        minutes = interest_minutes([row for row in page.rows if isinstance(row, OpenInterestRow)])
        if not minutes:
            return _absent("the worker has not kept open interest by the minute for this coin")
        if minutes[-1].ts_min != ts_min:
            return _absent(f"open interest of the last {ts_min - minutes[-1].ts_min} min is not known")
        if len(minutes) < MIN_TILES_FOR_ALERT:
            return _absent(f"{len(minutes)} minutes of open interest, {MIN_TILES_FOR_ALERT} are needed")
        return minutes


def _absent(detail: str) -> AbsentPart:
    return AbsentPart(HeatmapPart.OPEN_INTEREST_CHANGE, MissingReason.NO_DATA, detail)
