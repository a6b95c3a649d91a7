"""Keys and the audit log in the database: a digest for a key, and rows that are written once.

Nothing here changes or removes a row of the log; only its retention does (`retention`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.domain.access import (
    MAX_KEYS,
    AuditAction,
    AuditEvent,
    AuditOutcome,
    AuditQuery,
    StoredKey,
)
from app.core.domain.stored import Page
from app.services.storage.cursors import read_cursor, write_cursor
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import api_keys, audit_log

_keys = api_keys.c
_BETWEEN = "+"  # as in API_KEYS: read+debug


class SqlKeys:
    """`core.access_ports.KeyStore`. Every write is committed when it returns."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def keys(self) -> Sequence[StoredKey]:
        statement = select(
            *(_keys.name, _keys.digest, _keys.scopes, _keys.created_ms),
            *(_keys.expires_ms, _keys.revoked_ms, _keys.last_used_ms),
        ).order_by(_keys.name)
        with storage_errors("reading keys"):
            async with self._engine.connect() as connection:
                return [_key(row) for row in await connection.execute(statement.limit(MAX_KEYS))]

    async def add_key(self, key: StoredKey) -> bool:
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        row = {
            "name": key.name,
            "digest": key.digest.hex(),
            "scopes": _BETWEEN.join(sorted(key.scopes)),
            "created_ms": key.created_ms,
            "expires_ms": key.expires_ms,
        }
        statement = insert(api_keys).values(row).on_conflict_do_nothing()
        with storage_errors("storing a key"):
            async with self._engine.begin() as connection:
                return (await connection.execute(statement)).rowcount == 1

    async def revoke_key(self, name: str, at_ms: int) -> bool:
        in_force = (_keys.name == name, _keys.revoked_ms.is_(None))
        with storage_errors("revoking a key"):
            async with self._engine.begin() as connection:
                done = await connection.execute(update(api_keys).where(*in_force).values(revoked_ms=at_ms))
                return done.rowcount == 1

    async def touch_keys(self, used: Mapping[str, int]) -> None:
        last = _keys.last_used_ms
        statement = (
            update(api_keys)
            .where(_keys.name == bindparam("key"))
            .where(or_(last.is_(None), last < bindparam("at_ms")))
            .values(last_used_ms=bindparam("at_ms"))
        )
        # In one order: two processes that note the same keys never wait for each other.
        rows = [{"key": name, "at_ms": at_ms} for name, at_ms in sorted(used.items())]
        with storage_errors("noting the use of keys"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, rows)


class SqlAuditLog:
    """`core.access_ports.AuditLog`."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def append(self, events: Sequence[AuditEvent]) -> None:
        if not events:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(audit_log).on_conflict_do_nothing()
        with storage_errors("writing the audit log"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, [event._asdict() for event in events])

    async def page(self, query: AuditQuery) -> Page[AuditEvent]:
        columns = audit_log.c
        statement = select(*(columns[name] for name in AuditEvent._fields))
        if query.action is not None:
            statement = statement.where(columns.action == query.action.value)
        if query.cursor is not None:
            after = read_cursor(query.cursor, (int, str))
            statement = statement.where(tuple_(columns.ts_ms, columns.id) < tuple_(*after))
        statement = statement.order_by(columns.ts_ms.desc(), columns.id.desc()).limit(query.limit + 1)
        with storage_errors("reading the audit log"):
            async with self._engine.connect() as connection:
                found = [_event(row) for row in await connection.execute(statement)]
        rows = tuple(found[: query.limit])
        cursor = write_cursor((rows[-1].ts_ms, rows[-1].id)) if len(found) > query.limit else None
        return Page(rows, cursor)


def _key(row: Any) -> StoredKey:
    return StoredKey(
        name=row.name,
        digest=bytes.fromhex(row.digest),
        scopes=frozenset(row.scopes.split(_BETWEEN)),
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        last_used_ms=row.last_used_ms,
    )


def _event(row: Any) -> AuditEvent:
    event = AuditEvent._make(row)
    return event._replace(action=AuditAction(event.action), outcome=AuditOutcome(event.outcome))
