"""Figures of the process itself: how late its own event loop is, how many tasks it has, what it weighs.

A process whose loop stalls sees every provider as slow. The lag says so first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

EVERY_S = 0.25
WINDOW_S = 15.0


class LoopLag:
    """Sleeps again and again and notes how late it wakes. `run()` until cancelled."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        every_s: float = EVERY_S,
        window_s: float = WINDOW_S,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._every_s = every_s
        self._window_s = window_s
        self._late: deque[tuple[float, float]] = deque(maxlen=max(1, round(window_s / every_s)))
        self._due_s: float | None = None

    async def run(self) -> None:
        """Measure."""
        while True:
            self._due_s = self._monotonic() + self._every_s
            await self._sleep(self._every_s)
            now_s = self._monotonic()
            self._late.append((now_s, max(0.0, now_s - self._due_s)))

    def worst_s(self) -> float:
        """The longest delay of the last 15 s; one that has not ended yet counts with what it has so far."""
        now_s = self._monotonic()
        late = [late_s for at_s, late_s in self._late if now_s - at_s <= self._window_s]
        if self._due_s is not None:
            late.append(now_s - self._due_s)
        return max([0.0, *late])


def _task_count() -> int:
    """Tasks of the running loop, 0 outside of one."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0


class ProcessMetrics:
    """Registers what is read of the process at every scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        tasks = Gauge("asyncio_tasks", "Tasks of the event loop.", registry=registry)
        tasks.set_function(_task_count)
        self._unsent = Counter(
            "trace_export_failures_total",
            "Batches of traces that the collector did not take; 0 where there are no traces.",
            registry=registry,
        )

    def note_unsent_traces(self) -> None:
        """A batch of traces was not taken; from any thread."""
        self._unsent.inc()

    def watch_loop(self, lag: LoopLag) -> None:
        """Show what it measures."""
        gauge = Gauge(
            "event_loop_lag_seconds",
            "Worst delay of the event loop within the last 15 s.",
            registry=self._registry,
        )
        gauge.set_function(lag.worst_s)
