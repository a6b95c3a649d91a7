"""OKX as a provider: public REST, no key. Implements `core.ports.Provider`.

Fetches (cache, breaker, quota and retries are the transport's) and joins pages; meaning and arithmetic are
in parse.py, history.py, funding.py and liquidations.py, display groups in market.py. Built by
build.py; read by the context gatherer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cachetools import LRUCache

from app.core.domain.context import Capability
from app.core.domain.market import HOUR_MS, Candles, LiquidationHistory, MarketReading, Price, Series, Unit
from app.core.domain.status import ProviderState, ProviderStatus
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError
from app.core.history_ports import HistorySource
from app.core.ports import Fetched, Probe, Source, ViewSource
from app.services.okx import liquidations, resources
from app.services.okx.backfill import OkxHistories
from app.services.okx.client import PROVIDER
from app.services.okx.funding import build_funding, join_settled, past_pages_ms, settled_between
from app.services.okx.history import closed_until_ms, grid_pages, join_pages, newest_run, require_enough
from app.services.okx.listings import Listings
from app.services.okx.market import MarketGroups
from app.services.okx.parse import Rows, require_past
from app.services.okx.reading import Reader, join_answers
from app.services.okx.resources import HistoryTable
from app.services.okx.views import OkxViews
from app.services.transport.cache import Cached
from app.services.transport.resource import ResourceClient

# Joined histories kept: 64 coins with four tables each.
_MAX_JOINED = 256


class OkxProvider:
    """Public market data of OKX USDT swaps. Prices and sizes are in USD and coins, never contracts."""

    name = PROVIDER

    def __init__(
        self,
        resources_: ResourceClient,
        now_ms: Callable[[], int],
        *,
        max_liquidation_pages: int = 30,
        histories: ResourceClient | None = None,
    ) -> None:
        """max_liquidation_pages: pages of 100 orders read back at most, about 3,000 orders a day.

        histories: the same client over a small cache, for the pages of a backfill.
        """
        self._resources = resources_
        self._now_ms = now_ms
        self._max_liquidation_pages = max_liquidation_pages
        self._listings = Listings(resources_, now_ms)
        self._reader = Reader(resources_, self._listings)
        self._market = MarketGroups(self._reader, now_ms)
        self._histories = OkxHistories(histories or resources_, self._listings, now_ms)
        # Joined histories by table and coin, with what they were joined from: joining is most of a warm read.
        self._joined: LRUCache[tuple[str, str, int], tuple[object, Rows]] = LRUCache(_MAX_JOINED)

    def sources(self) -> tuple[Source, ...]:
        """Eight factor inputs, all public; liquidations only while OKX serves its order list."""
        offers: tuple[tuple[Capability, str, Callable[[Symbol], Awaitable[Fetched[object]]]], ...] = (
            (Capability.PRICE, "market_ticker", self.fetch_price),
            (Capability.CANDLES, resources.CANDLES.endpoint, self.fetch_candles),
            (Capability.FUNDING, "public_funding_rate", self.fetch_funding),
            (Capability.OPEN_INTEREST_USD, resources.OPEN_INTEREST.endpoint, self.fetch_open_interest_usd),
            (Capability.OPEN_INTEREST_BASE, resources.OPEN_INTEREST.endpoint, self.fetch_open_interest_base),
            (Capability.ACCOUNT_RATIO, resources.ACCOUNT_RATIO.endpoint, self.fetch_account_ratio),
            (
                Capability.TOP_POSITION_RATIO,
                resources.TOP_POSITION_RATIO.endpoint,
                self.fetch_top_position_ratio,
            ),
            (Capability.LIQUIDATIONS, liquidations.ENDPOINT, self.fetch_liquidations),
        )
        return tuple(
            Source(capability, PROVIDER, endpoint, self._reader.guarded(endpoint, fetch))
            for capability, endpoint, fetch in offers
        )

    async def contract_values(self) -> Mapping[str, float]:
        """Coins per contract of every listed USDT swap, by base asset. Raises: ProviderError."""
        return (await self._listings.listed()).value

    def probes(self) -> tuple[Probe, ...]:
        """None: everything here is public."""
        return ()

    def views(self) -> tuple[ViewSource, ...]:
        """What OKX knows of the typed routes, all public."""
        return OkxViews(self, self._reader, self._listings, self._now_ms).sources()

    def histories(self) -> tuple[HistorySource, ...]:
        """What can be filled back, all public."""
        return self._histories.sources()

    async def start(self) -> None:
        """Load the instrument list; without it every symbol passes until OKX says 51001."""
        try:
            await self._listings.load()
        except ProviderError:
            return  # shown by status(); tried again when a coin is asked for

    async def close(self) -> None:
        self._listings.close()
        await self._resources.aclose()

    def known_bases(self) -> frozenset[str]:
        return self._listings.bases()

    def status(self) -> ProviderStatus:
        client = self._resources.client
        return ProviderStatus(
            provider=PROVIDER,
            state=ProviderState(client.state()),
            last_success_ms=client.health.last_success_ms,
            last_error=client.health.last_error,
            breaker=client.breaker.state,
            plan=None,
            quota_left=None,
            quota_limit=None,
        )

    async def fetch_price(self, symbol: Symbol) -> Fetched[Price]:
        """Last trade in USD, at the time OKX gives it."""
        found = await self._reader.fetch(symbol, resources.ticker(symbol))
        return join_answers(found.value.price, "market_ticker", found.value.ts_ms, [found])

    async def fetch_candles(self, symbol: Symbol) -> Fetched[Candles]:
        """Up to 900 closed 1h candles, volume in coins."""
        table = resources.CANDLES
        pages, rows = await self._history(symbol, table)
        columns = tuple(zip(*rows.values(), strict=True))
        candles = Candles("OKX", HOUR_MS, _closes(rows), *columns)
        return join_answers(candles, table.endpoint, candles.close_ms[-1], pages)

    async def fetch_open_interest_usd(self, symbol: Symbol) -> Fetched[Series]:
        return await self.series(symbol, resources.OPEN_INTEREST, 1, Unit.USD, "OKX open interest in USD")

    async def fetch_open_interest_base(self, symbol: Symbol) -> Fetched[Series]:
        return await self.series(symbol, resources.OPEN_INTEREST, 0, Unit.BASE, "OKX open interest in coins")

    async def fetch_account_ratio(self, symbol: Symbol) -> Fetched[Series]:
        """Share of accounts net long, 0..1."""
        return await self.series(symbol, resources.ACCOUNT_RATIO, 0, Unit.FRAC, "OKX accounts net long")

    async def fetch_top_position_ratio(self, symbol: Symbol) -> Fetched[Series]:
        """Share of the top traders' positions that is long, 0..1."""
        label = "OKX top 5 % of traders, positions long"
        return await self.series(symbol, resources.TOP_POSITION_RATIO, 0, Unit.FRAC, label)

    async def fetch_funding(self, symbol: Symbol) -> Fetched[Series]:
        """Settled funding, then the running rate, as fractions per 8 h."""
        running, settled, past = await asyncio.gather(
            self._reader.fetch(symbol, resources.funding_now(symbol)),
            self._reader.fetch(symbol, resources.funding_settled(symbol)),
            self._past_settled(symbol),
        )
        for ts_ms, found in ((max(settled.value, default=0), settled), (running.value.ts_ms, running)):
            require_past(ts_ms, found.fetched_ms, "public_funding_rate")
        rows = join_settled(settled.value, (page.value for page in past))
        series = build_funding(rows, running.value, now_ms=self._now_ms())
        return join_answers(series, "public_funding_rate", series.close_ms[-1], [settled, running])

    async def settled_funding(
        self, symbol: Symbol, from_ms: int, to_ms: int
    ) -> tuple[tuple[int, float], ...] | None:
        """`core.outcome_ports.SettledFunding`, out of the newest hundred settlements (4 days at least)."""
        resource = resources.funding_settled(symbol)

        async def fetch(coin: Symbol) -> Cached[Rows]:
            return await self._reader.fetch(coin, resource)

        found = await self._reader.guarded(resource.endpoint, fetch)(symbol)
        require_past(max(found.value, default=0), found.fetched_ms, resource.endpoint)
        return settled_between(found.value, from_ms, to_ms)

    async def _past_settled(self, symbol: Symbol) -> list[Cached[Rows]]:
        """The past pages that came: without them the history is shorter, not wrong."""
        ends_ms = past_pages_ms(self._now_ms())
        pages = [resources.funding_settled(symbol, end_ms) for end_ms in ends_ms]
        found = await asyncio.gather(*(self._reader.try_fetch(symbol, page) for page in pages))
        return [page for page in found if not isinstance(page, ProviderError)]

    async def fetch_liquidations(self, symbol: Symbol) -> Fetched[LiquidationHistory]:
        """24 closed hours of USD liquidated on OKX by side, from the order list."""
        contract_base = await self._listings.contract_base(symbol)
        walk, pages = await self.walk_orders(symbol)
        history = liquidations.build_history(walk, contract_base=contract_base)
        return join_answers(history, liquidations.ENDPOINT, history.close_ms[-1], pages)

    async def market(
        self, symbol: Symbol
    ) -> Mapping[str, Fetched[tuple[MarketReading, ...]] | ProviderError]:
        """What OKX knows beside the factor inputs: seven groups for at most nine calls."""
        return await self._market.fetch(symbol)

    async def series(
        self, symbol: Symbol, table: HistoryTable, column: int, unit: Unit, label: str
    ) -> Fetched[Series]:
        pages, rows = await self._history(symbol, table)
        values = tuple(row[column] for row in rows.values())
        series = Series(unit, HOUR_MS, _closes(rows), values, label)
        return join_answers(series, table.endpoint, series.close_ms[-1], pages)

    async def _history(self, symbol: Symbol, table: HistoryTable) -> tuple[list[Cached[Rows]], Rows]:
        """The pages of `table`, oldest first, and their rows.

        All pages at once, the newest first in the queue of the call budget. The oldest ones may fail: the
        next call asks for them again, the others are in the cache by then.
        """
        grid = grid_pages(self._now_ms(), page_bars=table.page_bars, bars=table.bars)
        found = await asyncio.gather(
            *(self._reader.try_fetch(symbol, table.resource(symbol, page)) for page in reversed(grid))
        )
        pages = newest_run(found)
        now_ms = self._now_ms()
        joined_from = tuple(
            (page.start_ms, cached.fetched_ms, closed_until_ms(cached, now_ms) // HOUR_MS)
            for page, cached in zip(grid[-len(pages) :], pages, strict=True)
        )
        key = (table.endpoint, symbol.base, table.bars)
        known = self._joined.get(key)
        if known is None or known[0] != joined_from or now_ms - pages[-1].fetched_ms > HOUR_MS:
            rows = join_pages(pages, now_ms=now_ms, bars=table.bars, endpoint=table.endpoint)
            require_enough(rows, found)
            self._joined[key] = known = (joined_from, rows)
        return pages, known[1]

    async def walk_orders(self, symbol: Symbol) -> tuple[liquidations.Walk, Sequence[Cached[Any]]]:
        """Read back until 24 closed hours are covered, a short page ends it, or the bound is hit."""
        newest = await self._reader.fetch(symbol, resources.liquidation_orders(symbol, None))
        if newest.value:
            require_past(newest.value[0].ts_ms, newest.fetched_ms, liquidations.ENDPOINT)
        as_of_ms = min(self._now_ms(), newest.fetched_ms)
        pages: list[Cached[Any]] = [newest]
        orders: list[liquidations.Order] = []
        page, cursor_ms = newest.value, as_of_ms
        while True:
            older_ms = liquidations.next_cursor_ms(page, cursor_ms)
            orders.extend(order for order in page if older_ms is None or order.ts_ms >= older_ms)
            cursor_ms = cursor_ms if older_ms is None else older_ms
            is_covered = cursor_ms <= liquidations.window_start_ms(as_of_ms)
            if older_ms is None or is_covered or len(pages) >= self._max_liquidation_pages:
                return liquidations.Walk(tuple(orders), as_of_ms, cursor_ms, older_ms is None), pages
            found = await self._reader.fetch(symbol, resources.liquidation_orders(symbol, older_ms))
            pages.append(found)
            page = found.value


def _closes(rows: Rows) -> tuple[int, ...]:
    return tuple(open_ms + HOUR_MS for open_ms in rows)
