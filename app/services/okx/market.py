"""The extra groups of `/market/{symbol}` from OKX: what each asks, and how it fails alone.

At most nine calls, all at once; the ratios read the page of the factor inputs. Figures are named in
figures.py. Called by provider.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.core.ports import Fetched
from app.services.okx import figures, resources
from app.services.okx.figures import Readings
from app.services.okx.history import grid_pages, join_pages, newest_days
from app.services.okx.parse import Rows
from app.services.okx.reading import Reader, join_answers
from app.services.okx.resources import HistoryTable
from app.services.transport.cache import Cached

FetchGroup = Callable[[Symbol], Awaitable[Fetched[Readings]]]


class MarketGroups:
    """Display groups of one coin. Holds nothing but its collaborators."""

    def __init__(self, reader: Reader, now_ms: Callable[[], int]) -> None:
        self._reader = reader
        self._now_ms = now_ms
        groups: tuple[tuple[str, str, FetchGroup], ...] = (
            ("ticker", "market_ticker", self._ticker),
            ("markPrice", "public_mark_price", self._mark_price),
            ("openInterest", "public_open_interest", self._open_interest),
            ("fundingRate", "public_funding_rate", self._funding_rate),
            ("takerVolume", resources.TAKER_VOLUME, self._taker_volume),
            ("traderRatios", resources.TOP_ACCOUNT_RATIO.endpoint, self._trader_ratios),
            ("range", resources.DAYS, self._range),
        )
        self._groups = {name: reader.guarded(endpoint, fetch) for name, endpoint, fetch in groups}

    async def fetch(self, symbol: Symbol) -> Mapping[str, Fetched[Readings] | ProviderError]:
        """Every group by name; one that failed is its error."""
        found = await asyncio.gather(*(_try(fetch, symbol) for fetch in self._groups.values()))
        return dict(zip(self._groups, found, strict=True))

    async def _ticker(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.ticker(symbol))
        return join_answers(figures.ticker_figures(found.value), "market_ticker", found.value.ts_ms, [found])

    async def _mark_price(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.mark_price(symbol))
        return join_answers(figures.mark_figures(found.value), "public_mark_price", found.value[1], [found])

    async def _open_interest(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.open_interest_now(symbol))
        readings = figures.open_interest_figures(found.value)
        return join_answers(readings, "public_open_interest", found.value.ts_ms, [found])

    async def _funding_rate(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.funding_now(symbol))
        readings = figures.funding_figures(found.value)
        return join_answers(readings, "public_funding_rate", found.value.ts_ms, [found])

    async def _taker_volume(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.taker_volume(symbol))
        open_ms, row = self._newest_bar(found, resources.TAKER_VOLUME)
        readings = figures.taker_figures(row)
        return join_answers(readings, resources.TAKER_VOLUME, open_ms + HOUR_MS, [found])

    async def _trader_ratios(self, symbol: Symbol) -> Fetched[Readings]:
        """Long shares of all accounts, top accounts and top positions; as old as the oldest of them."""
        tables = (resources.ACCOUNT_RATIO, resources.TOP_ACCOUNT_RATIO, resources.TOP_POSITION_RATIO)
        pages = await asyncio.gather(*(self._newest_page(symbol, table) for table in tables))
        bars = [self._newest_bar(page, table.endpoint) for page, table in zip(pages, tables, strict=True)]
        accounts, top_accounts, top_positions = (row[0] for _, row in bars)
        readings = figures.ratio_figures(accounts, top_accounts, top_positions)
        close_ms = min(open_ms for open_ms, _ in bars) + HOUR_MS
        return join_answers(readings, resources.TOP_ACCOUNT_RATIO.endpoint, close_ms, pages)

    async def _range(self, symbol: Symbol) -> Fetched[Readings]:
        found = await self._reader.fetch(symbol, resources.days(symbol))
        days = newest_days(found, now_ms=self._now_ms(), endpoint=resources.DAYS)
        return join_answers(figures.range_figures(days), resources.DAYS, max(days) + DAY_MS, [found])

    async def _newest_page(self, symbol: Symbol, table: HistoryTable) -> Cached[Rows]:
        """The page of the newest closed bar, which the factor input has in the cache already."""
        (page,) = grid_pages(self._now_ms(), page_bars=table.page_bars, bars=1)
        return await self._reader.fetch(symbol, table.resource(symbol, page))

    def _newest_bar(self, found: Cached[Rows], endpoint: str) -> tuple[int, tuple[float, ...]]:
        ((open_ms, row),) = join_pages([found], now_ms=self._now_ms(), bars=1, endpoint=endpoint).items()
        return open_ms, row


async def _try(fetch: FetchGroup, symbol: Symbol) -> Fetched[Readings] | ProviderError:
    try:
        return await fetch(symbol)
    except ProviderError as error:
        return error
