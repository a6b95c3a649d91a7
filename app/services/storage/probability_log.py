"""Reading the log of published probabilities. Writing is the market writer's, like that of any row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, Select, func, select, tuple_

from app.core.domain.stored import ProbabilityRow
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import probability_log

_log = probability_log.c


class SqlProbabilityLog:
    """`core.store_ports.ProbabilityLog`."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def due(
        self, now_ms: int, limit: int, after: tuple[int, str] | None = None
    ) -> Sequence[ProbabilityRow]:
        query = select(probability_log).where(_log.resolved_ms.is_(None), _log.due_ms <= now_ms)
        if after is not None:
            query = query.where(tuple_(_log.due_ms, _log.id) > tuple_(*after))
        return await self._rows(query.order_by(_log.due_ms, _log.id).limit(limit))

    async def resolved(self, limit: int) -> Sequence[ProbabilityRow]:
        newest = await self._rows(
            select(probability_log)
            .where(_log.resolved_ms.is_not(None), _log.outcome.is_not(None))
            .order_by(_log.due_ms.desc(), _log.id.desc())
            .limit(limit)
        )
        return newest[::-1]

    async def counts(self) -> tuple[int, int, int]:
        query = select(
            func.count(),
            func.count(_log.resolved_ms),
            func.count(_log.outcome),
        ).select_from(probability_log)
        with storage_errors("counting probabilities"):
            async with self._engine.connect() as connection:
                every, ended, scored = (await connection.execute(query)).one()
        return int(every - ended), int(scored), int(ended - scored)

    async def _rows(self, query: Select[tuple[object, ...]]) -> Sequence[ProbabilityRow]:
        with storage_errors("reading probabilities"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).mappings()
                return [_row(row) for row in rows]


def _row(row: RowMapping) -> ProbabilityRow:
    return ProbabilityRow(**row)
