"""A role that cannot reach Redis says so in its log: once per outage, and once when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.bus_ports import Lease
from app.core.domain.partition import Partitioning
from app.core.errors import BusUnavailable
from app.services.streaming.ingest import FrameIngest
from app.services.streaming.partitions import PartitionWorker


class Bus:
    """Leases and log of a Redis that is away until it is told to be back; nothing is free there."""

    lease_s = 8.0
    is_up = False

    def _ask(self) -> None:
        if not self.is_up:
            raise BusUnavailable("Redis: ConnectionError")

    async def newest_ms(self) -> int | None:
        self._ask()
        return None

    async def take(self, name: str) -> Lease | None:
        self._ask()
        return None

    async def renew(self, leases: Any) -> frozenset[str]:
        self._ask()
        return frozenset()

    async def attend(self) -> int:
        self._ask()
        return 1


def an_ingest(bus: Any) -> Any:
    async def feed(sink: Any) -> None: ...

    return FrameIngest(bus, bus, feed, partitioning=Partitioning(), now_ms=lambda: 0)._become_active


def a_detector(bus: Any) -> Any:
    def handler(partition: int) -> Any: ...

    return PartitionWorker(bus, bus, handler, partitions=(0,), now_ms=lambda: 0, monotonic=lambda: 0.0)._beat


@pytest.mark.parametrize("role", [an_ingest, a_detector])
async def test_an_outage_is_two_lines(role: Any, caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    look = role(bus)
    with caplog.at_level("INFO"):
        for is_up in (False, False, True, True, True, True):
            bus.is_up = is_up
            await look()
    assert caplog.messages == ["the bus does not answer", "the bus answers again"]
