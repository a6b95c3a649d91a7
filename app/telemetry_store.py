"""Figures of the database: asked when scraped, but for the time of each batch, which is told as it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.telemetry_labels import counter, gauge

_BATCH_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class StoreFigures(Protocol):
    """What the store tells the metrics; its status is one. Rows since the start, but for what is buffered."""

    @property
    def state(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def buffered_rows(self) -> int: ...
    @property
    def oldest_buffered_s(self) -> float: ...
    @property
    def written_rows(self) -> int: ...
    @property
    def duplicate_rows(self) -> int: ...
    @property
    def lost_rows(self) -> int: ...
    @property
    def rejected_rows(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def failed_batches(self) -> int: ...


class StoreMetrics:
    """Told how long each written batch took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "store_batch_seconds",
            "Time the database took for a batch.",
            buckets=_BATCH_BUCKETS_S,
            registry=registry,
        )

    def observe_batch(self, seconds: float) -> None:
        """One batch was written."""
        self._seconds.observe(seconds)


class StoreCollector(Collector):
    """Reads the store when it is scraped: no figure of it is kept twice."""

    def __init__(self, read: Callable[[], StoreFigures]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        now = self._read()
        up = gauge("store_up", "1 while the database takes rows.", "backend", "state")
        up.add_metric([now.backend, now.state], float(now.state == "ok"))
        yield up
        yield GaugeMetricFamily("store_buffered_rows", "Rows accepted, not written yet.", now.buffered_rows)
        yield GaugeMetricFamily(
            "store_oldest_buffered_seconds", "How long the oldest of them has waited.", now.oldest_buffered_s
        )
        rows = counter("store_rows", "Rows by what became of them.", "fate")
        for fate in ("written", "duplicate", "lost", "rejected"):
            rows.add_metric([fate], getattr(now, f"{fate}_rows"))
        yield rows
        yield CounterMetricFamily("store_batches", "Batches written.", now.batches)
        yield CounterMetricFamily("store_failed_batches", "Batches to be tried again.", now.failed_batches)
