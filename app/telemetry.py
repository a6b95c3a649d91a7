"""Logs and metrics: one redacting log chain for the process, one Prometheus registry per `Metrics`.

Owns how things are reported, not what happens: the composition root passes the methods of `Metrics` as
observers to transport, cache, breaker and API, so no other module imports this one. Every text that leaves
through a log handler goes through the redaction it is given first.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor

# Their INFO lines print whole request URLs; uvicorn's access log prints paths the API has already counted.
# The MCP library tells of every request, at DEBUG with what stands in it.
_NOISY_LOGGERS = (
    *("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access", "websockets"),
    *("mcp", "sse_starlette"),
)
_HANDLER_NAME = "crypto-futures-signals"

_log = structlog.get_logger(__name__)
_LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 4.0, 8.0)


class RedactingProcessor:
    """Applies `redact` to every text of an event, however deep, as the last step before it is written."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def value(self, value: object) -> object:
        """The same for every string inside dicts, lists and tuples; other objects by their text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, Mapping):
            return {self._redact(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self._redact(value.decode(errors="replace") if isinstance(value, bytes) else str(value))

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """As a structlog processor."""
        return {key: self.value(item) for key, item in event.items()}


def configure_logging(
    *,
    level: str = "INFO",
    json: bool,
    redact: Callable[[str], str],
    data_mode: str,
    stream: TextIO | None = None,
) -> None:
    """Send the logs of this process, structlog's and the standard library's, through one redacting chain.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        json: one JSON object per line (production) instead of coloured columns.
        redact: cuts every secret out of a text; every string of every line goes through it.
        data_mode: put on every line, so that demo output never passes for market data.
        stream: where to; standard error when None.
    """
    before = _before_rendering(data_mode)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_terminal_colours,
                structlog.processors.format_exc_info,
                # After the traceback became text, before anything is written.
                RedactingProcessor(redact),
                _renderer(json=json, stream=stream or sys.stderr),
            ],
        )
    )
    root = logging.getLogger()
    # Called again (tests, reload): replace our handler, leave those of others (pytest) alone.
    for old in [item for item in root.handlers if item.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    _quiet_libraries()
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _without_terminal_colours(_logger: object, _method: str, event: EventDict) -> EventDict:
    """uvicorn repeats its message with escape codes in an extra field."""
    event.pop("color_message", None)
    return event


def _before_rendering(data_mode: str) -> list[Processor]:
    def add_data_mode(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.setdefault("dataMode", data_mode)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_data_mode,
    ]


def _renderer(*, json: bool, stream: TextIO) -> Processor:
    if json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=stream.isatty())


def _quiet_libraries() -> None:
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn brings handlers of its own that know nothing of redaction: let its lines reach ours instead.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


class CallFigures(Protocol):
    """What a provider call tells the metrics; the transport's call record is one.

    outcome: `ok` or an error code; elapsed_ms: retries and waits included; attempts: requests sent.
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
    def failed_batches(self) -> int: ...


