"""What is read at a scrape, and what is told as it happens, put together. A part of `bootstrap`.

Registers collectors over the parts that count for themselves anyway, so that nothing is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.core.clock import Clock, SystemClock
from app.core.domain.alerts import DropReason
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.flow import LinkState
from app.core.domain.quality import Missing
from app.core.domain.signal import Signal
from app.core.domain.status import ProviderState
from app.core.errors import ConfigurationError
from app.core.ports import Provider
from app.services.record_figures import RecordFigures
from app.services.storage.store import SqlStore
from app.services.streaming.stages import Stages
from app.telemetry_metrics import Metrics
from app.telemetry_process import LoopLag
from app.telemetry_record import RecordCollector
from app.telemetry_store import StoreCollector
from app.telemetry_stream import FaultCollector, StreamCollector, StreamFigures
from app.telemetry_upstream import ProviderCollector

if TYPE_CHECKING:
    from app.telemetry_tracing import Tracing

FATES = ("kept", "edited", *DropReason)


def build_tracing(
    endpoint: str | None, *, version: str, data_mode: str, on_failure: Callable[[], None] = lambda: None
) -> Tracing | None:
    """Traces to a collector; None, and nothing of it loaded, without one. on_failure: of a batch not taken.

    Raises:
        ConfigurationError: its packages are not installed.
    """
    if endpoint is None:
        return None
    try:
        from app.telemetry_tracing import Tracing
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: the packages of OpenTelemetry are not installed: "
            "pip install --require-hashes -r requirements-otel.txt"
        ) from error
    return Tracing(endpoint, version=version, data_mode=data_mode, on_failure=on_failure)


def watch_ground(
    metrics: Metrics,
    *,
    providers: Sequence[Provider],
    store: SqlStore,
    stages: list[Stages],
    clock: Clock,
) -> None:
    """What every process has: providers, store, loops and itself. stages: further ones are added as they are
    made; the first measures the event loop."""
    metrics.watch(
        ProviderCollector(
            lambda: [provider.status() for provider in providers],
            states=tuple(ProviderState),
            now_ms=clock.now_ms,
        )
    )
    metrics.watch(StoreCollector(store.status))
    metrics.watch(FaultCollector(lambda: _faults(stages)))
    # Of this machine: a stepped replay moves its clocks by hours at once.
    lag = LoopLag(monotonic=SystemClock().monotonic_s)
    metrics.process.watch_loop(lag)
    stages[0].add("loop lag", lag.run)


def watch_stream(metrics: Metrics, read: Callable[[], StreamFigures], clock: Clock) -> None:
    """The worker of this process."""
    metrics.watch(StreamCollector(read, states=tuple(LinkState), fates=FATES, now_ms=clock.now_ms))


def watch_record(metrics: Metrics, figures: RecordFigures, stages: Stages) -> None:
    """The track record, read by a loop of its own."""
    metrics.watch(RecordCollector(lambda: figures.horizons))
    stages.add("record figures", figures.run)


def count_signal(metrics: Metrics, signal: Signal, context: EnhancedSignalContext) -> None:
    """One computed signal, and what it was made of."""
    ages_s: dict[str, float] = {}
    missing: dict[str, str] = {}
    for capability, found in context.inputs():
        if isinstance(found, Missing):
            missing[capability] = found.reason
        else:
            ages_s[capability] = found.age_s(context.as_of_ms)
    metrics.signals.observe_signal(
        signal.direction, signal.mode, coverage=signal.coverage, ages_s=ages_s, missing=missing
    )


def _faults(stages: Sequence[Stages]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in stages:
        found.update(one.faults())
    return dict(found)
