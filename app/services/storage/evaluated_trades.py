"""Scheduled signals with a direction and what became of each at one horizon, page by page.

Owns that one query only; which evaluations count is `evaluations`'. The page is cut inside the index
`signals_trades` before any row is read, so that what is on no page (NEUTRAL, other engines) costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, and_, select, tuple_

from app.core.domain.outcomes import OutcomeRow
from app.core.domain.signal import Direction
from app.core.domain.stored import Page
from app.core.domain.trades import TradeQuery, TradeRow
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.evaluations import counting
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import signal_outcomes, signals

_SIDES = (Direction.LONG.value, Direction.SHORT.value)


class SqlTrades:
    """`core.record_ports.TradeReader`."""

    def __init__(self, engine: Access, *, data_mode: str, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._data_mode = data_mode
        self._now_ms = now_ms

    async def trades(self, query: TradeQuery) -> Page[TradeRow]:
        statement = _joined(self._page(query), query.horizon)
        with storage_errors("reading trades"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(statement)).all()
        rows = tuple(_trade_row(row) for row in found[: query.limit])
        more = len(found) > query.limit
        return Page(rows, write_cursor((rows[-1].as_of_ms, rows[-1].id)) if more else None)

    def _page(self, query: TradeQuery) -> Select[Any]:
        """Places of the page's signals and of one more. Raises: InvalidParameter for a foreign cursor."""
        column, now_ms = signals.c, self._now_ms()
        last = None if query.cursor is None else read_cursor(query.cursor, (int, str))
        # The bound that is nearest is the one the index is entered at.
        until_ms = now_ms if last is None else min(now_ms, int(last[0]))
        statement = select(column.chain, column.seq, column.as_of_ms, column.id).where(
            *counting(self._data_mode, since_ms=0, now_ms=until_ms),
            column.engine_version == query.engine_version,
            column.direction.in_(_SIDES),
        )
        if query.symbol is not None:
            statement = statement.where(column.symbol == query.symbol)
        if last is not None:
            statement = statement.where(tuple_(column.as_of_ms, column.id) < tuple_(*last))
        return statement.order_by(column.as_of_ms.desc(), column.id.desc()).limit(query.limit + 1)


def _joined(page: Select[Any], horizon: str) -> Select[Any]:
    """The signals of a page, each with its side's outcome; `trade_of`, in SQL, names it."""
    place, signal, outcome = page.subquery("page"), signals.c, signal_outcomes.c
    is_there = and_(signal.chain == place.c.chain, signal.seq == place.c.seq)
    is_its = and_(outcome.trade_id == signal.id + ":" + signal.direction, outcome.horizon == horizon)
    told = signal.id, signal.symbol, signal.direction, signal.score, signal.as_of_ms, signal.ts_init_ms
    return (
        select(*told, *outcome)
        .select_from(place.join(signals, is_there).outerjoin(signal_outcomes, is_its))
        .order_by(place.c.as_of_ms.desc(), place.c.id.desc())
    )


def _trade_row(row: Sequence[Any]) -> TradeRow:
    signal_id, symbol, direction, score, as_of_ms, made_ms, *outcome = row
    known = None if outcome[0] is None else OutcomeRow(*outcome)
    return TradeRow(signal_id, symbol, direction, score, as_of_ms, made_ms, known)
