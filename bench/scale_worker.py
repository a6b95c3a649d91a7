"""One detect worker of the scale benchmark: identify, windows and detectors behind the product's own reader.

Says `ready` when it is there, begins at a line on stdin, and works until it is ended.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

from app.core.domain.flow import StreamFrame, StreamGap
from app.core.domain.flow_config import FlowConfig
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink
from app.services.bus.streams import RedisFrameLog
from app.services.streaming.partitions import PartitionWorker
from bench.scale import PARTITIONS, PREFIX


class Analysis:
    """`FrameHandler` without a store: what costs is the analysis."""

    def __init__(self) -> None:
        self._identifier = Identifier()
        self._engine = FlowEngine(FlowConfig())

    async def restore(self, before_ms: int | None, *, is_continued: bool) -> None:
        """Nothing is stored."""

    async def replay(self, frame: StreamFrame) -> None:
        await self.handle(frame)

    async def handle(self, frame: StreamFrame) -> None:
        self._engine.on_liquidations(self._identifier.identify(frame), frame.ts_init_ms)

    async def note_gap(self, gap: StreamGap) -> None:
        raise RuntimeError(f"the benchmark lost entries: {gap}")

    async def advance(self, now_ms: int) -> None:
        """The frames' time is not now."""

    async def flush(self) -> None:
        """Nothing is stored."""

    async def close(self) -> None:
        """Nothing is open."""


async def _work(url: str, owner: str) -> None:
    link = BusLink(url)
    log = RedisFrameLog(link, prefix=PREFIX, now_ms=_now_ms)
    leases = RedisLeases(link, prefix=PREFIX, owner=owner, lease_s=60.0)
    worker = PartitionWorker(
        log,
        leases,
        lambda _partition: Analysis(),
        partitions=range(PARTITIONS),
        now_ms=_now_ms,
        monotonic=time.monotonic,
    )
    await leases.attend()
    gc.freeze()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await worker.run()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], sys.argv[2]))
