"""Traces by OpenTelemetry (OTLP over HTTP): one span per request, one beneath it per provider call.

Loaded only where a collector is set: its packages are no part of the service. A span holds names of ours
(route template, provider, endpoint id, outcome) and numbers, never a path, a query, a header or a coin. What
cannot be sent waits in a bounded queue and is then dropped; a dead collector costs answers nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from opentelemetry import context as spans
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from app.telemetry_upstream import CallFigures

MAX_QUEUED = 2_048
_BATCH = 512
_EVERY_MS = 2_000
_EXPORT_S = 3.0
_STOP_S = 1.5
# It writes a line with a traceback for each batch that a dead collector did not take.
_NOISY = ("opentelemetry", "urllib3")
_log = logging.getLogger(__name__)


class WatchedExporter(SpanExporter):
    """Sends by `sender`; says once when that begins to fail, and once when it works again. Called by the
    thread that sends. on_failure: told of every batch that was not taken."""

    def __init__(self, sender: SpanExporter, on_failure: Callable[[], None]) -> None:
        self._sender = sender
        self._on_failure = on_failure
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch."""
        result = self._sender.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing:
            self._on_failure()
        if is_failing and not self._is_failing:
            _log.warning("traces do not arrive: the collector does not take them")
        elif self._is_failing and not is_failing:
            _log.info("traces arrive again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._sender.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return self._sender.force_flush(timeout_millis)


class Tracing:
    """One per process. `request` and `observe_call` only queue; a thread of its own sends."""

    def __init__(
        self,
        endpoint: str,
        *,
        version: str,
        data_mode: str,
        every_ms: int = _EVERY_MS,
        max_queued: int = MAX_QUEUED,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """endpoint: base address of the collector; traces go to `/v1/traces` beneath it. on_failure: called
        from another thread for each batch that could not be sent."""
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        about = {"service.name": "crypto-futures-signals", "service.version": version, "data_mode": data_mode}
        self._provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                WatchedExporter(exporter, on_failure),
                max_queue_size=max_queued,
                max_export_batch_size=min(_BATCH, max_queued),
                schedule_delay_millis=every_ms,
            )
        )
        self._tracer = self._provider.get_tracer("app")

    def request(self, method: str) -> Callable[[str, int], None]:
        """A request has come; what is returned is called at its end with route template and status."""
        span = self._tracer.start_span(method, context=spans.Context(), kind=SpanKind.SERVER)
        token = spans.attach(trace.set_span_in_context(span))

        def end(route: str, status: int) -> None:
            spans.detach(token)
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {"http.request.method": method, "http.route": route, "http.response.status_code": status}
            )
            if status >= 500:
                span.set_status(StatusCode.ERROR)
            span.end()

        return end

    def observe_call(self, call: CallFigures) -> None:
        """A provider call has ended, beneath the request that made it, if one did."""
        ended_ns = time.time_ns()
        span = self._tracer.start_span(
            f"{call.provider} {call.endpoint}",
            kind=SpanKind.CLIENT,
            start_time=ended_ns - round(call.elapsed_ms * 1e6),
            attributes={
                "provider": call.provider,
                "endpoint": call.endpoint,
                "outcome": call.outcome,
                "attempts": call.attempts,
            },
        )
        if call.outcome != "ok":
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)

    async def close(self, within_s: float = _STOP_S) -> None:
        """Send what is queued, for so long; a stop does not wait for a dead collector."""
        loop, is_done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(is_done.set)

        threading.Thread(target=shut_down, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await is_done.wait()
