"""History of alerts, the outbox and the gaps of the stream: what of the worker survives a kill.

An alert and what is to be sent of it are stored in one transaction, so that neither is ever without the
other. The rules of sending are in `outbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.alerting.codec import encode_alert
from app.core.domain.alerts import Alert, AlertQuery, Delivery, DropReason, GateVerdict, StoredAlert
from app.core.domain.flow import StreamGap
from app.core.domain.stored import Page
from app.services.storage.alert_rows import delivery_of, fate_of, history_row, read_body, stored_alert
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.outbox import SqlOutbox, queue
from app.services.storage.tables import alert_history, outbox, stream_gaps

# What the gate remembers of a day of storms; more would only slow the start down.
MAX_RECENT = 5_000
MAX_GAPS = 1_000
# Keys asked for in one statement; SQLite takes no more than some thousands of parameters.
_IDS_AT_ONCE = 500
_history = alert_history.c


class SqlAlerts(SqlOutbox):
    """`core.stream_ports.AlertStore`, `Outbox` and `GapLog` over one database."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        """now_ms: market time; a replay's store may hold alerts of what is still to come."""
        super().__init__(engine)
        self._now_ms = now_ms

    async def keep(
        self,
        alert: Alert,
        *,
        drop_reason: DropReason | None,
        dropped_chats: Mapping[str, DropReason],
        chats: Sequence[str],
        now_ms: int,
    ) -> None:
        """Store the alert and queue what is to be sent; see the port."""
        await self.keep_all([GateVerdict(alert, drop_reason, tuple(chats), dropped_chats)], now_ms=now_ms)

    async def keep_all(self, verdicts: Sequence[GateVerdict], *, now_ms: int) -> None:
        """The same for many, in one transaction."""
        # By id and not as they come: two processes that keep the same alerts must not lock each other out.
        items = [_Item(verdict) for verdict in sorted(verdicts, key=lambda verdict: verdict.alert.id)]
        if not items:
            return
        with storage_errors("storing alerts"):
            async with self._engine.begin() as connection:
                for item in await _insert_new(connection, items):
                    await _write_again(connection, item)
                messages = [
                    (item.alert, chat, item.text) for item in items for chat in sorted(set(item.chats))
                ]
                await queue(connection, messages, now_ms=now_ms)

    async def recent(self, since_ms: int) -> Sequence[StoredAlert]:
        """Alerts since then, oldest first, at most `MAX_RECENT` of the newest."""
        wanted = (_history.ts_event_ms >= since_ms, _history.ts_init_ms <= self._now_ms())
        return (await self._read(wanted, MAX_RECENT))[::-1]

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        """Newest first. Raises: InvalidParameter (a bad cursor)."""
        found = await self._read(_conditions(query, self._now_ms()), query.limit + 1)
        rows = tuple(found[: query.limit])
        if len(found) <= query.limit:
            return Page(rows, None)
        return Page(rows, write_cursor((rows[-1].alert.ts_event_ms, rows[-1].alert.id)))

    async def one(self, alert_id: str) -> StoredAlert | None:
        found = await self._read((_history.id == alert_id,), 1)
        return found[0] if found else None

    async def counts(self, since_ms: int) -> Mapping[DropReason | None, int]:
        """How many alerts there were since then by why nobody was told; None: kept."""
        reason = _history.drop_reason
        statement = (
            select(reason, func.count())
            .where(_history.ts_event_ms >= since_ms, _history.ts_init_ms <= self._now_ms())
            .group_by(reason)
        )
        with storage_errors("counting alerts"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
        return {None if why is None else DropReason(why): count for why, count in rows}

    async def add_gap(self, gap: StreamGap) -> None:
        """Told twice of one gap, its later end holds."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(stream_gaps).values(ts_init_ms=self._now_ms(), **gap._asdict())
        statement = statement.on_conflict_do_update(
            index_elements=["source", "from_ms"],
            set_={name: statement.excluded[name] for name in ("to_ms", "reason", "ts_init_ms")},
            where=stream_gaps.c.to_ms < statement.excluded.to_ms,
        )
        with storage_errors("storing a gap"):
            async with self._engine.begin() as connection:
                await connection.execute(statement)

    async def gaps(self, since_ms: int) -> Sequence[StreamGap]:
        """Gaps that ended since then, oldest first, at most `MAX_GAPS` of the newest."""
        columns = stream_gaps.c
        statement = (
            select(columns.source, columns.from_ms, columns.to_ms, columns.reason)
            .where(columns.to_ms >= since_ms, columns.from_ms <= self._now_ms())
            .order_by(columns.from_ms.desc(), columns.source.desc())
            .limit(MAX_GAPS)
        )
        with storage_errors("reading gaps"):
            async with self._engine.connect() as connection:
                return [StreamGap(*row) for row in (await connection.execute(statement)).all()][::-1]

    async def _read(self, wanted: Sequence[ColumnElement[bool]], limit: int) -> list[StoredAlert]:
        """Newest first, with their deliveries."""
        statement = (
            select(_history.id, _history.body)
            .where(*wanted)
            .order_by(_history.ts_event_ms.desc(), _history.id.desc())
            .limit(limit)
        )
        with storage_errors("reading alerts"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
                deliveries = await _deliveries(connection, [row.id for row in rows])
        return [stored_alert(row.body, deliveries.get(row.id, ())) for row in rows]


class _Item:
    """One alert to be kept."""

    def __init__(self, verdict: GateVerdict) -> None:
        self.alert = verdict.alert
        self.chats = verdict.chats
        self.fate = fate_of(verdict.reason, verdict.dropped)
        self.text = encode_alert(verdict.alert)

    def row(self) -> dict[str, Any]:
        return history_row(self.alert, self.fate, text=self.text)


async def _insert_new(connection: AsyncConnection, items: Sequence[_Item]) -> Sequence[_Item]:
    """Write those that are not there yet; the others."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(alert_history).on_conflict_do_nothing(index_elements=["id"]).returning(_history.id)
    firsts = {item.alert.id: item for item in reversed(items)}
    new = set((await connection.execute(statement, [item.row() for item in firsts.values()])).scalars())
    return [item for item in items if item.alert.id not in new or item is not firsts[item.alert.id]]


async def _write_again(connection: AsyncConnection, item: _Item) -> None:
    """A further revision of an alert that is there; an older one changes nothing."""
    is_this = _history.id == item.alert.id
    query = select(_history.body).where(is_this).with_for_update()
    known, known_fate = read_body((await connection.execute(query)).scalar_one())
    if item.alert.revision < known.revision:
        return
    told = await connection.execute(select(outbox.c.chat).where(outbox.c.alert_id == item.alert.id))
    item.fate = item.fate.after(known_fate, told=set(told.scalars()))
    await connection.execute(update(alert_history).where(is_this).values(item.row()))


async def _deliveries(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        wanted = outbox.c.alert_id.in_(ids[start : start + _IDS_AT_ONCE])
        query = select(outbox).where(wanted).order_by(outbox.c.alert_id, outbox.c.chat)
        for row in (await connection.execute(query)).mappings():
            found.setdefault(row["alert_id"], []).append(delivery_of(row))
    return found


def _conditions(query: AlertQuery, now_ms: int) -> list[ColumnElement[bool]]:
    equal: dict[str, Any] = {
        "symbol": query.symbol,
        "kind": None if query.kind is None else query.kind.value,
        "severity": None if query.severity is None else query.severity.value,
        "is_kept": query.is_kept,
    }
    # By when it was learned: a venue's clock may be ahead of ours.
    wanted: list[ColumnElement[bool]] = [_history.ts_init_ms <= now_ms]
    wanted += [_history[name] == value for name, value in equal.items() if value is not None]
    if query.from_ms is not None:
        wanted.append(_history.ts_event_ms >= query.from_ms)
    if query.to_ms is not None:
        wanted.append(_history.ts_event_ms < query.to_ms)
    if query.cursor is not None:
        wanted.append(
            tuple_(_history.ts_event_ms, _history.id) < tuple_(*read_cursor(query.cursor, (int, str)))
        )
    return wanted
