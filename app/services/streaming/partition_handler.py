"""One partition of the bus through a pipeline of its own: windows, gate and ids belong to its coins alone.

Implements `core.bus_ports.FrameHandler`. A partition has all events of each of its coins; the market's own
has every liquidation once more, and speaks of the market alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.clock import Clock
from app.core.domain.alerts import StoredAlert
from app.core.domain.flow import StreamFrame, StreamGap
from app.core.domain.stored import LiquidationRow
from app.core.errors import StorageUnavailable
from app.core.store_ports import MarketWriter
from app.core.stream_ports import AlertStore, LiquidationTail
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.pipeline import REMEMBER_MS, Pipeline


class PartitionHandler:
    """`pipeline` is new and empty; the store's past fills it."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        is_ours: Callable[[str], bool],
        tail: LiquidationTail,
        alerts: AlertStore,
        market: MarketWriter,
        keeper: AlertKeeper,
        clock: Clock,
        on_filled: Callable[[], None],
        on_close: Callable[[], None],
    ) -> None:
        """is_ours: whether a coin is of this partition. market and keeper are those of the process.

        on_filled: called once its windows are whole; until then nobody else may look at the pipeline.
        """
        self._pipeline = pipeline
        self._is_ours = is_ours
        self._tail = tail
        self._alerts = alerts
        self._market = market
        self._keeper = keeper
        self._clock = clock
        self._on_filled = on_filled
        self._on_close = on_close
        self._is_filled = False

    async def restore(self, before_ms: int | None, *, is_continued: bool) -> None:
        """Raises: StorageUnavailable: asked again later; a partition without its past would repeat alerts."""
        since_ms = self._clock.now_ms() - REMEMBER_MS
        rows = [row for row in await self._tail.since(since_ms) if self._is_past(row, before_ms)]
        known = await self._alerts.recent(since_ms)
        await self._pipeline.restore_from(rows, self._own(known))
        if not is_continued and rows and before_ms is not None:
            newest_ms = max(row.ts_init_ms for row in rows)
            self._pipeline.note_gap(StreamGap("bus", newest_ms, before_ms, "restart"))

    async def replay(self, frame: StreamFrame) -> None:
        self._pipeline.replay(frame)

    async def handle(self, frame: StreamFrame) -> None:
        self._fill_ends()
        await self._pipeline.handle(frame)

    async def note_gap(self, gap: StreamGap) -> None:
        await self._pipeline.record_gap(gap)

    async def advance(self, now_ms: int) -> None:
        self._fill_ends()
        await self._pipeline.tick()

    async def flush(self) -> None:
        """Raises: StorageUnavailable: alerts or rows are still on their way."""
        await self._keeper.settle()
        if self._keeper.waiting:
            raise StorageUnavailable(f"alerts wait for the database: {self._keeper.trouble}")
        await self._market.flush()

    async def close(self) -> None:
        self._on_close()

    def _fill_ends(self) -> None:
        if not self._is_filled:
            self._is_filled = True
            self._on_filled()

    def _is_past(self, row: LiquidationRow, before_ms: int | None) -> bool:
        return self._is_ours(row.symbol) and (before_ms is None or row.ts_init_ms < before_ms)

    def _own(self, known: Sequence[StoredAlert]) -> list[StoredAlert]:
        return [one for one in known if self._is_ours(one.alert.symbol)]
