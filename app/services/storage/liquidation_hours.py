"""Stored liquidations of one coin: sums by the hour and stream, and the newest ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select, text

from app.core.domain.stored import HourSum, LiquidationRow
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import liquidations

# The hour that closes at h holds events from h - 1 h, inside, to h, outside.
_HOURS = text(
    "SELECT (ts_event_ms / 3600000 + 1) * 3600000 AS hour_ms, source,"
    " SUM(CASE WHEN liquidated_side = 'LONG' THEN usd ELSE 0 END) AS long_usd,"
    " SUM(CASE WHEN liquidated_side = 'SHORT' THEN usd ELSE 0 END) AS short_usd,"
    " COUNT(*) AS events FROM liquidations"
    " WHERE symbol = :symbol AND ts_event_ms >= :from_ms AND ts_event_ms < :to_ms"
    " GROUP BY 1, 2 ORDER BY 1, 2"
)


class SqlLiquidationHours:
    """`core.store_ports.LiquidationReader`."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        """now_ms: market time; a replay's store may hold what is still to come."""
        self._engine = engine
        self._now_ms = now_ms

    async def hours(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[HourSum]:
        """Sums of the hours that close after `from_ms` and up to `to_ms`; both on whole hours."""
        bounds = {"symbol": symbol, "from_ms": from_ms, "to_ms": min(to_ms, self._now_ms() + 1)}
        with storage_errors("summing liquidations"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(_HOURS, bounds)).all()
        return [HourSum(*row) for row in rows]

    async def newest(self, symbol: str, limit: int) -> Sequence[LiquidationRow]:
        """Newest first, at most `limit`."""
        columns = liquidations.c
        statement = (
            select(liquidations)
            .where(columns.symbol == symbol, columns.ts_event_ms <= self._now_ms())
            .order_by(columns.ts_event_ms.desc(), columns.id.desc())
            .limit(limit)
        )
        with storage_errors("reading liquidations"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
        return [LiquidationRow(*row) for row in rows]
