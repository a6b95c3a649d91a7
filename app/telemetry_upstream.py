"""Figures of what is asked of providers: calls, cache and breakers as they happen, and each provider's state
when it is scraped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.telemetry_labels import gauge

_LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 4.0, 8.0)
_log = structlog.get_logger(__name__)


class CallFigures(Protocol):
    """What a provider call tells the metrics; the transport's call record is one.

    outcome: `ok`, `aborted` or an error code; elapsed_ms: with retries and waits; attempts: requests sent.
    """

    @property
    def provider(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def elapsed_ms(self) -> float: ...
    @property
    def attempts(self) -> int: ...


class ProviderFigures(Protocol):
    """What a provider's status tells the metrics. Quota and success are None where nothing is known."""

    @property
    def provider(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def breaker(self) -> str: ...
    @property
    def last_success_ms(self) -> int | None: ...
    @property
    def quota_left(self) -> int | None: ...
    @property
    def quota_limit(self) -> int | None: ...


class UpstreamMetrics:
    """Observers of transport, cache and breakers. Endpoints are ids of our own catalogue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "upstream_calls_total",
            "Calls to a provider, by outcome.",
            ("provider", "endpoint", "outcome"),
            registry=registry,
        )
        self._latency = Histogram(
            "upstream_latency_seconds",
            "Time of a provider call, retries included.",
            ("provider", "endpoint"),
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._attempts = Counter(
            "upstream_attempts_total",
            "HTTP requests sent to a provider, retries counted.",
            ("provider",),
            registry=registry,
        )
        self._breaker = Counter(
            "breaker_state_changes_total",
            "Changes of a provider's circuit breaker.",
            ("provider", "state"),
            registry=registry,
        )
        self._cache = Counter(
            "cache_requests_total",
            "Reads of the upstream cache: miss, hit, stale, shared.",
            ("provider", "state"),
            registry=registry,
        )
        self._redis_faults = Counter(
            "redis_faults_total",
            "Redis commands that failed or were skipped.",
            ("reason",),
            registry=registry,
        )

    def observe_call(self, call: CallFigures) -> None:
        """Count one provider call; calls refused before sending (breaker, quota) have no latency."""
        self._calls.labels(call.provider, call.endpoint, call.outcome).inc()
        self._attempts.labels(call.provider).inc(call.attempts)
        if call.attempts:
            self._latency.labels(call.provider, call.endpoint).observe(call.elapsed_ms / 1000)

    def observe_breaker(self, provider: str, old: str, new: str) -> None:
        """A circuit breaker changed state (closed, open, half_open): one count and one log line."""
        self._breaker.labels(provider, new).inc()
        _log.warning("breaker_changed", provider=provider, old=str(old), new=str(new))

    def observe_cache(self, provider: str, state: str) -> None:
        """One read of the upstream cache ended as miss, hit, stale or shared (from another process)."""
        self._cache.labels(provider, state).inc()

    def observe_redis_fault(self, reason: str) -> None:
        """One Redis command failed or was skipped; the service went on from memory."""
        self._redis_faults.labels(reason).inc()


class ProviderCollector(Collector):
    """Asks every provider how it does when it is scraped."""

    def __init__(
        self,
        read: Callable[[], Sequence[ProviderFigures]],
        *,
        states: Sequence[str],
        now_ms: Callable[[], int],
    ) -> None:
        """states: every word a provider may be in; each is a series of its own, 1 for the present one."""
        self._read = read
        self._states = tuple(states)
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        found, now_ms = self._read(), self._now_ms()
        state = gauge("provider_state", "1 for the state a provider is in now.", "provider", "state")
        is_open = gauge("provider_breaker_open", "1 while a provider's breaker is open.", "provider")
        left = gauge("provider_quota_left_calls", "Calls left in the present window.", "provider")
        limit = gauge("provider_quota_limit_calls", "Calls the plan allows per window.", "provider")
        age = gauge(
            "provider_last_success_age_seconds", "Since the last good answer; absent before.", "provider"
        )
        for one in found:
            for name in self._states:
                state.add_metric([one.provider, name], float(one.state == name))
            is_open.add_metric([one.provider], float(one.breaker == "open"))
            if one.quota_left is not None:
                left.add_metric([one.provider], one.quota_left)
            if one.quota_limit is not None:
                limit.add_metric([one.provider], one.quota_limit)
            if one.last_success_ms is not None:
                age.add_metric([one.provider], max(0.0, (now_ms - one.last_success_ms) / 1000))
        yield from (state, is_open, left, limit, age)
