"""What ages out of which table: parts are dropped where there are parts, else rows are deleted in chunks.

Signals and their outcomes have no field here: the record is never shortened. Called by the worker once a day
and by `python -m app.store retention`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.errors import StorageUnavailable
from app.services.storage import layout, tables, timescale
from app.services.storage.faults import storage_errors
from app.services.storage.schema import Layout, layout_of

# One transaction: about 0.1 s on SQLite, whose other writers wait meanwhile.
CHUNK_ROWS = 20_000
# Tables without parts that age out all the same; the bulk tables have theirs in `layout.PARTS`.
_TIME_MS = {
    "alert_history": "ts_event_ms",
    "audit_log": "ts_ms",
    "baselines": "hour_ms",
    "outbox": "ts_init_ms",
    "stream_gaps": "to_ms",
}


@dataclass(frozen=True, slots=True)
class Keep:
    """Days that rows are kept, per table; None: for ever. Where a table has parts, up to one part longer."""

    price_ohlc: float | None = 730
    futures_oi_ohlc: float | None = 365
    funding_rate: float | None = 365
    long_short_ratio: float | None = 730
    taker_volume: float | None = 730
    liquidations: float | None = 90
    liquidation_heatmap: float | None = 30  # rebuildable from liquidations for as long as those are kept
    composite_heatmap: float | None = 30
    alert_history: float | None = 365
    outbox: float | None = 365  # what still waits after a year as well
    stream_gaps: float | None = 365
    audit_log: float | None = 365
    baselines: float | None = 3  # 72 hours, all that a baseline looks back


async def apply_retention(
    engine: AsyncEngine, keep: Keep, now_ms: int, *, chunk_rows: int = CHUNK_ROWS
) -> Mapping[str, int]:
    """Remove what is older than `keep` says; rows removed per table that has a limit.

    Limits are rounded to the minute before; a row exactly as old as its limit stays. Stopped half-way, the
    rest goes next time.

    Raises:
        StorageUnavailable: the tables it names could not be shortened (the database does not answer, or
            somebody reads a part of theirs for long). The others were.
    """
    removed: dict[str, int] = {}
    failed: list[StorageUnavailable] = []
    for field in fields(keep):
        days: float | None = getattr(keep, field.name)
        if days is None:
            continue
        cutoff_ms = now_ms - round(days * layout.DAY_MS)
        # A minute of events goes as a whole: what is left of one would rebuild into a wrong tile.
        cutoff_ms -= cutoff_ms % layout.MINUTE_MS
        try:
            with storage_errors(f"retention of {field.name}"):
                removed[field.name] = await _age_out(engine, field.name, cutoff_ms, chunk_rows)
        except StorageUnavailable as error:
            failed.append(error)
    if failed:
        raise StorageUnavailable("; ".join(map(str, failed))) from failed[0]
    return removed


async def _age_out(engine: AsyncEngine, table: str, cutoff_ms: int, chunk_rows: int) -> int:
    part = layout.PARTS.get(table)
    if part is None:
        return await _delete(engine, table, _TIME_MS[table], cutoff_ms, chunk_rows)
    cutoff = cutoff_ms // part.unit_ms  # a minute is older when all of it is
    async with engine.connect() as connection:
        laid_out = await layout_of(connection, table)
        if laid_out is not Layout.PLAIN:
            drop = layout.drop_before if laid_out is Layout.PARTITIONED else timescale.drop_before
            return await drop(await layout.driver_of(connection), table, cutoff)
    return await _delete(engine, table, part.column, cutoff, chunk_rows)


async def _delete(engine: AsyncEngine, table: str, column: str, cutoff: int, chunk_rows: int) -> int:
    """Delete in bounded transactions, one run of the key after the other.

    Keys begin with the coin, so "older than" is a range of the key only within one coin (and bar size); the
    few heads there are come by jumping from one to the next.
    """
    target = tables.metadata.tables[table]
    key = list(target.primary_key.columns)
    head = key[: key.index(target.c[column])] if column in target.primary_key.columns else []
    removed = 0
    async for values in _heads(engine, head):
        old = target.c[column] < cutoff
        run = [part == value for part, value in zip(head, values, strict=True)]
        chunk = select(*key).where(*run, old).order_by(target.c[column]).limit(chunk_rows)
        statement = delete(target).where(tuple_(*key).in_(chunk))
        while True:
            async with engine.begin() as connection:
                gone = (await connection.execute(statement)).rowcount
            removed += gone
            if gone < chunk_rows:
                break
            await asyncio.sleep(0)  # others get their turn between two chunks
    return removed


async def _heads(engine: AsyncEngine, head: Sequence[ColumnElement[Any]]) -> AsyncIterator[tuple[Any, ...]]:
    """Every distinct head of the key, in order, each found by one look into the index."""
    if not head:
        yield ()
        return
    first = select(*head).order_by(*head).limit(1)
    async with engine.connect() as connection:
        found = await _one(connection, first)
    while found is not None:
        yield found
        async with engine.connect() as connection:
            found = await _one(connection, first.where(tuple_(*head) > tuple_(*found)))


async def _one(connection: AsyncConnection, statement: Any) -> tuple[Any, ...] | None:
    row = (await connection.execute(statement)).first()
    return None if row is None else tuple(row)
