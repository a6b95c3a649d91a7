"""Every figure of `/metrics`: one Prometheus registry per process, and the observers and collectors on it.

The composition root passes the observers on (to transport, cache, edge, delivery) and registers what is read
at a scrape (`bootstrap_telemetry`), so no other module imports this one. docs/metrics.md lists every family.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.registry import Collector

from app.telemetry_http import HttpMetrics
from app.telemetry_live import LiveMetrics
from app.telemetry_process import ProcessMetrics
from app.telemetry_signals import SignalMetrics
from app.telemetry_store import StoreMetrics
from app.telemetry_stream import DeliveryMetrics
from app.telemetry_upstream import UpstreamMetrics

# A second series beside every counter, with the time at which it began: nobody reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """One registry each, so two apps in one process (tests) do not collide.

    Labels hold our own names only (provider, endpoint id, route template): no symbol, key, URL or free text,
    which would grow without bound or leak.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self.http = HttpMetrics(self.registry)
        self.live = LiveMetrics(self.registry)
        self.upstream = UpstreamMetrics(self.registry)
        self.signals = SignalMetrics(self.registry, monotonic=monotonic)
        self.store = StoreMetrics(self.registry)
        self.deliveries = DeliveryMetrics(self.registry)
        self.process = ProcessMetrics(self.registry)
        self._info = Gauge(
            "service_info", "Data mode and version.", ("data_mode", "version"), registry=self.registry
        )

    def describe(self, *, data_mode: str, version: str) -> None:
        """State once what this process is."""
        self._info.labels(data_mode, version).set(1)

    def watch(self, collector: Collector) -> None:
        """Ask it at every scrape."""
        self.registry.register(collector)

    def metrics_text(self) -> bytes:
        """All figures in the Prometheus text format."""
        return generate_latest(self.registry)
