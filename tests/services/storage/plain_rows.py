"""Rows of any table, made from its columns: for tests that move or remove rows without reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.services.storage import tables

TIMES = {
    **tables.TIME_COLUMN,
    "alert_history": "ts_event_ms",
    "audit_log": "ts_ms",
    "baselines": "hour_ms",
    "outbox": "ts_init_ms",
    "signals": "as_of_ms",
    "signal_outcomes": "ts_init_ms",
    "stream_gaps": "to_ms",
}


# Columns that came with a later revision than their table.
_NEWER_COLUMNS = {
    "outbox": {"revision", "sent_revision", "repeats", "lease_ms", "owner", "group_id", "last_error"},
    "watchlist": {"is_removed", "added_ms"},
}


def first_columns(table: Table) -> list[Column[Any]]:
    """The columns the table had in its first revision."""
    return [column for column in table.columns if column.name not in _NEWER_COLUMNS.get(table.name, ())]


def plain_row(
    table: Table, number: int, time: int, symbol: str = "BTC", *, is_old: bool = True
) -> dict[str, Any]:
    """One row; rows of different numbers differ in every column that can. Every third has NULLs.

    is_old: with the columns of the first revision only.
    """
    row: dict[str, Any] = {}
    for column in first_columns(table) if is_old else table.columns:
        if column.nullable and number % 3 == 0:
            row[column.name] = None
        elif isinstance(column.type, BigInteger):
            row[column.name] = time if column.name == TIMES.get(table.name) else 2**61 + number
        elif isinstance(column.type, Boolean):
            row[column.name] = number % 2 == 1
        elif isinstance(column.type, Integer):
            row[column.name] = number
        elif isinstance(column.type, Double):
            row[column.name] = number + 0.1
        else:
            is_coin = column.name == "symbol" and table.name in TIMES
            row[column.name] = symbol if is_coin else f"{column.name} {number} é"
    return row


async def insert_rows(
    connection: AsyncConnection,
    table: Table,
    times: Iterable[int],
    symbol: str = "BTC",
    *,
    is_old: bool = True,
) -> None:
    """One row per time."""
    rows = [plain_row(table, number, time, symbol, is_old=is_old) for number, time in enumerate(times)]
    await connection.execute(table.insert(), rows)


# Tables that came with a later revision than the first, or were made anew by one (nothing was in them).
NEWER = frozenset(
    {"probability_log", "alert_outcomes", "stream_gaps"}
    | {"signal_outcomes", "evaluation_hours", "outcome_ledger"}
    | {"api_keys", "audit_log"}
)
FIRST_TABLES = [table for table in tables.metadata.sorted_tables if table.name not in NEWER]


async def every_row(connection: AsyncConnection) -> Mapping[str, list[tuple[Any, ...]]]:
    """All there is in the tables of the first revision, table by table, in order of the key."""
    return {
        table.name: [
            tuple(row)
            for row in await connection.execute(
                select(*first_columns(table)).order_by(*table.primary_key.columns)
            )
        ]
        for table in FIRST_TABLES
    }


async def times_of(connection: AsyncConnection, table: Table) -> list[int]:
    """The times of the rows that are there, ascending."""
    column = table.c[TIMES[table.name]]
    return list(await connection.scalars(select(column).order_by(column)))
