"""CoinGlass views for the typed routes: one method per view and form.

Fetching is `standard`'s and `premium`'s; here answers become domain facts per single coin. Which view is on
which plan is declared in `view_table`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from app.core.domain.derivatives import (
    CoinMarket,
    ExchangeListing,
    LiquidatedUsd,
    LiquidationHeatmap,
    LiquidationLevel,
    LiquidationLevels,
    LiquidationOrder,
    LiquidationOrders,
    LiquidationTotals,
    PairMarket,
    PositionSide,
    VenueOpenInterest,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.domain.views import ViewQuery
from app.core.errors import (
    InvariantViolation,
    ProviderError,
    ProviderNoData,
)
from app.core.ports import Fetched
from app.services.coinglass import parse_market, premium, reduced, standard
from app.services.coinglass.listing import COINS, PAIRS, Listing
from app.services.coinglass.pairs import is_base, read_contract
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.premium import PremiumCapabilities
from app.services.coinglass.standard import StandardInputs
from app.services.transport.cache import Cached

RANGES = ("1h", "4h", "12h", "24h")
T = TypeVar("T")

# Of a heatmap's cells the largest are shown; a day has tens of thousands.
MAX_CELLS = 2_000


class CoinGlassViews:
    """Fetches views. Holds nothing but its collaborators."""

    def __init__(self, listing: Listing, inputs: StandardInputs, capabilities: PremiumCapabilities) -> None:
        self._listing = listing
        self._inputs = inputs
        self._premium = capabilities

    async def coin_market(self, query: ViewQuery) -> Fetched[object]:
        """The coin's row of the all-coins list."""
        symbol = _coin_of(query)
        cached = await self._inputs.coin_row(symbol)
        market = parse_market.coin_market(cached.value.row, symbol.base, cached.value.multiplier)
        if market is None:
            raise ProviderNoData(PROVIDER, standard.COINS_MARKETS, f"{symbol} is listed without a price")
        return _fetched(market, standard.COINS_MARKETS, cached)

    async def coin_market_reduced(self, query: ViewQuery) -> Fetched[object]:
        """The same from what every plan has: pairs, open interest and funding by exchange."""
        symbol = _coin_of(query)
        pairs, interest, funding = await asyncio.gather(
            self._inputs.pairs(symbol),
            _or_none(partial(self._interest, symbol)),
            _or_none(partial(self._premium.funding_venues, symbol)),
        )
        best = self._inputs.preferred(pairs.value)
        if best is None:
            raise ProviderNoData(PROVIDER, standard.PAIRS_MARKETS, f"no pair of {symbol} has a price in USD")
        venues = () if interest is None else interest.value
        rates = () if funding is None else funding.value
        market = reduced.coin_market(symbol.base, best, pairs.value, venues, rates)
        return _fetched(market, standard.PAIRS_MARKETS, pairs)

    async def all_markets(self, _query: ViewQuery) -> Fetched[object]:
        """Every coin of the list, largest open interest first."""
        markets: dict[str, CoinMarket] = {}
        oldest: Cached[Any] | None = None
        async for cached in self._inputs.coin_pages():
            oldest = cached if oldest is None or cached.fetched_ms < oldest.fetched_ms else oldest
            for name, row in cached.value.items():
                base, multiplier = read_contract(name, self._listing.known_bases())
                market = parse_market.coin_market(row, base, multiplier) if is_base(base) else None
                if market is not None and (base not in markets or name == base):
                    markets[base] = market
        if oldest is None:
            raise ProviderNoData(PROVIDER, standard.COINS_MARKETS, "the list of coins is empty")
        ranked = sorted(markets.values(), key=lambda market: -(market.open_interest_usd or 0.0))
        return _fetched(tuple(ranked), standard.COINS_MARKETS, oldest)

    async def pair_markets(self, query: ViewQuery) -> Fetched[object]:
        """Every perpetual of the coin, largest open interest first."""
        symbol = _coin_of(query)
        cached = await self._inputs.pairs(symbol)
        if not cached.value:
            raise ProviderNoData(PROVIDER, standard.PAIRS_MARKETS, f"no pair of {symbol} has a price")
        ranked: list[PairMarket] = sorted(cached.value, key=lambda pair: -(pair.open_interest_usd or 0.0))
        return _fetched(tuple(ranked), standard.PAIRS_MARKETS, cached)

    async def liquidation_totals(self, query: ViewQuery) -> Fetched[object]:
        """Whole market from the all-coins list: one call for every coin and window."""
        symbol = _coin_of(query)
        cached = await self._inputs.coin_row(symbol)
        market = parse_market.coin_market(cached.value.row, symbol.base, 1)
        if market is None or not market.liquidations:
            raise ProviderNoData(PROVIDER, standard.COINS_MARKETS, f"no liquidations of {symbol}")
        totals = LiquidationTotals("all exchanges", market.liquidations, {})
        return _fetched(totals, standard.COINS_MARKETS, cached)

    async def liquidation_totals_by_window(self, query: ViewQuery) -> Fetched[object]:
        """Whole market, one call per window; a window that fails is absent.

        Raises: the `ProviderError` of the widest window when none came.
        """
        symbol = _coin_of(query)
        answers = await asyncio.gather(
            *(_try(partial(self._premium.totals, symbol, window)) for window in RANGES)
        )
        by_window: dict[str, LiquidatedUsd] = {}
        by_exchange: dict[str, LiquidatedUsd] = {}
        found: list[Cached[parse_market.VenueTotals]] = []
        for window, answer in zip(RANGES, answers, strict=True):
            if isinstance(answer, Cached) and answer.value.total is not None:
                found.append(answer)
                by_window[window] = answer.value.total
                by_exchange = dict(answer.value.by_exchange)
        if not found:
            failed = next((answer for answer in answers if isinstance(answer, ProviderError)), None)
            raise failed or ProviderNoData(PROVIDER, premium.LIQUIDATION_LIST, f"no liquidations of {symbol}")
        oldest = min(found, key=lambda cached: cached.fetched_ms)
        return _fetched(
            LiquidationTotals("all exchanges", by_window, by_exchange), premium.LIQUIDATION_LIST, oldest
        )

    async def liquidation_orders(self, query: ViewQuery) -> Fetched[object]:
        """The newest forced orders on the configured exchanges, newest first; one exchange may fail."""
        symbol = _coin_of(query)
        answers = await self._premium.liquidation_orders(symbol)
        found = [answer for answer in answers if isinstance(answer, Cached)]
        if not found:
            raise next(answer for answer in answers if isinstance(answer, ProviderError))
        orders: list[LiquidationOrder] = [order for answer in found for order in answer.value]
        orders.sort(key=lambda order: -order.ts_event_ms)
        oldest = min(found, key=lambda cached: cached.fetched_ms)
        at_ms = orders[0].ts_event_ms if orders else oldest.fetched_ms
        newest = LiquidationOrders(
            tuple(orders),
            min_usd=float(premium.MIN_ORDER_USD),
            is_cut=any(len(answer.value) >= premium.MAX_ORDERS for answer in found),
        )
        return replace(_fetched(newest, premium.LIQUIDATION_ORDER, oldest), ts_event_ms=at_ms)

    async def liquidation_map(self, query: ViewQuery) -> Fetched[object]:
        """Estimated levels around the price, lowest first."""
        symbol = _coin_of(query)
        cached = await self._premium.liquidation_map(symbol)
        multiplier = self._listing.multiplier(symbol)
        price_usd = cached.value.price_usd and cached.value.price_usd / multiplier
        if price_usd is None:
            price_usd = (await self._inputs.price(symbol)).value.price_usd
        levels = tuple(
            LiquidationLevel(level / multiplier, size_usd, _side(level / multiplier, price_usd))
            for level, size_usd in sorted(cached.value.levels)
        )
        if not levels:
            raise ProviderNoData(PROVIDER, premium.LIQUIDATION_MAP, f"no levels of {symbol}")
        found = LiquidationLevels("CoinGlass liquidation map, 1 day, all exchanges", price_usd, levels)
        return _fetched(found, premium.LIQUIDATION_MAP, cached)

    async def liquidation_heatmap(self, query: ViewQuery) -> Fetched[object]:
        """The largest cells of the chosen model over 24 h."""
        symbol = _coin_of(query)
        cached = await self._premium.heatmap(symbol, query.model)
        multiplier = self._listing.multiplier(symbol)
        largest = sorted(cached.value.cells, key=lambda cell: -cell.size_usd)[:MAX_CELLS]
        if not largest:
            raise ProviderNoData(PROVIDER, premium.HEATMAPS[query.model], f"no cells of {symbol}")
        cells = tuple(replace(cell, price_usd=cell.price_usd / multiplier) for cell in largest)
        price_usd = cached.value.price_usd and cached.value.price_usd / multiplier
        model = f"CoinGlass liquidation heatmap model {query.model}, 24 h, all exchanges"
        return _fetched(LiquidationHeatmap(model, price_usd, cells), premium.HEATMAPS[query.model], cached)

    async def account_ratio(self, query: ViewQuery) -> Fetched[object]:
        return await self._inputs.account_ratio(_coin_of(query), query.interval)

    async def top_account_ratio(self, query: ViewQuery) -> Fetched[object]:
        return await self._inputs.top_account_ratio(_coin_of(query), query.interval)

    async def top_position_ratio(self, query: ViewQuery) -> Fetched[object]:
        return await self._inputs.top_position_ratio(_coin_of(query), query.interval)

    async def funding_history(self, query: ViewQuery) -> Fetched[object]:
        return await self._inputs.funding(_coin_of(query), query.interval)

    async def funding_venues(self, query: ViewQuery) -> Fetched[object]:
        """Funding of every exchange that lists the coin."""
        symbol = _coin_of(query)
        cached = await self._premium.funding_venues(symbol)
        if not cached.value:
            raise ProviderNoData(PROVIDER, premium.FUNDING_LIST, f"no exchange has funding of {symbol}")
        return _fetched(cached.value, premium.FUNDING_LIST, cached)

    async def open_interest_history(self, query: ViewQuery) -> Fetched[object]:
        return await self._inputs.interest_bars(_coin_of(query), query.interval)

    async def open_interest_venues(self, query: ViewQuery) -> Fetched[object]:
        """Open interest of every exchange, the total first."""
        symbol = _coin_of(query)
        cached = await self._interest(symbol)
        if not cached.value:
            raise ProviderNoData(PROVIDER, premium.OPEN_INTEREST_LIST, f"no open interest of {symbol}")
        return _fetched(cached.value, premium.OPEN_INTEREST_LIST, cached)

    async def coins(self, _query: ViewQuery) -> Fetched[object]:
        """Base assets in order."""
        cached = await self._listing.listed_coins()
        return _fetched(tuple(sorted(cached.value)), COINS, cached)

    async def exchanges(self, _query: ViewQuery) -> Fetched[object]:
        """Perpetuals by exchange."""
        cached = await self._listing.listed_pairs()
        by_exchange: dict[str, list[tuple[str, str, str]]] = {}
        for pair in cached.value:
            by_exchange.setdefault(pair.exchange, []).append((pair.instrument, pair.name, pair.quote))
        listed = (ExchangeListing(name, tuple(sorted(rows))) for name, rows in sorted(by_exchange.items()))
        return _fetched(tuple(listed), PAIRS, cached)

    async def whale_alerts(self, _query: ViewQuery) -> Fetched[object]:
        """Newest first, all coins."""
        cached = await self._premium.whale_alerts()
        rows: tuple[WhaleAlert, ...] = tuple(self._per_coin(row) for row in cached.value)
        at_ms = rows[0].ts_event_ms if rows else cached.fetched_ms
        return replace(_fetched(rows, premium.WHALE_ALERT, cached), ts_event_ms=at_ms)

    async def whale_positions(self, _query: ViewQuery) -> Fetched[object]:
        """Largest first, all coins."""
        cached = await self._premium.whale_positions()
        rows: tuple[WhalePosition, ...] = tuple(self._per_coin(row) for row in cached.value)
        return _fetched(rows, premium.WHALE_POSITION, cached)

    def _per_coin(self, row: Any) -> Any:
        """Hyperliquid lists kPEPE: sizes per thousand coins, prices of a thousand."""
        base, multiplier = read_contract(row.base, self._listing.known_bases())
        if multiplier == 1:
            return replace(row, base=base)
        prices = {
            name: value / multiplier
            for name in ("entry_price_usd", "mark_price_usd", "liquidation_price_usd")
            if (value := getattr(row, name, None)) is not None
        }
        return replace(row, base=base, size_base=row.size_base * multiplier, **prices)

    async def _interest(self, symbol: Symbol) -> Cached[tuple[VenueOpenInterest, ...]]:
        cached = await self._premium.interest_venues(symbol)
        multiplier = self._listing.multiplier(symbol)
        if multiplier == 1:
            return cached
        scaled = tuple(
            replace(v, open_interest_base=v.open_interest_base and v.open_interest_base * multiplier)
            for v in cached.value
        )
        return Cached(scaled, cached.fetched_ms, cached.state)


def _coin_of(query: ViewQuery) -> Symbol:
    if query.symbol is None:
        raise InvariantViolation("a view of one coin was asked for without a coin")
    return query.symbol


def _side(level_usd: float, price_usd: float) -> PositionSide:
    return PositionSide.LONG if level_usd < price_usd else PositionSide.SHORT


def _fetched(value: object, endpoint: str, cached: Cached[Any]) -> Fetched[Any]:
    # These answers state no time of their own, so the time of fetching stands for it.
    return Fetched(value, endpoint, cached.fetched_ms, cached.fetched_ms, CacheState(cached.state))


async def _try(ask: Callable[[], Awaitable[Cached[T]]]) -> Cached[T] | ProviderError:
    """Asks only once it runs: cancelled before, it leaves no question that nobody waits for."""
    try:
        return await ask()
    except ProviderError as error:
        return error


async def _or_none(ask: Callable[[], Awaitable[Cached[T]]]) -> Cached[T] | None:
    found = await _try(ask)
    return found if isinstance(found, Cached) else None
