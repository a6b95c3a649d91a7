"""Figures of the streaming worker, read when they are scraped: links, pipeline, alerts, outbox, alarms.

The worker counts all of this for its own status; nothing is counted here a second time, but for deliveries by
scheme, which are told as they end. Which parts a process has depends on its role, and what it does not have
makes no series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.telemetry_labels import Capped, counter, gauge

_WAIT_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
_MAX_REASONS = 24
_IS_UP = frozenset({"live", "standby"})


class LinkFigures(Protocol):
    """One upstream stream. Counters since the start; rejects by reason."""

    @property
    def source(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_data_ms(self) -> int | None: ...
    @property
    def frames(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def rejects(self) -> Mapping[str, int]: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def gaps(self) -> int: ...


class PipelineFigures(Protocol):
    """What the analysis did since the start. events: liquidations; alerts: by fate."""

    @property
    def events(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def late_events(self) -> int: ...
    @property
    def skewed_events(self) -> int: ...
    @property
    def trades(self) -> int: ...
    @property
    def ticks(self) -> int: ...
    @property
    def symbols(self) -> int: ...
    @property
    def findings(self) -> int: ...
    @property
    def alerts(self) -> Mapping[str, int]: ...
    @property
    def lag_ms(self) -> int | None: ...


class DeliveryFigures(Protocol):
    """One try to deliver a message. wait_s: since the service learned of the alert, None for edits."""

    @property
    def scheme(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def wait_s(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """What waits to be sent, by state; oldest_s: how long the oldest is due, 0 when nothing is."""

    depth: Mapping[str, int]
    oldest_s: float


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One worker now. None: not a part of this process. backlog_frames: written and not analysed yet."""

    links: Sequence[LinkFigures]
    pipeline: PipelineFigures | None
    waiting_alerts: int
    lost_alerts: int
    outbox: OutboxFigures | None
    alarms: int
    backlog_frames: int | None = None


class DeliveryMetrics:
    """Told of every try to deliver something."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Counter(
            "deliveries_total", "Tries to deliver a message.", ("scheme", "outcome"), registry=registry
        )
        self._waits = Histogram(
            "delivery_wait_seconds",
            "From learning of an alert to the answer of its destination.",
            ("scheme",),
            buckets=_WAIT_BUCKETS_S,
            registry=registry,
        )

    def observe_delivery(self, record: DeliveryFigures) -> None:
        """One try has ended."""
        self._tries.labels(record.scheme, record.outcome).inc()
        if record.wait_s is not None:
            self._waits.labels(record.scheme).observe(max(0.0, record.wait_s))


class StreamCollector(Collector):
    """Asks the worker of this process."""

    def __init__(
        self,
        read: Callable[[], StreamFigures],
        *,
        states: Sequence[str],
        fates: Sequence[str],
        now_ms: Callable[[], int],
    ) -> None:
        """states: of a link; fates: of an alert. Every one of them is a series from the start."""
        self._read = read
        self._states = tuple(states)
        self._fates = tuple(fates)
        self._now_ms = now_ms
        self._reason = Capped(_MAX_REASONS)
        self._fate = Capped(len(self._fates), frozenset(self._fates))

    def collect(self) -> Iterator[Metric]:
        now = self._read()
        yield from self._links(now.links)
        if now.pipeline is not None:
            yield from self._pipeline(now.pipeline)
        if now.backlog_frames is not None:
            yield GaugeMetricFamily(
                "pipeline_backlog_frames", "Frames on the bus that wait for analysis.", now.backlog_frames
            )
        yield GaugeMetricFamily(
            "alerts_waiting_for_store", "Alerts the database has not taken yet.", now.waiting_alerts
        )
        yield CounterMetricFamily(
            "alerts_lost", "Alerts given up: the database was away too long.", now.lost_alerts
        )
        if now.outbox is not None:
            yield from _outbox(now.outbox)
        yield GaugeMetricFamily("worker_alarms", "What the worker says is wrong with it now.", now.alarms)

    def _links(self, links: Sequence[LinkFigures]) -> Iterator[Metric]:
        if not links:
            return
        up = gauge("stream_link_up", "1 while a stream is live or stands by.", "source")
        state = gauge("stream_link_state", "1 for the state a stream is in now.", "source", "state")
        age = gauge(
            "stream_last_data_age_seconds", "Since a stream's last data; absent before the first.", "source"
        )
        frames = counter("stream_frames", "Frames that came.", "source")
        events = counter("stream_events", "Usable events in them.", "source")
        rejects = counter("stream_rejects", "Events refused, by reason.", "source", "reason")
        reconnects = counter("stream_reconnects", "Connections after the first.", "source")
        gaps = counter("stream_gaps", "Times without data that are known of.", "source")
        now_ms = self._now_ms()
        for link in links:
            up.add_metric([link.source], float(link.state in _IS_UP))
            for name in self._states:
                state.add_metric([link.source, name], float(link.state == name))
            if link.last_data_ms is not None:
                age.add_metric([link.source], max(0.0, (now_ms - link.last_data_ms) / 1000))
            frames.add_metric([link.source], link.frames)
            events.add_metric([link.source], link.events)
            for reason, count in self._reason.sums(link.rejects).items():
                rejects.add_metric([link.source, reason], count)
            reconnects.add_metric([link.source], link.reconnects)
            gaps.add_metric([link.source], link.gaps)
        yield from (up, state, age, frames, events, rejects, reconnects, gaps)

    def _pipeline(self, now: PipelineFigures) -> Iterator[Metric]:
        yield CounterMetricFamily("pipeline_events", "Liquidations analysed.", now.events)
        yield CounterMetricFamily("pipeline_duplicates", "Liquidations known already.", now.duplicates)
        yield CounterMetricFamily("pipeline_late_events", "Older than the allowed disorder.", now.late_events)
        yield CounterMetricFamily("pipeline_skewed_events", "With a time of the future.", now.skewed_events)
        yield CounterMetricFamily("pipeline_findings", "What detectors found.", now.findings)
        yield GaugeMetricFamily("pipeline_symbols", "Coins with an event within a day.", now.symbols)
        points = counter("data_points_processed", "Events analysed, by kind.", "kind")
        points.add_metric(["liquidation"], now.events)
        points.add_metric(["trade"], now.trades)
        points.add_metric(["tick"], now.ticks)
        yield points
        lag = gauge("stream_lag_seconds", "From the newest liquidation to its arrival; absent before one.")
        if now.lag_ms is not None:
            lag.add_metric([], now.lag_ms / 1000)
        yield lag
        fates = counter("alerts", "Alerts by fate: kept, edited, or why nobody was told.", "fate")
        for fate, count in (dict.fromkeys(self._fates, 0.0) | self._fate.sums(now.alerts)).items():
            fates.add_metric([fate], count)
        yield fates


def _outbox(now: OutboxFigures) -> Iterator[Metric]:
    depth = gauge("outbox_depth", "Messages that are not sent, by state.", "state")
    for state, count in now.depth.items():
        depth.add_metric([state], count)
    yield depth
    yield GaugeMetricFamily("outbox_oldest_seconds", "How long the oldest has been due.", now.oldest_s)


class FaultCollector(Collector):
    """How often each loop of the process failed by a bug; its name is a word in our code."""

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read
        self._stage = Capped(40)

    def collect(self) -> Iterator[Metric]:
        faults = counter("stage_faults", "Loops that ended by a bug and were started again.", "stage")
        for stage, count in self._stage.sums(self._read()).items():
            faults.add_metric([stage], count)
        yield faults
