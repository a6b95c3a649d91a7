"""Figures of the signals: how many, of what side, how old and how complete what they were made of was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.telemetry_labels import gauge

# An input is fresh within seconds to minutes; histories are an hour old at most before a bar is due.
_AGE_BUCKETS_S = (1, 5, 15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14_400, 86_400)
_COVERAGE_BUCKETS = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0)


class SignalMetrics(Collector):
    """Told of every computed signal. Capabilities and reasons are enumerations of the domain."""

    def __init__(self, registry: CollectorRegistry, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s: float | None = None
        self._signals = Counter(
            "signals_total", "Signals computed.", ("direction", "mode"), registry=registry
        )
        self._ages = Histogram(
            "signal_input_age_seconds",
            "Age of every reading a signal was made of.",
            ("capability",),
            buckets=_AGE_BUCKETS_S,
            registry=registry,
        )
        self._missing = Counter(
            "signal_inputs_missing_total",
            "Inputs a signal had to do without.",
            ("capability", "reason"),
            registry=registry,
        )
        self._coverage = Histogram(
            "signal_coverage_ratio",
            "Share of the weight that had data, 0 to 1.",
            buckets=_COVERAGE_BUCKETS,
            registry=registry,
        )
        registry.register(self)

    def observe_signal(
        self,
        direction: str,
        mode: str,
        *,
        coverage: float,
        ages_s: Mapping[str, float],
        missing: Mapping[str, str],
    ) -> None:
        """One signal was computed. ages_s: by capability; missing: the reason, by capability."""
        self._signals.labels(direction, mode).inc()
        self._coverage.observe(coverage)
        for capability, age_s in ages_s.items():
            self._ages.labels(capability).observe(age_s)
        for capability, reason in missing.items():
            self._missing.labels(capability, reason).inc()
        self._last_s = self._monotonic()

    def collect(self) -> Iterator[Metric]:
        """The age of the last signal; no sample before the first."""
        age = gauge("signal_last_age_seconds", "Since the last signal was computed; absent before.")
        if self._last_s is not None:
            age.add_metric([], self._monotonic() - self._last_s)
        yield age
