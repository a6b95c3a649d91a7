"""What a backfill did, series by series: counts, range, holes, flags, or why not.

Plain data, filled in by `backfill_service` and shown by the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.market import bar_length_ms
from app.core.domain.stored import BarRow


class Outcome(StrEnum):
    """How one series ended. Only `error` is a failure; the others are states."""

    DONE = "done"
    UP_TO_DATE = "up to date"  # nothing was missing
    NOT_OFFERED = "not offered"  # the source has no bars of this size
    NOT_IN_PLAN = "not in plan"
    NO_DATA = "no data"
    STOPPED = "stopped"  # told to stop; what was stored counts
    ERROR = "error"


@dataclass(slots=True)
class SeriesReport:
    """One history of one coin.

    fetched: bars that came; written: of these, stored. from_ms, to_ms: first and last close of what is
    covered now, None without any. missing_bars: bars that lack between the first and last that came.
    outliers: flagged in this run, also among bars stored before whose past was filled in.
    """

    provider: str
    series: str
    symbol: str
    interval: str
    exchange: str | None = None
    fetched: int = 0
    written: int = 0
    missing_bars: int = 0
    outliers: int = 0
    from_ms: int | None = None
    to_ms: int | None = None
    outcome: Outcome = Outcome.UP_TO_DATE
    detail: str = ""


class HoleCounter:
    """Counts the bars that lack between bars that came; fed page by page, oldest first."""

    def __init__(self) -> None:
        self._last_ms: int | None = None
        self.missing_bars = 0

    def restart(self) -> None:
        """What comes next does not join what came before."""
        self._last_ms = None

    def see(self, rows: tuple[BarRow, ...]) -> None:
        """Worked number: hourly closes at 1, 2 and 5 o'clock -> two bars are missing."""
        for row in rows:
            if self._last_ms is not None:
                bars = round((row.close_ms - self._last_ms) / bar_length_ms(row.interval))
                self.missing_bars += max(0, bars - 1)
            self._last_ms = row.close_ms
