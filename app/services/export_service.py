"""The use case behind the downloads: whole stored tables in pieces.

Checks the question; what a file looks like, and how many are made at once, is the API's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from app.core.domain.stored import ExportQuery
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter
from app.core.store_ports import ExportReader

Rows: TypeAlias = Sequence[tuple[object, ...]]


class ExportService:
    """Reads tables for downloads."""

    def __init__(self, reader: ExportReader, *, resolve: Callable[[str], Symbol]) -> None:
        self._reader = reader
        self._resolve = resolve

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    def export(self, query: ExportQuery) -> tuple[tuple[str, ...], AsyncIterator[Rows]]:
        """Column names and chunks of rows, oldest first; iterating raises StorageUnavailable.

        Raises:
            InvalidParameter: times that end before they begin.
        """
        if query.from_ms >= query.to_ms:
            raise InvalidParameter("from", "a time before `to`")
        return self._reader.export(query)
