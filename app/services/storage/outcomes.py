"""Outcomes of trades in the database: opened, entered, resolved once, counted per setup.

One class for two tables: alerts and scheduled evaluations are followed by the same rules. Ends of the latter
enter a ledger with the transaction that writes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    cast,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.domain.outcomes import (
    HORIZONS_MS,
    EntryRow,
    OutcomeRow,
    OutcomeState,
    SetupCount,
    Touch,
)
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.outcome_ledger import OutcomeLedger
from app.services.storage.tables import alert_outcomes

_RUNNING = (OutcomeState.WAITING.value, OutcomeState.OPEN.value)
_STATES = tuple(state.value for state in OutcomeState)  # all: named so that the index on them serves
# What an end writes; the rest of a row was settled when the alert was made or entered.
_ENDS = (
    "state",
    "entered_ms",
    "entry_price",
    "target_price",
    "stop_price",
    "first_touch",
    "touched_ms",
    "net_return_frac",
    "mfe_frac",
    "mae_frac",
    "resolved_ms",
    "body",
)


class SqlOutcomes:
    """`core.outcome_ports.OutcomeStore` and `TradeOutcomes`. Every write is committed when it returns."""

    def __init__(
        self, engine: Access, table: Table = alert_outcomes, ledger: OutcomeLedger | None = None
    ) -> None:
        """table: with the columns of an `OutcomeRow`, the trade's id first, whatever its name. ledger: takes
        every row that gets its end."""
        self._engine = engine
        self._ledger = ledger
        self._table = table
        self._names = tuple(table.columns.keys())
        self._id = table.columns[self._names[0]]

    async def open(self, rows: Sequence[OutcomeRow]) -> None:
        if not rows:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(self._table).on_conflict_do_nothing(index_elements=[self._names[0], "horizon"])
        values = [dict(zip(self._names, row, strict=True)) for row in rows]
        with storage_errors("opening outcomes"):
            async with self._writing() as connection:
                written = await connection.execute(statement.returning(self._table), values)
                await self._enter_ends(connection, [OutcomeRow(*row) for row in written])

    async def enter(self, entries: Sequence[EntryRow]) -> None:
        if not entries:
            return
        column = self._table.c
        with storage_errors("entering outcomes"):
            async with self._engine.begin() as connection:
                for entry in entries:
                    values: dict[str, Any] = entry._asdict()
                    trade_id = values.pop("trade_id")
                    await connection.execute(
                        update(self._table)
                        .where(self._id == trade_id, column.state == OutcomeState.WAITING.value)
                        .values(
                            state=OutcomeState.OPEN.value,
                            due_ms=column.due_ms + entry.entered_ms - column.ts_init_ms,
                            **values,
                        )
                    )

    async def resolve(self, rows: Sequence[OutcomeRow]) -> None:
        if not rows:
            return
        column = self._table.c
        with storage_errors("resolving outcomes"):
            async with self._writing() as connection:
                written: list[OutcomeRow] = []
                for row in rows:
                    found = await connection.execute(
                        update(self._table)
                        .where(self._id == row.trade_id, column.horizon == row.horizon)
                        .where(column.state.in_(_RUNNING))
                        .values({name: getattr(row, name) for name in _ENDS})
                        .returning(self._table)
                    )
                    written += [OutcomeRow(*one) for one in found]
                await self._enter_ends(connection, written)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        turn = nullcontext() if self._ledger is None else self._ledger.turn
        async with turn, self._engine.begin() as connection:
            yield connection

    async def _enter_ends(self, connection: AsyncConnection, written: Sequence[OutcomeRow]) -> None:
        """written: rows as this transaction left them, and no others, so that each end enters once."""
        if self._ledger is not None:
            await self._ledger.append(connection, [row for row in written if row.state not in _RUNNING])

    async def due(
        self, now_ms: int, limit: int, after: tuple[int, str, str] | None = None
    ) -> Sequence[OutcomeRow]:
        column = self._table.c
        order = column.due_ms, self._id, column.horizon
        query = select(self._table).where(column.state.in_(_RUNNING), column.due_ms <= now_ms)
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        return await self._rows(query.order_by(*order).limit(limit))

    async def of_trade(self, trade_id: str) -> Sequence[OutcomeRow]:
        rows = await self._rows(select(self._table).where(self._id == trade_id))
        order = list(HORIZONS_MS)
        return sorted(rows, key=lambda row: order.index(row.horizon))

    async def of_trades(self, trade_ids: Sequence[str]) -> Sequence[OutcomeRow]:
        return await self._rows(select(self._table).where(self._id.in_(trade_ids)))

    async def running_coins(self) -> Sequence[str]:
        column = self._table.c
        query = select(column.symbol).where(column.state.in_(_RUNNING)).distinct().order_by(column.symbol)
        with storage_errors("reading outcomes"):
            async with self._engine.connect() as connection:
                return list(await connection.scalars(query))

    async def running(self, symbol: str) -> Sequence[OutcomeRow]:
        column = self._table.c
        query = select(self._table).where(column.state.in_(_RUNNING), column.symbol == symbol)
        return await self._rows(query.order_by(column.ts_init_ms, self._id, column.due_ms))

    async def counts(self, horizon: str, since_ms: int) -> Sequence[SetupCount]:
        query = _counts(self._table, horizon, since_ms)
        with storage_errors("counting outcomes"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        return [SetupCount(*row) for row in found]

    async def _rows(self, query: Select[Any]) -> Sequence[OutcomeRow]:
        with storage_errors("reading outcomes"):
            async with self._engine.connect() as connection:
                return [OutcomeRow(*row) for row in await connection.execute(query)]


def _counts(table: Table, horizon: str, since_ms: int) -> Select[Any]:
    """Per setup; "apart": the first scored outcome of each coin in each stretch of the horizon's length."""
    row, trade_id = table.c, table.columns[table.columns.keys()[0]]
    is_scored = row.state == OutcomeState.SCORED.value
    # The rule of `core.outcomes.first_touch.settle`, on the columns.
    is_win = and_(
        is_scored,
        row.first_touch.in_((Touch.TARGET.value, Touch.TIMEOUT.value)),
        row.net_return_frac > 0,
    )
    stretch = row.entered_ms // HORIZONS_MS[horizon]
    place = func.row_number().over(
        partition_by=(row.setup, row.symbol, row.state, stretch),
        order_by=(row.entered_ms, trade_id),
    )
    is_apart = and_(is_scored, place == 1)
    each = (
        select(
            row.setup,
            row.state,
            case((is_win, 1), else_=0).label("won"),
            case((is_apart, 1), else_=0).label("apart"),
            case((is_apart, stretch)).label("stretch"),
            case((is_apart, _distance(row.stop_price, row.entry_price))).label("stop"),
            case((is_apart, _distance(row.target_price, row.entry_price))).label("target"),
        )
        .where(row.state.in_(_STATES), row.due_ms >= since_ms, row.horizon == horizon)
        .subquery()
    ).c
    return (
        select(
            each.setup,
            _sum(case((each.state == OutcomeState.SCORED.value, 1), else_=0)),
            _sum(each.won),
            _sum(case((each.state == OutcomeState.UNSCORABLE.value, 1), else_=0)),
            _sum(case((each.state.in_(_RUNNING), 1), else_=0)),
            _sum(each.apart),
            _sum(each.apart * each.won),
            func.avg(each.stop),
            func.avg(each.target),
            func.count(each.stretch.distinct()),
        )
        .group_by(each.setup)
        .order_by(each.setup)
    )


def _distance(level: ColumnElement[float], entry: ColumnElement[float]) -> ColumnElement[Any]:
    return func.abs(level - entry) / entry


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(column), BigInteger)
