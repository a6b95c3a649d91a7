"""Traces reach a real collector without a secret in them, and a dead one is nobody's trouble."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.bootstrap_telemetry import build_tracing
from app.core.errors import ConfigurationError
from app.telemetry_metrics import Metrics
from app.telemetry_tracing import Tracing
from tests.live_process import ROOT, clean_environment
from tests.live_rig import closed_port, fault, live_rig

SECRET = "otcanary-5Vb9Xk27qLw4Rz1T"


@dataclass
class Collector:
    """What arrived: paths, raw bodies, and the spans in them."""

    url: str
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    status: int = 200

    def spans(self) -> list[Any]:
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def attributes(span: Any) -> dict[str, Any]:
    return {
        item.key: item.value.string_value or item.value.int_value or item.value.bool_value
        for item in span.attributes
    }


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on loopback, in threads of its own."""
    found = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            found.paths.append(self.path)
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_request_and_its_provider_calls_are_one_trace_without_a_secret() -> None:
    with collector() as found:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": found.url,
            "COINGLASS_API_KEY": SECRET,
            "API_KEYS": f"me:{SECRET}-key:read",
        }
        async with live_rig(settings, faults=(fault("okx", "status", 500),)) as rig:
            headers = {"Authorization": f"Bearer {SECRET}-key", "X-Request-ID": f"{SECRET}-id"}
            answer = await rig.app.client.get(f"/signals/BTC?note={SECRET}", headers=headers)
            assert answer.status_code == 200
            refused = await rig.app.client.get(f"/{SECRET}")
            assert refused.status_code == 401
    assert set(found.paths) == {"/v1/traces"}
    spans = found.spans()
    asked = next(span for span in spans if span.name == "GET /signals/{symbol}")
    assert attributes(asked) == {
        "http.request.method": "GET",
        "http.route": "/signals/{symbol}",
        "http.response.status_code": 200,
    }
    calls = [span for span in spans if span.parent_span_id == asked.span_id]
    assert all(span.trace_id == asked.trace_id for span in calls)
    outcomes = {(attributes(span)["provider"], attributes(span)["outcome"]) for span in calls}
    assert ("coinglass", "ok") in outcomes
    assert ("okx", "unavailable") in outcomes
    assert all(attributes(span)["endpoint"] in span.name for span in calls)
    assert all(asked.start_time_unix_nano <= span.end_time_unix_nano for span in calls)
    assert any(span.name == "GET unrouted" for span in spans)
    sent = b"".join(found.bodies)
    assert SECRET.encode() not in sent
    assert b"BTC" not in sent


@pytest.mark.parametrize("is_silent", [False, True], ids=["refuses", "answers nothing"])
async def test_a_dead_collector_changes_no_answer_and_holds_up_no_stop(
    is_silent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if is_silent else closed_port()
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        threads = threading.active_count()
        async with live_rig(settings) as rig:
            for _ in range(30):
                assert (await rig.app.get("/health")).status_code == 200
            assert threading.active_count() - threads < 12
            async with asyncio.timeout(20):
                base_tracing = Tracing(settings["OTEL_EXPORTER_OTLP_ENDPOINT"], version="1", data_mode="demo")
                base_tracing.request("GET")("/", 200)
                await base_tracing.close(within_s=0.05)
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


async def test_an_outage_of_the_collector_is_two_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="app.telemetry_tracing")
    metrics = Metrics()

    def failures() -> float | None:
        return metrics.registry.get_sample_value("trace_export_failures_total")

    assert failures() == 0
    with collector() as found:
        tracing = Tracing(
            found.url,
            version="1",
            data_mode="demo",
            every_ms=20,
            on_failure=metrics.process.note_unsent_traces,
        )

        async def trace_until(is_so: Callable[[], bool]) -> None:
            async with asyncio.timeout(30):
                while not is_so():
                    tracing.request("GET")("/", 200)
                    await asyncio.sleep(0.01)

        await trace_until(lambda: bool(found.bodies))
        assert caplog.messages == []
        found.status = 400
        await trace_until(lambda: (failures() or 0) >= 3)
        assert caplog.messages == ["traces do not arrive: the collector does not take them"]
        found.status = 200
        await trace_until(lambda: len(caplog.messages) > 1)
        assert caplog.messages[1:] == ["traces arrive again"]
        await tracing.close(within_s=20)


async def test_what_cannot_be_sent_is_dropped_beyond_a_bound() -> None:
    with collector() as found:
        tracing = Tracing(found.url, version="1", data_mode="demo", every_ms=60_000, max_queued=1_000)
        # Nothing is sent until a batch is full or the end.
        for _ in range(400):
            tracing.request("GET")("/", 200)
        await tracing.close(within_s=20)
        assert len(found.spans()) == 400
    dead = Tracing(f"http://127.0.0.1:{closed_port()}", version="1", data_mode="demo", max_queued=10)
    for _ in range(5_000):
        dead.request("GET")("/", 200)
    queue = dead._provider._active_span_processor._span_processors[0]._batch_processor._queue
    assert len(queue) <= 10
    await dead.close(within_s=0.05)


def test_without_its_packages_an_endpoint_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "app.telemetry_tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match=r"requirements-otel\.txt"):
        build_tracing("http://127.0.0.1:4318", version="1", data_mode="demo")


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys\n"
        "from app.bootstrap import build\n"
        "from app.settings import load_settings\n"
        "build(load_settings({'DATABASE_URL': 'sqlite:///x.db', 'WORKER': 'off'}))\n"
        "found = {'opentelemetry.sdk', 'requests', 'google.protobuf', 'app.telemetry_tracing'}\n"
        "sys.exit(str(sorted(found & set(sys.modules))) if found & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
