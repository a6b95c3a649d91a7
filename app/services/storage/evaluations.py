"""Scheduled evaluations in the database: the claim of each coin and hour, and reading them back by page.

Signals are written by `signal_log`; here the record finds those that count. Decoding bodies is done in
threads: a page of them takes longer than an answer may wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, and_, case, exists, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.domain.evaluations import EvaluationRef, EvaluationRow, HourCount, HourState
from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import trade_of
from app.core.domain.signal import Direction, FactorName, FactorStatus, Mode
from app.core.domain.stored import Trigger
from app.core.domain.track_record import SignalCount
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import evaluation_hours, signal_outcomes, signals

_NAN = float("nan")


class _Factor(msgspec.Struct):
    name: str
    v: float
    status: str


class _Confidence(msgspec.Struct):
    level: str


class _Body(msgspec.Struct):
    """What the record wants of a stored signal; the rest of the body is passed over."""

    confidence: _Confidence
    factors: list[_Factor]


class _Hours(NamedTuple):
    """Hours of one coin that went alike."""

    symbol: str
    state: str
    reason: str | None
    hours: int
    first_ms: int
    last_ms: int


_BODY = msgspec.json.Decoder(_Body)


class SqlEvaluations:
    """`core.record_ports.EvaluationHours` and `EvaluationReader`."""

    def __init__(self, engine: Access, *, data_mode: str, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._data_mode = data_mode
        self._now_ms = now_ms

    async def claim(self, symbol: str, hour_ms: int) -> bool:
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        row = {"symbol": symbol, "hour_ms": hour_ms, "state": HourState.CLAIMED.value, "reason": None}
        statement = insert(evaluation_hours).values(row | {"ts_init_ms": self._now_ms()})
        with storage_errors("claiming an hour"):
            async with self._engine.begin() as connection:
                done = await connection.execute(statement.on_conflict_do_nothing())
                return done.rowcount == 1

    async def settle(self, symbol: str, hour_ms: int, failure: str | None) -> None:
        state = HourState.MADE if failure is None else HourState.FAILED
        column = evaluation_hours.c
        with storage_errors("settling an hour"):
            async with self._engine.begin() as connection:
                await connection.execute(
                    update(evaluation_hours)
                    .where(column.symbol == symbol, column.hour_ms == hour_ms)
                    .values(state=state.value, reason=failure)
                )

    async def hour_counts(self, until_ms: int) -> Sequence[HourCount]:
        column = evaluation_hours.c
        # Who died, or lost the database, after the signal was on its way could not say that it was made.
        is_there = exists().where(
            signals.c.symbol == column.symbol,
            signals.c.as_of_ms >= column.hour_ms,
            signals.c.as_of_ms < column.hour_ms + HOUR_MS,
            signals.c.trigger == Trigger.SCHEDULE.value,
        )
        is_made = and_(column.state == HourState.CLAIMED.value, is_there)
        state = case((is_made, HourState.MADE.value), else_=column.state).label("came_to")
        each = select(column.symbol, state, column.reason, column.hour_ms).where(column.hour_ms <= until_ms)
        hour = each.subquery().c
        kind = hour.symbol, hour.came_to, hour.reason
        query = (
            select(*kind, func.count(), func.min(hour.hour_ms), func.max(hour.hour_ms))
            .group_by(*kind)
            .order_by(*kind)
        )
        with storage_errors("counting hours"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        coins = groupby((_Hours(*row) for row in found), key=lambda hours: hours.symbol)
        return [_hour_count(symbol, list(hours)) for symbol, hours in coins]

    async def unfollowed(self, since_ms: int, limit: int) -> Sequence[EvaluationRef]:
        column = signals.c
        one_side = exists().where(
            signal_outcomes.c.trade_id == column.id + trade_of("", Direction.LONG.value)
        )
        query = (
            select(column.id, column.symbol, column.ts_init_ms)
            .where(*self._counting(since_ms), ~one_side)
            .order_by(column.as_of_ms, column.id)
            .limit(limit)
        )
        with storage_errors("reading evaluations"):
            async with self._engine.connect() as connection:
                return [EvaluationRef(*row) for row in await connection.execute(query)]

    async def evaluations(
        self, since_ms: int, limit: int, after: tuple[int, str] | None = None
    ) -> Sequence[EvaluationRow]:
        column = signals.c
        query = select(
            column.id,
            column.symbol,
            column.as_of_ms,
            column.direction,
            column.score,
            column.coverage,
            column.engine_version,
            column.body,
        ).where(*self._counting(since_ms))
        if after is not None:
            query = query.where(tuple_(column.as_of_ms, column.id) > tuple_(*after))
        query = query.order_by(column.as_of_ms, column.id).limit(limit)
        with storage_errors("reading evaluations"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        return await asyncio.to_thread(lambda: [_evaluation(*row) for row in found])

    async def newest_since(self, count: int) -> int:
        column = signals.c
        order = column.as_of_ms.desc(), column.id.desc()
        query = select(column.as_of_ms).where(*self._counting(0)).order_by(*order).offset(count - 1).limit(1)
        with storage_errors("reading evaluations"):
            async with self._engine.connect() as connection:
                return int((await connection.execute(query)).scalar() or 0)

    async def signal_counts(self, since_ms: int) -> Sequence[SignalCount]:
        column = signals.c
        kind = column.symbol, column.trigger, column.mode, column.direction
        query = (
            select(*kind, func.count(), func.avg(column.score), func.avg(column.coverage))
            .where(column.as_of_ms >= since_ms, column.as_of_ms <= self._now_ms())
            .where(column.data_mode == self._data_mode)
            .group_by(*kind)
            .order_by(*kind)
        )
        with storage_errors("counting signals"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(query)).all()
        return [
            SignalCount(
                symbol=row[0],
                trigger=row[1],
                mode=row[2],
                direction=row[3],
                count=int(row[4]),
                mean_score=float(row[5]),
                mean_coverage=float(row[6]),
            )
            for row in found
        ]

    def _counting(self, since_ms: int) -> tuple[ColumnElement[bool], ...]:
        return counting(self._data_mode, since_ms=since_ms, now_ms=self._now_ms())


def counting(data_mode: str, *, since_ms: int, now_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `signals`: evaluations that count, and of which this moment may know."""
    column = signals.c
    return (
        column.trigger == Trigger.SCHEDULE.value,
        column.mode == Mode.BALANCED.value,
        column.data_mode == data_mode,
        column.as_of_ms >= since_ms,
        column.as_of_ms <= now_ms,
    )


def _hour_count(symbol: str, groups: Sequence[_Hours]) -> HourCount:
    first_ms, last_ms = min(one.first_ms for one in groups), max(one.last_ms for one in groups)
    made = sum(one.hours for one in groups if one.state == HourState.MADE.value)
    failed = {one.reason: one.hours for one in groups if one.reason is not None}
    return HourCount(symbol, (last_ms - first_ms) // HOUR_MS + 1, made, failed)


def _evaluation(
    id_: str,
    symbol: str,
    as_of_ms: int,
    direction: str,
    score: float,
    coverage: float,
    engine_version: str,
    body: Any,
) -> EvaluationRow:
    told = _BODY.decode(body)
    known = {one.name: one.v for one in told.factors if one.status == FactorStatus.OK.value}
    v = tuple(known.get(name.value, _NAN) for name in FactorName)
    level = told.confidence.level
    return EvaluationRow(id_, symbol, as_of_ms, direction, score, coverage, level, engine_version, v)