class _StoreCollector(Collector):
    """Reads the store when it is scraped: no figure of it is kept twice."""

    def __init__(self, read: Callable[[], StoreFigures]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        now = self._read()
        up = GaugeMetricFamily("store_up", "1 while the database takes rows", labels=["backend", "state"])
        up.add_metric([now.backend, now.state], float(now.state == "ok"))
        yield up
        yield GaugeMetricFamily("store_buffered_rows", "Rows accepted, not written yet", now.buffered_rows)
        yield GaugeMetricFamily(
            "store_oldest_buffered_seconds", "How long the oldest of them has waited", now.oldest_buffered_s
        )
        rows = CounterMetricFamily("store_rows", "Rows by what became of them", labels=["fate"])
        for fate in ("written", "duplicate", "lost", "rejected"):
            rows.add_metric([fate], getattr(now, f"{fate}_rows"))
        yield rows
        yield CounterMetricFamily("store_failed_batches", "Batches to be tried again", now.failed_batches)


class LiveMetrics:
    """Figures of the live feed: who listens, what they were told, who was refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._clients = Gauge("live_clients", "Clients of the live feed.", ("kind",), registry=registry)
        self._sent = Counter(
            "live_messages_total", "Messages sent to them.", ("kind", "message"), registry=registry
        )
        self._coalesced = Counter(
            "live_coalesced_total",
            "Updates that reached a client within a later one, because it was slow.",
            registry=registry,
        )
        self._refused = Counter("live_refused_total", "Clients refused.", ("reason",), registry=registry)
        self._ended = Counter(
            "live_ended_total", "Clients that ended, by why.", ("kind", "why"), registry=registry
        )

    def live_clients(self, kind: str, count: int) -> None:
        """How many of a kind (ws, sse) listen now."""
        self._clients.labels(kind).set(count)

    def live_sent(self, kind: str, told: str) -> None:
        """One message (snapshot, delta, beat) was taken by the connection."""
        self._sent.labels(kind, told).inc()

    def live_coalesced(self, count: int) -> None:
        """A client was told this many updates within a later one."""
        self._coalesced.inc(count)

    def live_refused(self, reason: str) -> None:
        """A client was refused."""
        self._refused.labels(reason).inc()

    def live_ended(self, kind: str, ending: str) -> None:
        """A client that was served is so no more."""
        self._ended.labels(kind, ending).inc()


class Metrics:
    """Every figure of `/metrics`. One registry each, so two apps in one process (tests) do not collide.

    Labels hold our own names only (provider, endpoint id, route template): no symbol, key, URL or free text,
    which would grow without bound or leak.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = self._counter(
            "upstream_calls_total", "Calls to a provider, by outcome.", "provider", "endpoint", "outcome"
        )
        self._latency = self._histogram(
            "upstream_latency_seconds", "Time of a provider call, retries included.", "provider", "endpoint"
        )
        self._attempts = self._counter(
            "upstream_attempts_total", "HTTP requests sent to a provider, retries counted.", "provider"
        )
        self._breaker = self._counter(
            "breaker_state_changes_total", "Changes of a provider's circuit breaker.", "provider", "state"
        )
        self._cache = self._counter(
            "cache_requests_total",
            "Reads of the upstream cache: miss, hit, stale, shared.",
            "provider",
            "state",
        )
        self._redis_faults = self._counter(
            "redis_faults_total", "Redis commands that failed or were skipped.", "reason"
        )
        self._signals = self._counter("signals_total", "Signals computed.", "direction", "mode")
        self._requests = self._counter(
            "http_requests_total", "Answers of this service.", "method", "route", "status"
        )
        self._request_time = self._histogram(
            "http_request_duration_seconds", "Time of an answer of this service.", "method", "route"
        )
        self._info = Gauge(
            "service_info", "Data mode and version.", ("data_mode", "version"), registry=self.registry
        )

        self.live = LiveMetrics(self.registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        return Histogram(name, help_text, labels, buckets=_LATENCY_BUCKETS_S, registry=self.registry)

    def describe(self, *, data_mode: str, version: str) -> None:
        """State once what this process is."""
        self._info.labels(data_mode, version).set(1)

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

    def observe_signal(self, direction: str, mode: str) -> None:
        """One signal was computed."""
        self._signals.labels(direction, mode).inc()

    def observe_request(self, *, method: str, route: str, status: int, elapsed_s: float) -> None:
        """One answer; `route` is the template (`/signals/{symbol}`), never the path as typed."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_time.labels(method, route).observe(elapsed_s)

    def watch_store(self, read: Callable[[], StoreFigures]) -> None:
        """Ask the store at every scrape."""
        self.registry.register(_StoreCollector(read))

    def metrics_text(self) -> bytes:
        """All figures in the Prometheus text format."""
        return generate_latest(self.registry)
