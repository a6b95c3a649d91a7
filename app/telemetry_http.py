"""Figures of the HTTP door: answers, their times, what was refused, what is under way.

Counted once, under our names; the names that earlier systems of this kind had (`api_...`) are the same
counters, written a second time when they are scraped. Called by the edge for every request, so children are
looked up once per route and status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 4.0, 8.0)
# Why the edge answers without asking a route; all there are, so that a rate exists before the first one.
REFUSALS = (
    "overload",
    "rate_limit",
    "client_concurrency",
    "unauthorized",
    "origin",
    "body",
    "scope",
    "malformed",
)


class HttpMetrics:
    """`RequestObserver` of the edge. Methods, route templates and statuses are closed sets there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests_total",
            "Answers of this service.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._times = Histogram(
            "http_request_duration_seconds",
            "Time of an answer; of one without an end (events) the time until it begins.",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._refused = Counter(
            "http_refused_total", "Requests refused without asking a route.", ("reason",), registry=registry
        )
        for reason in REFUSALS:
            self._refused.labels(reason)
        in_flight = Gauge(
            "http_requests_in_flight", "Requests being answered now, but for scrapes.", registry=registry
        )
        in_flight.set_function(lambda: self._in_flight)
        registry.register(_EarlierNames(self._requests, self._times))
        self._in_flight = 0
        self._counts: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def begun(self) -> None:
        """A request has come."""
        self._in_flight += 1

    def ended(self) -> None:
        """One that had come is over."""
        self._in_flight -= 1

    def answered(self, *, method: str, route: str, status: int, elapsed_s: float) -> None:
        """It was answered; `route` is the template (`/signals/{symbol}`), never the path as typed."""
        key = (method, route, status)
        found = self._counts.get(key)
        if found is None:
            children = self._requests.labels(method, route, str(status)), self._times.labels(method, route)
            found = self._counts[key] = children
        found[0].inc()
        found[1].observe(elapsed_s)

    def refused(self, reason: str) -> None:
        """It was answered by a refusal, one of `REFUSALS`."""
        self._refused.labels(reason).inc()

    def refused_at_door(self, count: int) -> None:
        """So many were refused for want of time, most of them before they were parsed."""
        self._refused.labels("overload").inc(count)


class _EarlierNames(Collector):
    """`api_requests_total` and `api_response_time_seconds`: other names of the same counts."""

    def __init__(self, requests: Counter, times: Histogram) -> None:
        self._requests = requests
        self._times = times

    def collect(self) -> Iterator[Metric]:
        yield from _renamed(self._requests.collect(), "api_requests", "Another name of http_requests_total.")
        told = "Another name of http_request_duration_seconds."
        yield from _renamed(self._times.collect(), "api_response_time_seconds", told)


def _renamed(families: Iterable[Metric], name: str, text: str) -> Iterator[Metric]:
    for family in families:
        copy = Metric(name, text, family.type)
        for sample in family.samples:
            labels = {"endpoint" if key == "route" else key: value for key, value in sample.labels.items()}
            copy.add_sample(name + sample.name.removeprefix(family.name), labels, sample.value)
        yield copy
