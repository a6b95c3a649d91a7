"""What OKX knows of the typed derivatives views, without a key: one exchange, named as such.

Histories are hourly at OKX's pages; larger bars are the hourly values at their closes, so they cost no call
of their own. Windows that are not wholly covered are absent. Fetching is `provider`'s and `reading`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from app.core.domain.derivatives import (
    CoinMarket,
    ExchangeListing,
    LiquidatedUsd,
    LiquidationOrder,
    LiquidationOrders,
    LiquidationTotals,
    Margin,
    OpenInterestHistory,
    PairMarket,
    PositionSide,
    VenueFunding,
    VenueOpenInterest,
)
from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS, Candles, Series, Unit
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import InvariantViolation, ProviderError, ProviderNoData
from app.core.ports import Fetched, ViewSource
from app.services.okx import resources
from app.services.okx.candles import ENDPOINT as CANDLES
from app.services.okx.candles import fetch_candles
from app.services.okx.client import PROVIDER
from app.services.okx.history import grid_pages, join_pages
from app.services.okx.liquidations import ENDPOINT as ORDERS
from app.services.okx.liquidations import Liquidated, Walk, covers
from app.services.okx.listings import ENDPOINT as INSTRUMENTS
from app.services.okx.listings import Listings, inst_id
from app.services.okx.parse import PAGE_ROWS, FundingNow, OpenInterestNow, TickerFacts
from app.services.okx.reading import Reader, join_answers
from app.services.okx.resources import HistoryTable
from app.services.transport.cache import Cached

WINDOWS_MS = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "12h": 12 * HOUR_MS, "24h": DAY_MS}
_SIDES = {Liquidated.LONG: PositionSide.LONG, Liquidated.SHORT: PositionSide.SHORT}
# Four days of hours: enough to rank the newest value in, for two pages.
_TOP_ACCOUNTS = replace(resources.TOP_ACCOUNT_RATIO, bars=96)
_CHANGE_BARS = 25

FetchView = Callable[[ViewQuery], Awaitable[Fetched[object]]]


class Inputs(Protocol):
    """The part of the provider that the views stand on."""

    async def fetch_account_ratio(self, symbol: Symbol) -> Fetched[Series]: ...
    async def fetch_top_position_ratio(self, symbol: Symbol) -> Fetched[Series]: ...
    async def fetch_candles(self, symbol: Symbol) -> Fetched[Candles]: ...
    async def fetch_open_interest_usd(self, symbol: Symbol) -> Fetched[Series]: ...
    async def fetch_funding(self, symbol: Symbol) -> Fetched[Series]: ...
    async def series(
        self, symbol: Symbol, table: HistoryTable, column: int, unit: Unit, label: str
    ) -> Fetched[Series]: ...
    async def walk_orders(self, symbol: Symbol) -> tuple[Walk, Sequence[Cached[Any]]]: ...


@dataclass(frozen=True, slots=True)
class _Now:
    """What OKX says of one swap at this moment; a part that failed is None."""

    ticker: Cached[TickerFacts]
    interest: Cached[OpenInterestNow] | None
    funding: Cached[FundingNow] | None

    @property
    def interest_usd(self) -> float | None:
        """OKX's own figure in USD, or coins times the last price where it left it empty."""
        if self.interest is None:
            return None
        usd = self.interest.value.usd
        return usd if usd is not None else self.interest.value.base * self.ticker.value.price.price_usd

    @property
    def volume_usd(self) -> float | None:
        """Coins traded in 24 h at the last price."""
        coins = self.ticker.value.volume_24h_base
        return None if coins is None else coins * self.ticker.value.price.price_usd

    def fetched(self, value: object) -> Fetched[object]:
        parts = [part for part in (self.ticker, self.interest, self.funding) if part is not None]
        return join_answers(value, "market_ticker", self.ticker.value.ts_ms, parts)


