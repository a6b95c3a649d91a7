"""What the edge tells of every request, for metrics and traces. Telemetry implements it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias


class RequestObserver(Protocol):
    """Told about every request: `answered` once; `route` is the template, never the path as typed.

    refused: why the caller was turned away, besides. begun, ended: around every request but the one for these
    figures, which would count itself.
    """

    def begun(self) -> None: ...
    def ended(self) -> None: ...
    def answered(self, *, method: str, route: str, status: int, elapsed_s: float) -> None: ...
    def refused(self, reason: str) -> None: ...


class NobodyCounts:
    """Where no metrics are kept."""

    def begun(self) -> None: ...
    def ended(self) -> None: ...
    def answered(self, *, method: str, route: str, status: int, elapsed_s: float) -> None: ...
    def refused(self, reason: str) -> None: ...


# Begins the trace of a request: (method) -> what to call at its end with (route, status).
TraceRequest: TypeAlias = Callable[[str], Callable[[str, int], None]]
