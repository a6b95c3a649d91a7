"""The use case behind `/api/alerts`: alerts as they were kept, with their fate. Reads the store alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.core.domain.alerts import AlertQuery, StoredAlert
from app.core.domain.stored import Page
from app.core.domain.symbol import Symbol


class AlertHistory(Protocol):
    """The part of `core.stream_ports.AlertStore` that is read here."""

    async def page(self, query: AlertQuery) -> Page[StoredAlert]: ...
    async def one(self, alert_id: str) -> StoredAlert | None: ...


class AlertService:
    """Answers with stored alerts."""

    def __init__(self, store: AlertHistory, *, resolve: Callable[[str], Symbol]) -> None:
        self._store = store
        self._resolve = resolve

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def page(self, query: AlertQuery) -> Page[StoredAlert]:
        """Newest first. Raises: StorageUnavailable, InvalidParameter (a foreign cursor)."""
        return await self._store.page(query)

    async def one(self, alert_id: str) -> StoredAlert | None:
        """None for an id that was never kept, or is too old to be. Raises: StorageUnavailable."""
        return await self._store.one(alert_id)
