"""One worker seen from outside: its figures, and its parts for who supervises it. A part of `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.domain.flow import LinkStatus
from app.core.domain.status import DependencyStatus
from app.services.streaming.bus_backlog import BusBacklog
from app.services.streaming.delivery import DeliveryService
from app.services.streaming.ingest import FrameIngest
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.partitions import PartitionWorker
from app.services.streaming.worker import StreamWorker
from app.services.streaming.worker_state import alarm_state, bus_state
from app.telemetry_stream import OutboxFigures, StreamFigures


@dataclass(frozen=True, slots=True)
class WorkerView:
    """The parts that are asked; None: not of this role.

    dependencies: what answers stand on (store, Redis). wall_ms: the time of messages that are due.
    """

    worker: StreamWorker
    links: Callable[[], tuple[LinkStatus, ...]]
    keeper: AlertKeeper
    delivery: DeliveryService | None
    backlog: BusBacklog | None
    ingest: FrameIngest | None
    detect: PartitionWorker | None
    dependencies: Sequence[Callable[[], DependencyStatus]]
    wall_ms: Callable[[], int]

    def figures(self) -> StreamFigures:
        """For the metrics."""
        return StreamFigures(
            links=self.links(),
            pipeline=self.worker.totals(),
            waiting_alerts=self.keeper.waiting,
            lost_alerts=self.keeper.lost,
            outbox=None if self.delivery is None else _outbox(self.delivery, self.wall_ms),
            alarms=len(self.worker.alarms()),
            backlog_frames=None if self.backlog is None else self.backlog.frames,
        )

    def health(self) -> tuple[DependencyStatus, ...]:
        """What its role needs, and what it says is wrong."""
        found = [self.worker.start_state(), *(ask() for ask in self.dependencies)]
        if self._reads_streams():
            found.append(self.worker.dependency())
        on_bus = self.ingest or self.detect
        if on_bus is not None:
            found.append(bus_state(is_up=on_bus.status().is_bus_up))
        return (*found, alarm_state(self.worker.alarms()))

    def _reads_streams(self) -> bool:
        """A second ingest stands by with closed sockets, and is well."""
        if self.ingest is not None:
            return self.ingest.status().is_active
        return bool(self.links())


def _outbox(delivery: DeliveryService, wall_ms: Callable[[], int]) -> OutboxFigures | None:
    """What waits to be sent when it was last looked at; None before. wall_ms: the time of due messages."""
    depth = delivery.status().depth
    if depth is None:
        return None
    by_state = {name: getattr(depth, name) for name in ("pending", "sending", "failed", "uncertain")}
    oldest_s = 0.0 if depth.oldest_ms is None else max(0.0, (wall_ms() - depth.oldest_ms) / 1000)
    return OutboxFigures(by_state, oldest_s)
