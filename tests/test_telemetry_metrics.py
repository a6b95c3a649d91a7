"""Figures: counted once, labelled from closed sets, and absent where nothing is known."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from app.core.clock import ManualClock
from app.telemetry import configure_logging
from app.telemetry_labels import OTHER, Capped
from app.telemetry_metrics import Metrics
from app.telemetry_process import LoopLag
from app.telemetry_record import RecordCollector
from app.telemetry_store import StoreCollector
from app.telemetry_stream import FaultCollector, OutboxFigures, StreamCollector, StreamFigures
from app.telemetry_upstream import ProviderCollector

Sample = tuple[str, frozenset[tuple[str, str]]]


def samples(metrics: Metrics) -> dict[Sample, float]:
    """Every sample by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.metrics_text().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


@dataclass(frozen=True)
class Call:
    provider: str = "okx"
    endpoint: str = "market_ticker"
    outcome: str = "ok"
    elapsed_ms: float = 200.0
    attempts: int = 2


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the configured logs go; the logging of the test run is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


class TestLabels:
    def test_values_beyond_the_cap_are_folded_and_known_ones_stay(self) -> None:
        cap = Capped(2)
        assert [cap(text) for text in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]

    def test_a_long_value_is_never_a_label(self) -> None:
        assert Capped(5)("x" * 200) == OTHER

    def test_a_closed_set_takes_nothing_else(self) -> None:
        cap = Capped(9, frozenset({"kept"}))
        assert (cap("kept"), cap("BTC")) == ("kept", OTHER)

    def test_counts_that_fold_into_one_are_added_up(self) -> None:
        assert Capped(1).sums({"a": 1, "b": 2, "c": 3}) == {"a": 1.0, OTHER: 5.0}


class TestUpstream:
    def test_a_call_is_counted_timed_and_its_attempts_summed(self) -> None:
        metrics = Metrics()
        metrics.upstream.observe_call(Call())
        labels = {"provider": "okx", "endpoint": "market_ticker"}
        assert value(metrics, "upstream_calls_total", outcome="ok", **labels) == 1
        assert value(metrics, "upstream_latency_seconds_sum", **labels) == 0.2
        assert value(metrics, "upstream_attempts_total", provider="okx") == 2

    def test_a_call_refused_before_sending_has_no_latency(self) -> None:
        metrics = Metrics()
        metrics.upstream.observe_call(Call(outcome="circuit_open", attempts=0, elapsed_ms=0.01))
        text = metrics.metrics_text().decode()
        assert 'outcome="circuit_open"' in text
        assert "upstream_latency_seconds_count{" not in text

    def test_cache_and_redis_are_counted(self) -> None:
        metrics = Metrics()
        metrics.upstream.observe_cache("okx", "hit")
        metrics.upstream.observe_redis_fault("timeout")
        assert value(metrics, "cache_requests_total", provider="okx", state="hit") == 1
        assert value(metrics, "redis_faults_total", reason="timeout") == 1

    def test_a_breaker_change_is_one_count_and_one_log_line(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=str, data_mode="live", stream=stream)
        metrics = Metrics()
        metrics.upstream.observe_breaker("okx", "closed", "open")
        assert value(metrics, "breaker_state_changes_total", provider="okx", state="open") == 1
        (line,) = [json.loads(text) for text in stream.getvalue().splitlines()]
        assert (line["event"], line["provider"], line["new"]) == ("breaker_changed", "okx", "open")


@dataclass
class Provider:
    provider: str = "okx"
    state: str = "ok"
    breaker: str = "closed"
    last_success_ms: int | None = None
    quota_left: int | None = None
    quota_limit: int | None = None


class TestProviders:
    def test_every_state_is_a_series_and_one_of_them_is_1(self) -> None:
        metrics, one = Metrics(), Provider(state="down", breaker="open")
        metrics.watch(ProviderCollector(lambda: [one], states=("ok", "down"), now_ms=lambda: 0))
        assert value(metrics, "provider_state", provider="okx", state="down") == 1
        assert value(metrics, "provider_state", provider="okx", state="ok") == 0
        assert value(metrics, "provider_breaker_open", provider="okx") == 1
        one.state, one.breaker = "ok", "closed"
        assert value(metrics, "provider_state", provider="okx", state="ok") == 1
        assert value(metrics, "provider_breaker_open", provider="okx") == 0

    def test_what_a_provider_does_not_say_is_absent(self) -> None:
        metrics, one = Metrics(), Provider()
        metrics.watch(ProviderCollector(lambda: [one], states=("ok",), now_ms=lambda: 61_000))
        names = (
            "provider_quota_left_calls",
            "provider_quota_limit_calls",
            "provider_last_success_age_seconds",
        )
        assert [value(metrics, name, provider="okx") for name in names] == [None, None, None]
        one.quota_left, one.quota_limit, one.last_success_ms = 7, 80, 1_000
        assert [value(metrics, name, provider="okx") for name in names] == [7, 80, 60]


