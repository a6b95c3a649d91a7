"""Figures of the live feed: who listens, what they were told, who was refused."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

_SOCKET = "ws"


class LiveMetrics:
    """`LiveObserver` of the hub; every text it is told is one of ours."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._clients = Gauge("live_clients", "Clients of the live feed.", ("kind",), registry=registry)
        self._sockets = Gauge(
            "websocket_connections_active", "Clients of the live feed by WebSocket.", registry=registry
        )
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
        if kind == _SOCKET:
            self._sockets.set(count)

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
