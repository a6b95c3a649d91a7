"""The counter of the audit log, in the registry of the process. Labels are the closed sets of its events."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class AuditMetrics:
    """What was written down, by action and outcome; counted when it happens, also when it is folded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "audit_events_total", "Events of the audit log.", ("action", "outcome"), registry=registry
        )

    def observe(self, *, action: str, outcome: str) -> None:
        """One event."""
        self._events.labels(action, outcome).inc()
