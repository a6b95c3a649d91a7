"""What a pipeline of one partition is made of where it differs from that of a whole process.

Owns two things: whose findings are told (a part of the market must not speak for all of it, nor the market's
partition for single coins), and that no row is dropped on its way to an acknowledgement. Put into
`PipelineParts` by whoever makes the handlers of a `PartitionWorker`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.domain.flow import Finding, PriceTick, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.partition import Partitioning
from app.core.domain.stored import LiquidationRow, MarketRow
from app.core.flow.bursts import MARKET
from app.core.flow.engine import FlowEngine
from app.core.store_ports import MarketWriter


def speaks_for(partitioning: Partitioning, partition: int) -> Callable[[str], bool]:
    """Of whom this partition says something: its coins, or MARKET and nobody else."""
    if partition == partitioning.market:
        return lambda symbol: symbol == MARKET
    return lambda symbol: symbol != MARKET and partitioning.of(symbol) == partition


class PartitionFlow(FlowEngine):
    """The engine of one partition: computes like any other and tells what it speaks for."""

    def __init__(self, config: FlowConfig, is_ours: Callable[[str], bool]) -> None:
        super().__init__(config)
        self._is_ours = is_ours

    def on_liquidations(self, rows: Sequence[LiquidationRow], now_ms: int) -> list[Finding]:
        return self._ours(super().on_liquidations(rows, now_ms))

    def on_trades(self, trades: Sequence[TradeEvent], now_ms: int) -> list[Finding]:
        return self._ours(super().on_trades(trades, now_ms))

    def on_ticks(self, ticks: Sequence[PriceTick], now_ms: int) -> list[Finding]:
        return self._ours(super().on_ticks(ticks, now_ms))

    def advance(self, now_ms: int) -> list[Finding]:
        return self._ours(super().advance(now_ms))

    def symbols(self) -> Sequence[str]:
        """Coins of which this partition publishes aggregates."""
        return tuple(symbol for symbol in super().symbols() if self._is_ours(symbol))

    def _ours(self, found: list[Finding]) -> list[Finding]:
        return [finding for finding in found if self._is_ours(finding.symbol)] if found else found


class HeldRows:
    """`MarketWriter` that drops nothing: rows wait here until `flush`, which the acknowledgement waits for.

    The store's own buffer drops what does not fit, which is right where nobody would send it again. Here the
    frames stay on the bus until they are acknowledged; at most one read's worth of rows is held.
    """

    def __init__(self, store: MarketWriter | None) -> None:
        """store None: rows are another partition's to store (the market's has every liquidation again)."""
        self._store = store
        self._held: list[MarketRow] = []

    def put(self, rows: Sequence[MarketRow]) -> int:
        if self._store is not None:
            self._held += rows
        return len(rows)

    async def put_all(self, rows: Sequence[MarketRow]) -> None:
        self.put(rows)

    async def flush(self) -> None:
        """Raises: StorageUnavailable; what the store has not taken stays held."""
        if self._store is None:
            return
        if self._held:
            rows = tuple(self._held)
            await self._store.put_all(rows)
            del self._held[: len(rows)]
        await self._store.flush()
