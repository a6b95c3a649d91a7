"""Reading stored histories page by page, up to now: a bar that has not closed yet does not exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, select, tuple_

from app.core.domain.stored import (
    BarQuery,
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    Page,
    RatioRow,
    SeriesName,
    TakerRow,
)
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import TABLE_OF

_ROW_OF: Mapping[SeriesName, type[BarRow]] = {
    SeriesName.CANDLES: CandleRow,
    SeriesName.OPEN_INTEREST: OpenInterestRow,
    SeriesName.FUNDING: FundingRow,
    SeriesName.LONG_SHORT: RatioRow,
    SeriesName.TAKER_VOLUME: TakerRow,
}


class SqlBars:
    """`core.store_ports.BarReader`."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        """now_ms: market time; in a replay the store may know more than has happened by then."""
        self._engine = engine
        self._now_ms = now_ms

    async def bars(self, query: BarQuery) -> Page[BarRow]:
        """One page; one row more is read to know whether there is another."""
        statement = _select(replace(query, to_ms=min(query.to_ms, self._now_ms() + 1)))
        with storage_errors("reading histories"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(statement)).all()
        row_type = _ROW_OF[query.series]
        rows = tuple(row_type(*row) for row in found[: query.limit])
        more = len(found) > query.limit
        return Page(rows, write_cursor((rows[-1].close_ms, rows[-1].exchange)) if more else None)


def _select(query: BarQuery) -> Select[Any]:
    table = TABLE_OF[_ROW_OF[query.series]]
    columns = table.c
    wanted: list[ColumnElement[bool]] = [
        columns.symbol == query.symbol,
        columns.interval == query.interval,
        columns.close_ms >= query.from_ms,
        columns.close_ms < query.to_ms,
    ]
    if query.exchange is not None:
        wanted.append(columns.exchange == query.exchange)
    if query.series is SeriesName.LONG_SHORT:
        if query.scope is None:
            raise ValueError("a ratio is asked for by its scope")
        wanted.append(columns.scope == query.scope.value)
    order = tuple_(columns.close_ms, columns.exchange)
    if query.cursor is not None:
        close_ms, exchange = read_cursor(query.cursor, (int, str))
        last = tuple_(close_ms, exchange)
        wanted.append(order < last if query.newest_first else order > last)
    ordering = (
        (columns.close_ms.desc(), columns.exchange.desc())
        if query.newest_first
        else (columns.close_ms, columns.exchange)
    )
    return select(table).where(*wanted).order_by(*ordering).limit(query.limit + 1)
