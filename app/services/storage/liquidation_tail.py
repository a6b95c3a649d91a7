"""The newest stored liquidations of every coin, from which rolling windows are built again after a start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import TextClause, text

from app.core.domain.stored import LiquidationRow
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access

# About a hundred bytes each, and what one visit to the database may take.
MAX_TAIL_ROWS = 200_000
_CHUNK_ROWS = 5_000
_COLUMNS = ", ".join(LiquidationRow._fields)
_NEWEST = "ORDER BY ts_event_ms DESC, symbol DESC, id DESC LIMIT :most"
_SINCE = "ts_event_ms >= :from_ms AND ts_event_ms <= :now_ms"
# Parts by time: only those of the last day are read.
_BY_TIME = f"SELECT {_COLUMNS} FROM liquidations WHERE {_SINCE} {_NEWEST}"
# The key begins with the coin: one step down the key to each coin, and its newest run from there.
_BY_COIN = (
    "WITH RECURSIVE coins (coin) AS ("
    " SELECT MIN(symbol) FROM liquidations"
    " UNION ALL"
    " SELECT (SELECT MIN(symbol) FROM liquidations WHERE symbol > coin) FROM coins WHERE coin IS NOT NULL)"
    f" SELECT {_COLUMNS} FROM coins CROSS JOIN liquidations WHERE symbol = coin AND {_SINCE} {_NEWEST}"
)


class SqlLiquidationTail:
    """`core.stream_ports.LiquidationTail`."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int], max_rows: int = MAX_TAIL_ROWS) -> None:
        """now_ms: market time; a replay's store may hold what is still to come."""
        self._engine = engine
        self._now_ms = now_ms
        self._max_rows = max_rows

    async def since(self, from_ms: int) -> Sequence[LiquidationRow]:
        """Every coin's since then, oldest first; with more than `max_rows` the newest of them."""
        bounds = {"from_ms": from_ms, "now_ms": self._now_ms(), "most": self._max_rows}
        rows: list[LiquidationRow] = []
        with storage_errors("reading the newest liquidations"):
            async with self._engine.connect() as connection:
                result = await connection.stream(self._statement(), bounds)
                # In pieces: a day of storms at once would hold up everything else that runs here.
                async for chunk in result.partitions(_CHUNK_ROWS):
                    rows += [LiquidationRow(*row) for row in chunk]
        rows.reverse()
        return rows

    def _statement(self) -> TextClause:
        return text(_BY_TIME if self._engine.dialect.name == "postgresql" else _BY_COIN)