class TestHttp:
    def test_an_answer_is_counted_under_both_names(self) -> None:
        metrics = Metrics()
        for _ in range(2):
            metrics.http.begun()
            metrics.http.answered(method="GET", route="/signals/{symbol}", status=200, elapsed_s=0.03)
        ours = {"method": "GET", "route": "/signals/{symbol}"}
        theirs = {"method": "GET", "endpoint": "/signals/{symbol}"}
        assert value(metrics, "http_requests_total", status="200", **ours) == 2
        assert value(metrics, "api_requests_total", status="200", **theirs) == 2
        for name, labels in (("http_request_duration_seconds", ours), ("api_response_time_seconds", theirs)):
            assert value(metrics, f"{name}_count", **labels) == 2
            assert value(metrics, f"{name}_sum", **labels) == pytest.approx(0.06)
            assert value(metrics, f"{name}_bucket", le="0.025", **labels) == 0
            assert value(metrics, f"{name}_bucket", le="0.05", **labels) == 2

    def test_what_is_under_way_shows_until_it_is_answered(self) -> None:
        metrics = Metrics()
        metrics.http.begun()
        assert value(metrics, "http_requests_in_flight") == 1
        metrics.http.answered(method="GET", route="/", status=200, elapsed_s=0.0)
        metrics.http.ended()
        assert value(metrics, "http_requests_in_flight") == 0

    def test_every_reason_of_a_refusal_is_there_before_the_first(self) -> None:
        metrics = Metrics()
        assert value(metrics, "http_refused_total", reason="overload") == 0
        metrics.http.refused("overload")
        assert value(metrics, "http_refused_total", reason="overload") == 1


class TestLive:
    def test_sockets_are_shown_under_their_other_name(self) -> None:
        metrics = Metrics()
        metrics.live.live_clients("ws", 2)
        metrics.live.live_clients("sse", 5)
        metrics.live.live_sent("ws", "delta")
        metrics.live.live_coalesced(3)
        metrics.live.live_refused("origin")
        metrics.live.live_ended("sse", "left")
        assert value(metrics, "live_clients", kind="sse") == 5
        assert value(metrics, "websocket_connections_active") == 2
        assert value(metrics, "live_messages_total", kind="ws", message="delta") == 1
        assert value(metrics, "live_coalesced_total") == 3
        assert value(metrics, "live_refused_total", reason="origin") == 1
        assert value(metrics, "live_ended_total", kind="sse", why="left") == 1


class TestSignals:
    def test_a_signal_says_its_side_its_inputs_and_how_long_ago_it_was(self) -> None:
        clock = ManualClock(0)
        metrics = Metrics(monotonic=clock.monotonic_s)
        assert value(metrics, "signal_last_age_seconds") is None
        metrics.signals.observe_signal(
            "LONG", "balanced", coverage=0.9, ages_s={"price": 3.0}, missing={"social": "not_configured"}
        )
        clock.tick(30)
        assert value(metrics, "signals_total", direction="LONG", mode="balanced") == 1
        assert value(metrics, "signal_input_age_seconds_bucket", capability="price", le="5.0") == 1
        assert value(metrics, "signal_input_age_seconds_bucket", capability="price", le="1.0") == 0
        missing = value(metrics, "signal_inputs_missing_total", capability="social", reason="not_configured")
        assert missing == 1
        assert value(metrics, "signal_coverage_ratio_sum") == 0.9
        assert value(metrics, "signal_last_age_seconds") == 30


@dataclass(frozen=True)
class Store:
    state: str = "ok"
    backend: str = "sqlite"
    buffered_rows: int = 4
    oldest_buffered_s: float = 0.5
    written_rows: int = 10
    duplicate_rows: int = 1
    lost_rows: int = 2
    rejected_rows: int = 3
    batches: int = 6
    failed_batches: int = 5


class TestStore:
    def test_the_store_is_read_and_its_batches_are_timed(self) -> None:
        metrics = Metrics()
        metrics.watch(StoreCollector(Store))
        metrics.store.observe_batch(0.02)
        assert value(metrics, "store_up", backend="sqlite", state="ok") == 1
        rows = {fate: value(metrics, "store_rows_total", fate=fate) for fate in ("written", "lost")}
        assert rows == {"written": 10, "lost": 2}
        assert value(metrics, "store_buffered_rows") == 4
        assert (value(metrics, "store_batches_total"), value(metrics, "store_failed_batches_total")) == (6, 5)
        assert value(metrics, "store_batch_seconds_bucket", le="0.025") == 1


