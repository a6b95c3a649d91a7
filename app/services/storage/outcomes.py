"""Outcomes of alerts in the database: opened, entered, resolved once, counted per setup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

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
from app.services.storage.tables import alert_outcomes

_row = alert_outcomes.c
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
    """`core.outcome_ports.OutcomeStore`. Every write is committed when it returns."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def open(self, rows: Sequence[OutcomeRow]) -> None:
        if not rows:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(alert_outcomes).on_conflict_do_nothing(index_elements=["alert_id", "horizon"])
        with storage_errors("opening outcomes"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, [row._asdict() for row in rows])

    async def enter(self, entries: Sequence[EntryRow]) -> None:
        if not entries:
            return
        with storage_errors("entering outcomes"):
            async with self._engine.begin() as connection:
                for entry in entries:
                    values: dict[str, Any] = entry._asdict()
                    alert_id = values.pop("alert_id")
                    await connection.execute(
                        update(alert_outcomes)
                        .where(_row.alert_id == alert_id, _row.state == OutcomeState.WAITING.value)
                        .values(
                            state=OutcomeState.OPEN.value,
                            due_ms=_row.due_ms + entry.entered_ms - _row.ts_init_ms,
                            **values,
                        )
                    )

    async def resolve(self, rows: Sequence[OutcomeRow]) -> None:
        if not rows:
            return
        with storage_errors("resolving outcomes"):
            async with self._engine.begin() as connection:
                for row in rows:
                    await connection.execute(
                        update(alert_outcomes)
                        .where(_row.alert_id == row.alert_id, _row.horizon == row.horizon)
                        .where(_row.state.in_(_RUNNING))
                        .values({name: getattr(row, name) for name in _ENDS})
                    )

    async def due(
        self, now_ms: int, limit: int, after: tuple[int, str, str] | None = None
    ) -> Sequence[OutcomeRow]:
        place = tuple_(_row.due_ms, _row.alert_id, _row.horizon)
        query = select(alert_outcomes).where(_row.state.in_(_RUNNING), _row.due_ms <= now_ms)
        if after is not None:
            query = query.where(place > tuple_(*after))
        return await self._rows(query.order_by(_row.due_ms, _row.alert_id, _row.horizon).limit(limit))

    async def of_alert(self, alert_id: str) -> Sequence[OutcomeRow]:
        rows = await self._rows(select(alert_outcomes).where(_row.alert_id == alert_id))
        order = list(HORIZONS_MS)
        return sorted(rows, key=lambda row: order.index(row.horizon))

    async def counts(self, horizon: str, since_ms: int) -> Sequence[SetupCount]:
        query = _counts(horizon, since_ms)
        with storage_errors("counting outcomes"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        return [SetupCount(row[0], *(int(count) for count in row[1:])) for row in found]

    async def _rows(self, query: Select[tuple[object, ...]]) -> Sequence[OutcomeRow]:
        with storage_errors("reading outcomes"):
            async with self._engine.connect() as connection:
                return [_outcome(row) for row in (await connection.execute(query)).mappings()]


def _outcome(row: RowMapping) -> OutcomeRow:
    return OutcomeRow(**row)


def _counts(horizon: str, since_ms: int) -> Select[Any]:
    """Per setup; "apart": the first scored outcome of each coin in each stretch of the horizon's length."""
    is_scored = _row.state == OutcomeState.SCORED.value
    # The rule of `core.outcomes.first_touch.settle`, on the columns.
    is_win = and_(
        is_scored,
        _row.first_touch.in_((Touch.TARGET.value, Touch.TIMEOUT.value)),
        _row.net_return_frac > 0,
    )
    stretch = _row.entered_ms // HORIZONS_MS[horizon]
    place = func.row_number().over(
        partition_by=(_row.setup, _row.symbol, _row.state, stretch),
        order_by=(_row.entered_ms, _row.alert_id),
    )
    each = (
        select(
            _row.setup,
            _row.state,
            case((is_win, 1), else_=0).label("won"),
            case((and_(is_scored, place == 1), 1), else_=0).label("apart"),
        )
        .where(_row.state.in_(_STATES), _row.due_ms >= since_ms, _row.horizon == horizon)
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
        )
        .group_by(each.setup)
        .order_by(each.setup)
    )


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(column)