class OkxViews:
    """Fetches views of OKX. Holds nothing but its collaborators."""

    def __init__(self, inputs: Inputs, reader: Reader, listings: Listings, now_ms: Callable[[], int]) -> None:
        self._inputs = inputs
        self._reader = reader
        self._listings = listings
        self._now_ms = now_ms

    def sources(self) -> tuple[ViewSource, ...]:
        """Every view OKX has."""
        table: tuple[tuple[View, str, FetchView], ...] = (
            (View.COIN_MARKET, "market_ticker", self.coin_market),
            (View.PAIR_MARKETS, "market_ticker", self.pair_markets),
            (View.LIQUIDATION_TOTALS, ORDERS, self.liquidation_totals),
            (View.LIQUIDATION_ORDERS, ORDERS, self.liquidation_orders),
            (View.ACCOUNT_RATIO, resources.ACCOUNT_RATIO.endpoint, self.account_ratio),
            (View.TOP_ACCOUNT_RATIO, resources.TOP_ACCOUNT_RATIO.endpoint, self.top_account_ratio),
            (View.TOP_POSITION_RATIO, resources.TOP_POSITION_RATIO.endpoint, self.top_position_ratio),
            (View.FUNDING_HISTORY, "public_funding_rate", self.funding_history),
            (View.FUNDING_VENUES, "public_funding_rate", self.funding_venues),
            (View.OPEN_INTEREST_HISTORY, resources.OPEN_INTEREST.endpoint, self.open_interest_history),
            (View.OPEN_INTEREST_VENUES, "public_open_interest", self.open_interest_venues),
            (View.CANDLES, CANDLES, self.candles),
            (View.COINS, INSTRUMENTS, self.coins),
            (View.EXCHANGES, INSTRUMENTS, self.exchanges),
        )
        return tuple(
            ViewSource(view, PROVIDER, endpoint, self._guarded(endpoint, fetch), lambda _query: None)
            for view, endpoint, fetch in table
        )

    def _guarded(self, endpoint: str, fetch: FetchView) -> FetchView:
        async def guarded(query: ViewQuery) -> Fetched[object]:
            if query.symbol is None:
                return await fetch(query)

            async def of_coin(_symbol: Symbol) -> Fetched[object]:
                return await fetch(query)

            return await self._reader.guarded(endpoint, of_coin)(query.symbol)

        return guarded

    async def coin_market(self, query: ViewQuery) -> Fetched[object]:
        """One swap of one exchange; changes of open interest run to the last closed hour."""
        symbol = _coin_of(query)
        now, changes = await asyncio.gather(self._now(symbol), self._interest_changes(symbol))
        facts, usd, volume_usd = now.ticker.value, now.interest_usd, now.volume_usd
        market = CoinMarket(
            base=symbol.base,
            scope=f"OKX {inst_id(symbol)} alone; open interest changes up to the last closed hour",
            price=facts.price,
            is_reduced=True,
            market_cap_usd=None,
            open_interest_usd=usd,
            open_interest_base=None if now.interest is None else now.interest.value.base,
            open_interest_to_market_cap_frac=None,
            open_interest_to_volume_frac=usd / volume_usd if usd and volume_usd else None,
            funding_oi_weighted_8h_frac=None,
            funding_volume_weighted_8h_frac=None,
            volume_24h_usd=volume_usd,
            price_change_frac={} if facts.change_24h_frac is None else {"24h": facts.change_24h_frac},
            open_interest_change_frac=changes,
            volume_change_frac={},
            taker_long_short_ratio={},
            liquidations={},
        )
        return now.fetched(market)

    async def pair_markets(self, query: ViewQuery) -> Fetched[object]:
        """The one swap."""
        symbol = _coin_of(query)
        now = await self._now(symbol)
        facts = now.ticker.value
        pair = PairMarket(
            exchange="OKX",
            instrument=inst_id(symbol),
            quote="USDT",
            price_usd=facts.price.price_usd,
            index_price_usd=None,
            price_change_24h_frac=facts.change_24h_frac,
            volume_24h_usd=now.volume_usd,
            taker_buy_24h_usd=None,
            taker_sell_24h_usd=None,
            open_interest_usd=now.interest_usd,
            open_interest_base=None if now.interest is None else now.interest.value.base,
            open_interest_change_24h_frac=None,
            liquidations_24h=None,
            funding_frac=None if now.funding is None else now.funding.value.rate_frac,
            next_funding_ms=None if now.funding is None else now.funding.value.settles_ms,
        )
        return now.fetched((pair,))

    async def liquidation_totals(self, query: ViewQuery) -> Fetched[object]:
        """USD by side in the windows that the order list covers."""
        symbol = _coin_of(query)
        contract_base = await self._listings.contract_base(symbol)
        walk, pages = await self._inputs.walk_orders(symbol)
        by_window = window_totals(walk, contract_base)
        if not by_window:
            raise ProviderNoData(PROVIDER, ORDERS, "no window of liquidations is covered")
        by_exchange = {"OKX": by_window["24h"]} if "24h" in by_window else {}
        return join_answers(
            LiquidationTotals("OKX alone", by_window, by_exchange), ORDERS, walk.as_of_ms, pages
        )

    async def liquidation_orders(self, query: ViewQuery) -> Fetched[object]:
        """The newest hundred orders."""
        symbol = _coin_of(query)
        contract_base = await self._listings.contract_base(symbol)
        cached = await self._reader.fetch(symbol, resources.liquidation_orders(symbol, None))
        if not cached.value:
            raise ProviderNoData(PROVIDER, ORDERS, "no liquidation orders")
        orders = tuple(
            LiquidationOrder(
                exchange="OKX",
                instrument=inst_id(symbol),
                liquidated_side=_SIDES[order.liquidated],
                price_usd=order.price_usd,
                size_usd=order.contracts * contract_base * order.price_usd,
                ts_event_ms=order.ts_ms,
            )
            for order in cached.value
        )
        newest = LiquidationOrders(orders, min_usd=None, is_cut=len(orders) >= PAGE_ROWS)
        return join_answers(newest, ORDERS, orders[0].ts_event_ms, [cached])

    async def account_ratio(self, query: ViewQuery) -> Fetched[object]:
        return resampled(await self._inputs.fetch_account_ratio(_coin_of(query)), query.interval)

    async def top_account_ratio(self, query: ViewQuery) -> Fetched[object]:
        label = "OKX top 5 % of traders, accounts net long"
        series = await self._inputs.series(_coin_of(query), _TOP_ACCOUNTS, 0, Unit.FRAC, label)
        return resampled(series, query.interval)

    async def top_position_ratio(self, query: ViewQuery) -> Fetched[object]:
        return resampled(await self._inputs.fetch_top_position_ratio(_coin_of(query)), query.interval)

    async def funding_history(self, query: ViewQuery) -> Fetched[object]:
        """Settlement by settlement whatever the interval asked for: the answer says which it is."""
        return await self._inputs.fetch_funding(_coin_of(query))

    async def funding_venues(self, query: ViewQuery) -> Fetched[object]:
        """OKX's own rate in its own period."""
        symbol = _coin_of(query)
        cached = await self._reader.fetch(symbol, resources.funding_now(symbol))
        now = cached.value
        venue = VenueFunding("OKX", Margin.STABLECOIN, now.rate_frac, float(now.period_h), now.settles_ms)
        return join_answers((venue,), "public_funding_rate", now.ts_ms, [cached])

    async def open_interest_history(self, query: ViewQuery) -> Fetched[object]:
        """One value per bar, at its close."""
        found = resampled(await self._inputs.fetch_open_interest_usd(_coin_of(query)), query.interval)
        series = found.value
        history = OpenInterestHistory(
            Unit.USD, series.interval_ms, series.close_ms, None, None, None, series.values, series.label
        )
        return Fetched(history, found.endpoint, found.ts_event_ms, found.ts_init_ms, found.cache)

    async def open_interest_venues(self, query: ViewQuery) -> Fetched[object]:
        """OKX alone, with its changes up to the last closed hour."""
        symbol = _coin_of(query)
        cached, changes = await asyncio.gather(
            self._reader.fetch(symbol, resources.open_interest_now(symbol)), self._interest_changes(symbol)
        )
        now = cached.value
        if now.usd is None:
            raise ProviderNoData(PROVIDER, "public_open_interest", "open interest without a value in USD")
        venue = VenueOpenInterest("OKX", False, now.usd, now.base, changes)
        return join_answers((venue,), "public_open_interest", now.ts_ms, [cached])

    async def candles(self, query: ViewQuery) -> Fetched[object]:
        """Closed candles; the hourly ones are the engine's."""
        symbol = _coin_of(query)
        if query.interval in (None, "1h"):
            return await self._inputs.fetch_candles(symbol)
        return await fetch_candles(self._reader, symbol, query.interval or "", self._now_ms())

    async def coins(self, _query: ViewQuery) -> Fetched[object]:
        """Base assets of the USDT swaps."""
        cached = await self._listings.listed()
        return join_answers(tuple(sorted(cached.value)), INSTRUMENTS, cached.fetched_ms, [cached])

    async def exchanges(self, _query: ViewQuery) -> Fetched[object]:
        """OKX with its USDT swaps."""
        cached = await self._listings.listed()
        rows = tuple((inst_id(Symbol(base)), base, "USDT") for base in sorted(cached.value))
        listing = (ExchangeListing("OKX", rows),)
        return join_answers(listing, INSTRUMENTS, cached.fetched_ms, [cached])

    async def _now(self, symbol: Symbol) -> _Now:
        ticker, interest, funding = await asyncio.gather(
            self._reader.fetch(symbol, resources.ticker(symbol)),
            self._reader.try_fetch(symbol, resources.open_interest_now(symbol)),
            self._reader.try_fetch(symbol, resources.funding_now(symbol)),
        )
        return _Now(
            ticker,
            None if isinstance(interest, ProviderError) else interest,
            None if isinstance(funding, ProviderError) else funding,
        )

    async def _interest_changes(self, symbol: Symbol) -> dict[str, float]:
        """Change of the open interest in USD over 1h, 4h and 24h of closed hours; empty when it failed."""
        table = resources.OPEN_INTEREST
        now_ms = self._now_ms()
        grid = grid_pages(now_ms, page_bars=table.page_bars, bars=_CHANGE_BARS)
        found = await asyncio.gather(
            *(self._reader.try_fetch(symbol, table.resource(symbol, page)) for page in grid)
        )
        pages = [page for page in found if not isinstance(page, ProviderError)]
        if len(pages) < len(grid):
            return {}
        try:
            rows = join_pages(pages, now_ms=now_ms, bars=_CHANGE_BARS, endpoint=table.endpoint)
        except ProviderError:
            return {}
        newest = max(rows)
        changes: dict[str, float] = {}
        for window, span_ms in WINDOWS_MS.items():
            before = rows.get(newest - span_ms)
            if before is not None and before[1] > 0 and window != "12h":
                changes[window] = rows[newest][1] / before[1] - 1
        return changes