@dataclass
class Link:
    source: str = "okx"
    state: str = "live"
    last_data_ms: int | None = 1_000
    frames: int = 7
    events: int = 9
    rejects: Mapping[str, int] = field(default_factory=lambda: {"bad_time": 2})
    reconnects: int = 1
    gaps: int = 3


@dataclass
class Pipeline:
    events: int = 5
    duplicates: int = 4
    late_events: int = 3
    skewed_events: int = 2
    trades: int = 50
    ticks: int = 60
    symbols: int = 8
    findings: int = 6
    alerts: Mapping[str, int] = field(default_factory=lambda: {"kept": 1})
    lag_ms: int | None = None


def watch(metrics: Metrics, **parts: Any) -> None:
    given: dict[str, Any] = {
        "links": [],
        "pipeline": None,
        "waiting_alerts": 0,
        "lost_alerts": 0,
        "outbox": None,
        "alarms": 0,
    }
    figures = StreamFigures(**(given | parts))
    metrics.watch(
        StreamCollector(
            lambda: figures, states=("live", "alarm"), fates=("kept", "edited", "muted"), now_ms=lambda: 4_000
        )
    )


class TestStream:
    def test_a_link_says_its_state_and_what_came(self) -> None:
        metrics = Metrics()
        watch(metrics, links=[Link()])
        assert value(metrics, "stream_link_up", source="okx") == 1
        assert value(metrics, "stream_link_state", source="okx", state="live") == 1
        assert value(metrics, "stream_link_state", source="okx", state="alarm") == 0
        assert value(metrics, "stream_frames_total", source="okx") == 7
        assert value(metrics, "stream_events_total", source="okx") == 9
        assert value(metrics, "stream_rejects_total", source="okx", reason="bad_time") == 2
        assert value(metrics, "stream_reconnects_total", source="okx") == 1
        assert value(metrics, "stream_gaps_total", source="okx") == 3
        assert value(metrics, "stream_last_data_age_seconds", source="okx") == 3

    def test_a_link_that_stands_by_is_up_and_one_without_data_has_no_age(self) -> None:
        metrics = Metrics()
        watch(metrics, links=[Link(state="standby"), Link("coinglass", "connecting", None)])
        assert value(metrics, "stream_link_up", source="okx") == 1
        assert value(metrics, "stream_link_up", source="coinglass") == 0
        assert value(metrics, "stream_last_data_age_seconds", source="coinglass") is None

    def test_a_hostile_stream_makes_a_bounded_number_of_series(self) -> None:
        metrics = Metrics()
        watch(metrics, links=[Link(rejects={f"reason {n}": 1 for n in range(1_000)})])
        found = {labels for name, labels in samples(metrics) if name == "stream_rejects_total"}
        assert len(found) <= 25
        assert value(metrics, "stream_rejects_total", source="okx", reason=OTHER) == 1_000 - 24

    def test_the_pipeline_is_shown_with_the_earlier_name_of_its_events(self) -> None:
        metrics = Metrics()
        watch(metrics, pipeline=Pipeline(lag_ms=250))
        names = ("events", "duplicates", "late_events", "skewed_events", "findings")
        assert [value(metrics, f"pipeline_{name}_total") for name in names] == [5, 4, 3, 2, 6]
        assert value(metrics, "pipeline_symbols") == 8
        assert value(metrics, "stream_lag_seconds") == 0.25
        kinds = ("liquidation", "trade", "tick")
        assert [value(metrics, "data_points_processed_total", kind=kind) for kind in kinds] == [5, 50, 60]

    def test_every_fate_is_there_before_the_first_alert_and_an_unknown_one_is_folded(self) -> None:
        metrics = Metrics()
        watch(metrics, pipeline=Pipeline(alerts={"kept": 2, "BTC": 7}))
        fates = ("kept", "edited", "muted", OTHER)
        assert [value(metrics, "alerts_total", fate=fate) for fate in fates] == [2, 0, 0, 7]

    def test_what_waits_and_what_was_lost(self) -> None:
        metrics = Metrics()
        outbox = OutboxFigures({"pending": 3, "failed": 1}, 12.5)
        watch(metrics, waiting_alerts=4, lost_alerts=2, outbox=outbox, alarms=1, backlog_frames=90)
        assert value(metrics, "alerts_waiting_for_store") == 4
        assert value(metrics, "alerts_lost_total") == 2
        assert value(metrics, "outbox_depth", state="pending") == 3
        assert value(metrics, "outbox_oldest_seconds") == 12.5
        assert value(metrics, "worker_alarms") == 1
        assert value(metrics, "pipeline_backlog_frames") == 90

    def test_parts_a_process_does_not_have_make_no_series(self) -> None:
        metrics = Metrics()
        watch(metrics)
        text = metrics.metrics_text().decode()
        for name in ("stream_link_up", "pipeline_events", "outbox_depth", "pipeline_backlog_frames"):
            assert name not in text

    def test_deliveries_and_faults_are_counted(self) -> None:
        @dataclass
        class Record:
            scheme: str = "telegram"
            outcome: str = "sent"
            wait_s: float | None = 0.2

        metrics = Metrics()
        metrics.deliveries.observe_delivery(Record())
        metrics.deliveries.observe_delivery(Record(outcome="edited", wait_s=None))
        metrics.watch(FaultCollector(lambda: {"poll": 2, "keep": 0}))
        assert value(metrics, "deliveries_total", scheme="telegram", outcome="sent") == 1
        assert value(metrics, "delivery_wait_seconds_count", scheme="telegram") == 1
        assert value(metrics, "stage_faults_total", stage="poll") == 2
        assert value(metrics, "stage_faults_total", stage="keep") == 0


