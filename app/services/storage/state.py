"""Small state that survives a restart: key and value, watchlist, settings of chats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from app.core.domain.watchlist import StoredCoin
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import chat_settings, watchlist, worker_state


class SqlState:
    """`core.store_ports.StateStore`. Every write is committed when it returns."""

    def __init__(self, engine: Access, *, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms

    async def get_state(self, key: str) -> str | None:
        return await self._value(worker_state.c.value, worker_state.c.key == key)

    async def put_state(self, key: str, value: str) -> None:
        await self._upsert(worker_state, {"key": key}, {"value": value})

    async def claim(self, key: str, slot: int) -> bool:
        """True for whoever is the first to name this slot under the key (`core.record_ports.Claims`)."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(worker_state).values(key=key, value=str(slot), ts_init_ms=self._now_ms())
        changed = {name: statement.excluded[name] for name in ("value", "ts_init_ms")}
        statement = statement.on_conflict_do_update(
            index_elements=["key"], set_=changed, where=worker_state.c.value != statement.excluded.value
        )
        with storage_errors("claiming"):
            async with self._engine.begin() as connection:
                return (await connection.execute(statement)).rowcount == 1

    async def put_many(self, values: Mapping[str, str]) -> None:
        """Many at once, in one transaction and a fixed order: two writers never wait for each other."""
        now_ms = self._now_ms()
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(worker_state)
        changed = {name: statement.excluded[name] for name in ("value", "ts_init_ms")}
        statement = statement.on_conflict_do_update(index_elements=["key"], set_=changed)
        rows = [{"key": key, "value": value, "ts_init_ms": now_ms} for key, value in sorted(values.items())]
        with storage_errors("writing worker_state"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, rows)

    async def forget(self, prefix: str, before_ms: int) -> None:
        """Drop the keys that begin with `prefix` and were last written before then."""
        key = worker_state.c.key
        old = (key.startswith(prefix, autoescape=True), worker_state.c.ts_init_ms < before_ms)
        with storage_errors("clearing worker_state"):
            async with self._engine.begin() as connection:
                await connection.execute(delete(worker_state).where(*old))

    async def newest(self, prefix: str, since_ms: int, limit: int) -> Sequence[str]:
        """Values of the keys that begin with `prefix`, written since then, by key."""
        key = worker_state.c.key
        statement = (
            select(worker_state.c.value)
            .where(key.startswith(prefix, autoescape=True))
            .where(worker_state.c.ts_init_ms >= since_ms)
            .order_by(key)
            .limit(limit)
        )
        with storage_errors("reading state"):
            async with self._engine.connect() as connection:
                return list(await connection.scalars(statement))

    async def watchlist(self) -> tuple[StoredCoin, ...]:
        """In the order they were added."""
        with storage_errors("reading the watchlist"):
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    select(
                        watchlist.c.symbol, watchlist.c.is_on, watchlist.c.is_removed, watchlist.c.added_ms
                    ).order_by(watchlist.c.position, watchlist.c.symbol)
                )
                return tuple(StoredCoin(*row) for row in rows)

    async def watch(self, symbol: str, *, is_on: bool, is_removed: bool = False, added_ms: int) -> None:
        """Add a coin at the end, or change one that is there in its place; `added_ms` stays as it was."""
        last = select(func.coalesce(func.max(watchlist.c.position), -1) + 1).scalar_subquery()
        await self._upsert(
            watchlist,
            {"symbol": symbol},
            {"is_on": is_on, "is_removed": is_removed},
            once={"position": last, "added_ms": added_ms},
        )

    async def unwatch(self, symbol: str) -> None:
        """Its row goes; one that is not there is no error."""
        with storage_errors("writing the watchlist"):
            async with self._engine.begin() as connection:
                await connection.execute(delete(watchlist).where(watchlist.c.symbol == symbol))

    async def chat_settings(self, chat: str) -> str | None:
        """JSON text, None for a chat that set nothing."""
        return await self._value(chat_settings.c.settings, chat_settings.c.chat == chat)

    async def put_chat_settings(self, chat: str, settings: str) -> None:
        await self._upsert(chat_settings, {"chat": chat}, {"settings": settings})

    async def _value(self, column: ColumnElement[str], where: ColumnElement[bool]) -> str | None:
        with storage_errors("reading state"):
            async with self._engine.connect() as connection:
                return (await connection.execute(select(column).where(where))).scalar()

    async def _upsert(
        self, table: Table, key: dict[str, Any], values: dict[str, Any], *, once: dict[str, Any] | None = None
    ) -> None:
        """`once`: set when the row is made, left alone afterwards."""
        changing = values | {"ts_init_ms": self._now_ms()}
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(table).values(key | changing | (once or {}))
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changing)
        with storage_errors(f"writing {table.name}"):
            async with self._engine.begin() as connection:
                await connection.execute(statement)