def window_totals(walk: Walk, contract_base: float) -> dict[str, LiquidatedUsd]:
    """USD liquidated by side in each window that the walk covers, counted back from when it was read.

    Worked number: 2 BTC contracts (0.01 BTC each) of longs at 50,000 half an hour ago -> 1,000 USD of longs
    in every covered window.
    """
    found: dict[str, LiquidatedUsd] = {}
    for window, span_ms in WINDOWS_MS.items():
        start_ms = walk.as_of_ms - span_ms
        # A twenty-fourth of the window, as the factor grants an hour of its day.
        if not covers(walk, start_ms, grace_ms=span_ms // 24):
            continue
        sums = {side: 0.0 for side in Liquidated}
        for order in walk.orders:
            if start_ms < order.ts_ms <= walk.as_of_ms:
                sums[order.liquidated] += order.contracts * contract_base * order.price_usd
        found[window] = LiquidatedUsd(sums[Liquidated.LONG], sums[Liquidated.SHORT])
    return found


def resampled(found: Fetched[Series], interval: str | None) -> Fetched[Series]:
    """An hourly series at the closes of larger bars, aligned to UTC.

    Raises:
        ProviderNoData: bars smaller than an hour, or none of this size closed yet.
    """
    series = found.value
    size_ms = series.interval_ms if interval is None else INTERVAL_MS[interval]
    if size_ms == series.interval_ms:
        return found
    if size_ms < series.interval_ms:
        raise ProviderNoData(PROVIDER, found.endpoint, "OKX is read hour by hour: 1h, 4h, 8h, 12h or 1d")
    rows = [
        (at, value) for at, value in zip(series.close_ms, series.values, strict=True) if at % size_ms == 0
    ]
    if not rows:
        raise ProviderNoData(PROVIDER, found.endpoint, f"no {interval} bar has closed yet")
    times, values = zip(*rows, strict=True)
    larger = Series(series.unit, size_ms, times, values, series.label)
    return Fetched(larger, found.endpoint, times[-1], found.ts_init_ms, found.cache)


def _coin_of(query: ViewQuery) -> Symbol:
    if query.symbol is None:
        raise InvariantViolation("a view of one coin was asked for without a coin")
    return query.symbol
