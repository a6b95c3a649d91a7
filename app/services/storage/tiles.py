"""Reading heatmap tiles, and computing them again from the stored liquidations.

They are written with the liquidations they sum (`sqlite_bulk`, `postgres_bulk`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, select, text

from app.core.domain.stored import CompositeRow, TileRow
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.statements import TILE_COLUMNS, tile_sums
from app.services.storage.tables import composite_heatmap, liquidation_heatmap

_MINUTE_MS = 60_000


class SqlTiles:
    """`core.store_ports.TileStore`."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[TileRow]:
        """Tiles with from_min <= ts_min < to_min, in order of (ts_min, bucket)."""
        return [TileRow(*row) for row in await self._read(liquidation_heatmap, symbol, from_min, to_min)]

    async def composite_tiles(self, symbol: str, from_min: int, to_min: int) -> Sequence[CompositeRow]:
        """The same for composite tiles."""
        return [CompositeRow(*row) for row in await self._read(composite_heatmap, symbol, from_min, to_min)]

    async def newest_minute(self, symbol: str, to_min: int) -> int | None:
        """Minute of a coin's newest tile before `to_min`; None when it had none by then."""
        statement = (
            select(liquidation_heatmap.c.ts_min)
            .where(liquidation_heatmap.c.symbol == symbol, liquidation_heatmap.c.ts_min < to_min)
            .order_by(liquidation_heatmap.c.ts_min.desc())
            .limit(1)
        )
        with storage_errors("reading tiles"):
            async with self._engine.connect() as connection:
                newest = (await connection.execute(statement)).scalar()
        return None if newest is None else int(newest)

    async def rebuild(self, from_min: int, to_min: int) -> int:
        """Replace the tiles of these minutes by new sums, in one transaction; how many there are then."""
        bounds = {"from_min": from_min, "to_min": to_min}
        times = {"from_ms": from_min * _MINUTE_MS, "to_ms": to_min * _MINUTE_MS}
        source = "liquidations WHERE ts_event_ms >= :from_ms AND ts_event_ms < :to_ms"
        with storage_errors("rebuilding tiles"):
            async with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # Whoever is adding right now finishes first, whoever comes adds to the new sums.
                    await connection.execute(
                        text("LOCK TABLE liquidation_heatmap IN SHARE ROW EXCLUSIVE MODE")
                    )
                await connection.execute(
                    text("DELETE FROM liquidation_heatmap WHERE ts_min >= :from_min AND ts_min < :to_min"),
                    bounds,
                )
                done = await connection.execute(
                    text(f"INSERT INTO liquidation_heatmap ({TILE_COLUMNS}) {tile_sums(source)}"), times
                )
        return done.rowcount

    async def _read(self, table: Table, symbol: str, from_min: int, to_min: int) -> Sequence[tuple[Any, ...]]:
        columns = table.c
        statement = (
            select(table)
            .where(columns.symbol == symbol, columns.ts_min >= from_min, columns.ts_min < to_min)
            .order_by(columns.ts_min, columns.bucket)
        )
        with storage_errors("reading tiles"):
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).all()
