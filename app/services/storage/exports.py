"""Whole tables up to now in chunks, in flat memory: each chunk is one short query that goes on where the last
ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Column, ColumnElement, Table, select, tuple_

from app.core.domain.stored import ExportName, ExportQuery
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import alert_history, baselines, liquidations, signals

CHUNK_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class _Export:
    """order: the columns that order the rows of one coin (by_coin) or of the whole table, first the time."""

    table: Table
    order: tuple[str, ...]
    is_by_coin: bool


_EXPORTS: Mapping[ExportName, _Export] = {
    # No order by time over all coins: that would need an index as large as the table.
    ExportName.LIQUIDATIONS: _Export(liquidations, ("ts_event_ms", "id"), True),
    ExportName.BASELINES: _Export(baselines, ("hour_ms",), True),
    ExportName.SIGNALS: _Export(signals, ("as_of_ms", "id"), False),
    ExportName.ALERTS: _Export(alert_history, ("ts_event_ms", "id"), False),
}


class SqlExports:
    """`core.store_ports.ExportReader`."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        """now_ms: market time; in a replay the store may know more than has happened by then."""
        self._engine = engine
        self._now_ms = now_ms

    def export(
        self, query: ExportQuery
    ) -> tuple[tuple[str, ...], AsyncIterator[Sequence[tuple[object, ...]]]]:
        """Column names, and chunks of rows: oldest first; liquidations and baselines coin by coin."""
        plan = _EXPORTS[query.name]
        query = replace(query, to_ms=min(query.to_ms, self._now_ms() + 1))
        return tuple(column.name for column in plan.table.columns), self._chunks(plan, query)

    async def _chunks(self, plan: _Export, query: ExportQuery) -> AsyncIterator[Sequence[tuple[object, ...]]]:
        if query.symbol is not None or not plan.is_by_coin:
            coin = None if query.symbol is None else plan.table.c.symbol == query.symbol
            async for chunk in self._run(plan, query, coin):
                yield chunk
            return
        symbol = await self._next_symbol(plan.table, "")
        while symbol is not None:
            async for chunk in self._run(plan, query, plan.table.c.symbol == symbol):
                yield chunk
            symbol = await self._next_symbol(plan.table, symbol)

    async def _run(
        self, plan: _Export, query: ExportQuery, coin: ColumnElement[bool] | None
    ) -> AsyncIterator[Sequence[tuple[object, ...]]]:
        table = plan.table
        keys: list[Column[object]] = [table.c[name] for name in plan.order]
        wanted = [keys[0] >= query.from_ms, keys[0] < query.to_ms]
        if coin is not None:
            wanted.append(coin)
        after: list[ColumnElement[bool]] = []
        while True:
            statement = select(table).where(*wanted, *after).order_by(*keys).limit(CHUNK_ROWS)
            with storage_errors("exporting"):
                async with self._engine.connect() as connection:
                    rows = (await connection.execute(statement)).all()
            if rows:
                yield rows
            if len(rows) < CHUNK_ROWS:
                return
            names = [column.name for column in table.columns]
            last = [rows[-1][names.index(name)] for name in plan.order]
            after = [tuple_(*keys) > tuple_(*last)]

    async def _next_symbol(self, table: Table, after: str) -> str | None:
        """The next coin in the table: one step down the key, however many rows each coin has."""
        statement = select(table.c.symbol).where(table.c.symbol > after).order_by(table.c.symbol).limit(1)
        with storage_errors("exporting"):
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).scalar()
