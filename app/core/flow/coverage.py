"""From when on nothing is missing: what a comparison with the past may rest on.

Shared by all coins of one engine. A gap is noted when the first data after it has come.
"""

from __future__ import annotations

from collections import deque

from app.core.domain.flow import StreamGap

_MAX_KNOWN = 64
_MAX_GAPS = 500  # newest; a day of one gap every three minutes


class Coverage:
    """since_ms: start of the data or end of the last gap; None before the first event."""

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._first_min: int | None = None
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_MAX_GAPS)
        self._known: dict[tuple[int, int], int] = {}  # all coins ask the same within a minute

    def begin(self, ts_ms: int) -> None:
        """Data exists from here on; an earlier beginning (restored rows) is kept."""
        if self._first_min is None:
            self.since_ms, self._first_min = ts_ms, ts_ms // 60_000 + 1
            self._known.clear()

    def note_gap(self, gap: StreamGap) -> None:
        self.begin(gap.to_ms)
        self._known.clear()
        self.since_ms = max(gap.to_ms, self.since_ms or 0)
        self._gaps.append((gap.from_ms // 60_000, gap.to_ms // 60_000))

    def reach(self, before_min: int, count: int) -> int:
        """How far back data goes, at most `count` minutes; the minute in which it began is not whole."""
        return 0 if self._first_min is None else max(0, min(count, before_min - self._first_min))

    def whole_minutes(self, before_min: int, count: int) -> int:
        """How many of the `count` minutes before `before_min` were seen from beginning to end.

        Minutes that a gap touches are not, nor those before the data began.
        """
        known = self._known.get((before_min, count))
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[before_min, count] = self._whole_minutes(before_min, count)
        return known

    def _whole_minutes(self, before_min: int, count: int) -> int:
        reach = self.reach(before_min, count)
        missing: set[int] = set()
        for first, last in self._gaps:
            missing.update(range(max(first, before_min - reach), min(last + 1, before_min)))
        return reach - len(missing)