@dataclass
class Horizon:
    horizon: str = "1h"
    trades: int = 0
    win_rate_frac: float | None = None
    mean_return_frac: float | None = None


class TestRecord:
    def test_without_an_outcome_there_is_no_rate_and_never_a_zero(self) -> None:
        metrics, found = Metrics(), [Horizon(), Horizon("4h", 3, 0.5, -0.001)]
        metrics.watch(RecordCollector(lambda: found))
        assert value(metrics, "record_trades", horizon="1h") == 0
        assert value(metrics, "record_win_rate_ratio", horizon="1h") is None
        assert value(metrics, "record_mean_return_ratio", horizon="1h") is None
        assert value(metrics, "record_trades", horizon="4h") == 3
        assert value(metrics, "record_win_rate_ratio", horizon="4h") == 0.5
        assert value(metrics, "record_mean_return_ratio", horizon="4h") == -0.001
        found.clear()
        assert value(metrics, "record_trades", horizon="1h") is None


class Over(Exception):
    """The loop has slept often enough."""


class TestProcess:
    async def measured(self, lag: LoopLag) -> None:
        with pytest.raises(Over):
            await lag.run()

    def lag(self, clock: ManualClock, *late_s: float) -> LoopLag:
        """Whose sleeps are late by so much, one after the other."""
        left = list(late_s)

        async def sleep(seconds: float) -> None:
            if not left:
                raise Over
            clock.tick(seconds + left.pop(0))

        return LoopLag(monotonic=clock.monotonic_s, sleep=sleep)

    async def test_the_worst_delay_of_the_last_15_s_is_shown(self) -> None:
        clock = ManualClock(0)
        lag = self.lag(clock, 0.0, 0.4, 0.1)
        await self.measured(lag)
        assert lag.worst_s() == pytest.approx(0.4)

    async def test_an_old_delay_is_forgotten(self) -> None:
        clock = ManualClock(0)
        lag = self.lag(clock, 2.0, *([0.0] * 61))
        await self.measured(lag)
        assert lag.worst_s() == pytest.approx(0.0)

    async def test_a_delay_that_goes_on_counts_already(self) -> None:
        clock = ManualClock(0)
        lag = self.lag(clock)
        await self.measured(lag)
        clock.tick(3.25)
        assert lag.worst_s() == pytest.approx(3.0)

    async def test_tasks_and_the_process_itself_are_shown(self) -> None:
        metrics = Metrics()
        tasks = value(metrics, "asyncio_tasks")
        assert (tasks or 0) >= 1
        text = metrics.metrics_text().decode()
        assert "process_resident_memory_bytes" in text
        assert "python_info{" in text


class TestRegistry:
    def test_what_the_process_is_is_stated(self) -> None:
        metrics = Metrics()
        metrics.describe(data_mode="demo", version="1.2")
        assert value(metrics, "service_info", data_mode="demo", version="1.2") == 1

    def test_two_services_in_one_process_count_apart(self) -> None:
        one, two = Metrics(), Metrics()
        one.http.refused("body")
        assert value(two, "http_refused_total", reason="body") == 0

    def test_counters_have_no_second_series_with_the_time_they_began(self) -> None:
        assert "_created" not in Metrics().metrics_text().decode()
