"""The use case behind `/history`: stored bars of one coin by page, with their coverage and their gaps.

Asks the store and nobody else: what is not stored is an empty page, not an upstream call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from app.core.domain.history import END_OF_TIME_MS, STORED_INTERVALS, HistoryAnswer, HistoryRequest, find_gaps
from app.core.domain.market import bar_length_ms
from app.core.domain.stored import BarQuery, RatioScope, SeriesName
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter
from app.core.store_ports import BarReader

MAX_PAGE = 1000
_NEWEST_BARS = 100


class HistoryService:
    """Pages of stored bars."""

    def __init__(self, bars: BarReader, *, resolve: Callable[[str], Symbol]) -> None:
        self._bars = bars
        self._resolve = resolve

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def history(self, request: HistoryRequest) -> HistoryAnswer:
        """One page.

        Raises:
            InvalidParameter: a scope where there is none, times that end before they begin, a foreign cursor.
            StorageUnavailable: the store does not answer.
        """
        _check(request)
        query = BarQuery(
            series=request.series,
            symbol=request.symbol.base,
            interval=request.interval,
            from_ms=request.from_ms,
            to_ms=request.to_ms,
            exchange=request.exchange,
            scope=request.scope,
            limit=request.limit,
            cursor=request.cursor,
            newest_first=request.newest_first,
        )
        page, oldest_ms, newest_ms = await asyncio.gather(
            self._bars.bars(query), self._end(query, newest_first=False), self._end(query, newest_first=True)
        )
        is_none = newest_ms is None
        return HistoryAnswer(
            request=request,
            rows=page.rows,
            cursor=page.cursor,
            gaps=find_gaps(page.rows, bar_length_ms(request.interval)),
            oldest_ms=oldest_ms,
            newest_ms=newest_ms,
            other_intervals=await self._other_intervals(query) if is_none else (),
            other_exchanges=await self._other_exchanges(query) if is_none else (),
        )

    async def _end(self, query: BarQuery, *, newest_first: bool) -> int | None:
        """Close of the first or last bar of this history, whatever page was asked for."""
        whole = replace(
            query, from_ms=0, to_ms=END_OF_TIME_MS, limit=1, cursor=None, newest_first=newest_first
        )
        rows = (await self._bars.bars(whole)).rows
        return rows[0].close_ms if rows else None

    async def _other_intervals(self, query: BarQuery) -> tuple[str, ...]:
        sizes = [size for size in STORED_INTERVALS if size != query.interval]
        ends = [await self._end(replace(query, interval=size), newest_first=True) for size in sizes]
        return tuple(size for size, end in zip(sizes, ends, strict=True) if end is not None)

    async def _other_exchanges(self, query: BarQuery) -> tuple[str, ...]:
        """Those with one of the newest bars of this size."""
        if query.exchange is None:
            return ()
        newest = replace(
            query,
            from_ms=0,
            to_ms=END_OF_TIME_MS,
            exchange=None,
            limit=_NEWEST_BARS,
            cursor=None,
            newest_first=True,
        )
        return tuple(sorted({row.exchange for row in (await self._bars.bars(newest)).rows}))


def _check(request: HistoryRequest) -> None:
    """Raises: InvalidParameter."""
    if request.scope is not None and request.series is not SeriesName.LONG_SHORT:
        raise InvalidParameter("scope", f"only {SeriesName.LONG_SHORT} has one; leave it out")
    if request.scope is None and request.series is SeriesName.LONG_SHORT:
        raise InvalidParameter("scope", f"one of {', '.join(RatioScope)}")
    if request.from_ms >= request.to_ms:
        raise InvalidParameter("from", "a time before `to`")
    if not 1 <= request.limit <= MAX_PAGE:
        raise InvalidParameter("limit", f"1 to {MAX_PAGE}")
