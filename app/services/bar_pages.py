"""All stored bars of a query, page by page."""

from __future__ import annotations

from dataclasses import replace

from app.core.domain.stored import BarQuery, BarRow
from app.core.store_ports import BarReader


async def all_bars(bars: BarReader, query: BarQuery) -> list[BarRow]:
    """What the query asks for without its cursor, in pages of its limit. Raises: StorageUnavailable."""
    found: list[BarRow] = []
    cursor: str | None = None
    while True:
        page = await bars.bars(replace(query, cursor=cursor))
        found += page.rows
        if page.cursor is None:
            return found
        cursor = page.cursor
