"""What leaves the process as log line or metric: complete, labelled, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry import Metrics, RedactingProcessor, configure_logging

CANARY = "Kf93jd02mXq7LsPz81"
MASK = "***"


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


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def redact(text: str) -> str:
    return text.replace(CANARY, MASK)


class TestRedactingProcessor:
    @given(st.text(), st.text(), st.sampled_from(["text", "list", "dict", "key", "error", "bytes"]))
    def test_no_value_of_any_shape_lets_a_secret_through(self, before: str, after: str, shape: str) -> None:
        text = before + CANARY + after
        value = {
            "text": text,
            "list": [(text,)],
            "dict": {"x": {"y": text}},
            "key": {text: 1},
            "error": ValueError(text),
            "bytes": text.encode(errors="replace"),
        }[shape]
        assert CANARY not in str(RedactingProcessor(redact).value(value))


class TestLogging:
    def test_structlog_and_standard_logs_share_one_redacting_chain(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="demo", stream=stream)
        structlog.get_logger("a").warning("called %s", CANARY, url=f"https://h.example/p?k={CANARY}", n=3)
        logging.getLogger("b").error("std %s", CANARY, extra={"more": CANARY})
        first, second = lines(stream)
        assert CANARY not in stream.getvalue()
        assert (first["event"], first["n"], first["dataMode"], first["level"]) == (
            f"called {MASK}",
            3,
            "demo",
            "warning",
        )
        assert (second["event"], second["more"], second["logger"]) == (f"std {MASK}", MASK, "b")
        assert str(first["timestamp"]).endswith("Z")

    def test_a_traceback_is_logged_without_the_secret_in_it(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        try:
            raise ValueError(CANARY)
        except ValueError:
            logging.getLogger("a").exception("failed")
        (line,) = lines(stream)
        assert "Traceback" in str(line["exception"])
        assert CANARY not in stream.getvalue()

    def test_terminal_colours_of_the_web_server_do_not_reach_the_lines(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        logging.getLogger("a.web.server").warning("up", extra={"color_message": "\x1b[36mup"})
        assert "color_message" not in lines(stream)[0]

    def test_the_console_form_redacts_as_well(self, stream: io.StringIO) -> None:
        configure_logging(json=False, redact=redact, data_mode="live", stream=stream)
        structlog.get_logger("a").warning("x", key=CANARY)
        assert MASK in stream.getvalue()
        assert CANARY not in stream.getvalue()

    @pytest.mark.parametrize("name", ["httpx", "httpcore", "httpx2", "httpcore2", "uvicorn.access"])
    def test_libraries_that_print_whole_urls_are_quiet(self, stream: io.StringIO, name: str) -> None:
        configure_logging(json=True, redact=redact, level="DEBUG", data_mode="live", stream=stream)
        logging.getLogger(name).info("HTTP Request: GET https://h.example")
        assert stream.getvalue() == ""

    def test_configuring_twice_logs_each_line_once(self, stream: io.StringIO) -> None:
        for _ in range(2):
            configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        logging.getLogger("a").warning("once")
        assert len(lines(stream)) == 1


class TestMetrics:
    def test_a_call_is_counted_timed_and_its_attempts_summed(self) -> None:
        metrics = Metrics()
        metrics.observe_call(Call())
        text = metrics.metrics_text().decode()
        assert 'upstream_calls_total{endpoint="market_ticker",outcome="ok",provider="okx"} 1.0' in text
        assert 'upstream_latency_seconds_sum{endpoint="market_ticker",provider="okx"} 0.2' in text
        assert 'upstream_attempts_total{provider="okx"} 2.0' in text

    def test_a_call_refused_before_sending_has_no_latency(self) -> None:
        metrics = Metrics()
        metrics.observe_call(Call(outcome="circuit_open", attempts=0, elapsed_ms=0.01))
        text = metrics.metrics_text().decode()
        assert 'outcome="circuit_open"' in text
        assert "upstream_latency_seconds_count{" not in text

    def test_every_observer_shows_up(self) -> None:
        metrics = Metrics()
        metrics.describe(data_mode="demo", version="1.2")
        metrics.observe_cache("okx", "hit")
        metrics.observe_redis_fault("timeout")
        metrics.observe_signal("LONG", "balanced")
        metrics.observe_request(method="GET", route="/signals/{symbol}", status=200, elapsed_s=0.03)
        metrics.live.live_clients("ws", 2)
        metrics.live.live_sent("ws", "delta")
        metrics.live.live_coalesced(3)
        metrics.live.live_refused("origin")
        metrics.live.live_ended("sse", "left")
        text = metrics.metrics_text().decode()
        for line in (
            'live_clients{kind="ws"} 2.0',
            'live_messages_total{kind="ws",message="delta"} 1.0',
            "live_coalesced_total 3.0",
            'live_refused_total{reason="origin"} 1.0',
            'live_ended_total{kind="sse",why="left"} 1.0',
            'service_info{data_mode="demo",version="1.2"} 1.0',
            'cache_requests_total{provider="okx",state="hit"} 1.0',
            'redis_faults_total{reason="timeout"} 1.0',
            'signals_total{direction="LONG",mode="balanced"} 1.0',
            'http_requests_total{method="GET",route="/signals/{symbol}",status="200"} 1.0',
            'http_request_duration_seconds_bucket{le="0.05",method="GET",route="/signals/{symbol}"} 1.0',
        ):
            assert line in text

    def test_a_breaker_change_is_one_count_and_one_log_line(self, stream: io.StringIO) -> None:
        configure_logging(json=True, redact=redact, data_mode="live", stream=stream)
        metrics = Metrics()
        metrics.observe_breaker("okx", "closed", "open")
        assert b'breaker_state_changes_total{provider="okx",state="open"} 1.0' in metrics.metrics_text()
        (line,) = lines(stream)
        assert (line["event"], line["provider"], line["new"]) == ("breaker_changed", "okx", "open")

    def test_two_services_in_one_process_count_apart(self) -> None:
        one, two = Metrics(), Metrics()
        one.observe_signal("LONG", "balanced")
        assert b"LONG" not in two.metrics_text()
