"""What all pipelines of a process did together, those that have ended since included.

A partition that goes to another worker takes its pipeline along; what it counted here stays counted, so that
no counter falls. Asked by the worker for its status and its figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from app.core.domain.flow import PipelineStatus


class PipelineTotals:
    """The counts of the pipelines that have ended."""

    def __init__(self) -> None:
        self._ended: PipelineStatus | None = None

    def end(self, status: PipelineStatus) -> None:
        """The last word of a pipeline: its counts stay; the coins it knew and its lag do not."""
        left = replace(status, symbols=0, lag_ms=None)
        self._ended = left if self._ended is None else together([self._ended, left])

    def with_present(self, present: Iterable[PipelineStatus]) -> PipelineStatus | None:
        """Everything since the start; None in a process that never analysed anything."""
        ended = [] if self._ended is None else [self._ended]
        return together([*ended, *present])


def together(found: list[PipelineStatus]) -> PipelineStatus | None:
    """One status of several; None of none."""
    if not found:
        return None
    fates: Counter[str] = Counter()
    for one in found:
        fates.update(one.alerts)
    lags = [one.lag_ms for one in found if one.lag_ms is not None]
    return PipelineStatus(
        started_ms=min(one.started_ms for one in found),
        events=sum(one.events for one in found),
        duplicates=sum(one.duplicates for one in found),
        late_events=sum(one.late_events for one in found),
        skewed_events=sum(one.skewed_events for one in found),
        trades=sum(one.trades for one in found),
        symbols=sum(one.symbols for one in found),
        findings=sum(one.findings for one in found),
        alerts=dict(fates),
        lag_ms=max(lags, default=None),
        ticks=sum(one.ticks for one in found),
    )
