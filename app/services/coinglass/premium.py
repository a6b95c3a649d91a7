"""Every CoinGlass capability as a probe for `/debug/premium`, and the extra groups of `/market/{symbol}`.

A probe tries one upstream resource alone and answers a few named figures; what the plan lacks raises
`ProviderPlanLimited`, which the caller shows as a state. Fractions, never percent. Wired by `provider`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from app.core.domain.derivatives import (
    LiquidationOrder,
    VenueFunding,
    VenueOpenInterest,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.market import Candles, LiquidationHistory, MarketReading, Price, Series, Unit
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData
from app.core.ports import Fetched, Probe
from app.services.coinglass import figures, parse, parse_events, parse_levels, parse_market, standard
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.figures import Figures
from app.services.coinglass.freshness import fixed_freshness
from app.services.coinglass.listing import Listing
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.standard import HistoryCall, StandardInputs
from app.services.transport.cache import Cached, Freshness
from app.services.transport.resource import Resource

TAKER_VOLUME = "futures_aggregated_taker_buy_sell_volume_history"
LIQUIDATION_ORDER = "futures_liquidation_order"
LIQUIDATION_LIST = "futures_liquidation_exchange_list"
FUNDING_LIST = "futures_funding_rate_exchange_list"
OPEN_INTEREST_LIST = "futures_open_interest_exchange_list"
HEATMAPS = {model: f"futures_liquidation_aggregated_heatmap_model{model}" for model in (1, 2, 3)}
HEATMAP = HEATMAPS[1]
LIQUIDATION_MAP = "futures_liquidation_aggregated_map"
MAX_PAIN = "futures_liquidation_max_pain"
WHALE_ALERT = "hyperliquid_whale_alert"
WHALE_POSITION = "hyperliquid_whale_position"

# Smaller forced orders would crowd out, within the 200 rows of an answer, those that anybody looks at.
MIN_ORDER_USD = "10000"
# Rows of one answer: a full one has left older orders out.
MAX_ORDERS = 200

# The provider updates these lists every 10 to 20 seconds; an old one is better than none for display.
_LIST_FRESH = fixed_freshness(20_000, error_ms=300_000)
_MAP_FRESH = fixed_freshness(60_000, error_ms=600_000)

FetchFigures = Callable[[Symbol], Awaitable[Fetched[Figures]]]
T = TypeVar("T")


class PremiumCapabilities:
    """Probes and market groups. Holds nothing but its collaborators."""

    def __init__(
        self,
        client: CoinGlassClient,
        listing: Listing,
        inputs: StandardInputs,
        *,
        liquidation_exchanges: tuple[str, ...],
    ) -> None:
        self._client = client
        self._listing = listing
        self._inputs = inputs
        self._exchanges = liquidation_exchanges
        self._taker_scope = ",".join(liquidation_exchanges)

    def probes(self) -> tuple[Probe, ...]:
        """Every capability by name, cheapest first."""
        inputs = self._inputs
        table: tuple[tuple[str, str, FetchFigures], ...] = (
            ("price", standard.COINS_MARKETS, _newest(inputs.price, "priceUsd")),
            ("candles", standard.PRICE_HISTORY, _newest(inputs.candles, "closeUsd")),
            (
                "liquidations",
                standard.LIQUIDATIONS,
                _newest(inputs.liquidations, "longLiquidationsUsd", "shortLiquidationsUsd"),
            ),
            ("openInterestUsd", standard.OPEN_INTEREST, _newest(inputs.open_interest_usd, "openInterestUsd")),
            (
                "openInterestBase",
                standard.OPEN_INTEREST,
                _newest(inputs.open_interest_base, "openInterestBase"),
            ),
            ("funding", standard.FUNDING, _newest(inputs.funding, "fundingRate8h")),
            ("accountRatio", standard.ACCOUNT_RATIO, _newest(inputs.account_ratio, "accountsLongFrac")),
            (
                "topAccountRatio",
                standard.TOP_ACCOUNT_RATIO,
                _newest(inputs.top_account_ratio, "topAccountsLongFrac"),
            ),
            (
                "topPositionRatio",
                standard.TOP_POSITION_RATIO,
                _newest(inputs.top_position_ratio, "topPositionsLongFrac"),
            ),
            ("fearGreed", standard.FEAR_GREED, _newest(inputs.fear_greed, "fearGreedIndex")),
            ("takerVolume", TAKER_VOLUME, _newest(self._taker_volume, "takerBuyFrac")),
            ("liquidations24h", LIQUIDATION_LIST, self.liquidations_24h),
            ("coinsMarkets", standard.COINS_MARKETS, self._coins_markets),
            ("whaleAlert", WHALE_ALERT, self._whale_alerts_of),
            ("whalePosition", WHALE_POSITION, self._whale_positions_of),
            ("liquidationHeatmap", HEATMAP, self._heatmap),
            ("liquidationMap", LIQUIDATION_MAP, self._liquidation_map),
            ("maxPain", MAX_PAIN, self._max_pain),
        )
        return tuple(Probe(name, PROVIDER, endpoint, fetch) for name, endpoint, fetch in table)

    async def market(self, symbol: Symbol) -> Mapping[str, Fetched[Figures] | ProviderError]:
        """Display groups by name; a group that failed is its error. At most three upstream calls."""
        groups: dict[str, FetchFigures] = {
            "liquidations24h": self.liquidations_24h,
            "fundingByExchange": self._funding_by_exchange,
            "openInterestByExchange": self._open_interest_by_exchange,
        }
        answers = await asyncio.gather(*(_try(fetch, symbol) for fetch in groups.values()))
        return dict(zip(groups, answers, strict=True))

    async def liquidations_24h(self, symbol: Symbol) -> Fetched[Figures]:
        """USD of longs and shorts liquidated on the whole market in 24 h (display only: another scope
        than the liquidation history)."""
        return self._named(
            symbol, LIQUIDATION_LIST, await self.totals(symbol, "24h"), figures.liquidation_figures
        )

    async def totals(self, symbol: Symbol, window: str) -> Cached[parse_market.VenueTotals]:
        """USD liquidated in one window, in all and by exchange."""
        params = {"symbol": self._listing.spelled(symbol, LIQUIDATION_LIST), "range": window}
        return await self._list(LIQUIDATION_LIST, params, parse_market.parse_liquidation_exchange_list)

    async def interest_venues(self, symbol: Symbol) -> Cached[tuple[VenueOpenInterest, ...]]:
        """Open interest by exchange, the total first; coins as quoted."""
        params = {"symbol": self._listing.spelled(symbol, OPEN_INTEREST_LIST)}
        return await self._list(OPEN_INTEREST_LIST, params, parse_market.parse_open_interest_exchange_list)

    async def funding_venues(self, symbol: Symbol) -> Cached[tuple[VenueFunding, ...]]:
        """Funding by exchange; empty when no exchange is listed for the coin."""
        cached = await self._list(FUNDING_LIST, {}, parse_market.parse_funding_exchange_list)
        self._listing.spelled(symbol, FUNDING_LIST)  # refuses a coin that is not listed
        found = self._listing.row_of(cached.value, symbol)
        return Cached(() if found is None else found[0], cached.fetched_ms, cached.state)

    async def liquidation_orders(
        self, symbol: Symbol
    ) -> list[Cached[tuple[LiquidationOrder, ...]] | ProviderError]:
        """The newest forced orders (at most 200 each) of every configured exchange, or its error."""
        coin = self._listing.spelled(symbol, LIQUIDATION_ORDER)
        calls = [
            {"exchange": exchange, "symbol": coin, "min_liquidation_amount": MIN_ORDER_USD}
            for exchange in self._exchanges
        ]
        return await asyncio.gather(
            *(
                _cached(self._list(LIQUIDATION_ORDER, call, parse_events.parse_liquidation_orders))
                for call in calls
            )
        )

    async def heatmap(self, symbol: Symbol, model: int = 1) -> Cached[parse_levels.Heatmap]:
        """The aggregated heatmap of 24 h; prices as quoted."""
        endpoint = HEATMAPS[model]
        params = {"symbol": self._listing.spelled(symbol, endpoint), "range": "24h"}
        return await self._list(endpoint, params, parse_levels.parse_heatmap, _MAP_FRESH)

    async def liquidation_map(self, symbol: Symbol) -> Cached[parse_levels.LiquidationMap]:
        """The aggregated map of one day; prices as quoted."""
        params = {"symbol": self._listing.spelled(symbol, LIQUIDATION_MAP), "range": "1d"}
        return await self._list(LIQUIDATION_MAP, params, parse_levels.parse_liquidation_map, _MAP_FRESH)

    async def whale_alerts(self) -> Cached[tuple[WhaleAlert, ...]]:
        """All coins, newest first."""
        return await self._list(WHALE_ALERT, {}, parse_events.parse_whale_alerts)

    async def whale_positions(self) -> Cached[tuple[WhalePosition, ...]]:
        """All coins, largest first."""
        return await self._list(WHALE_POSITION, {}, parse_events.parse_whale_positions)

    async def _open_interest_by_exchange(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self.interest_venues(symbol)
        return self._named(symbol, OPEN_INTEREST_LIST, cached, figures.open_interest_figures)

    async def _funding_by_exchange(self, symbol: Symbol) -> Fetched[Figures]:
        return self._named(symbol, FUNDING_LIST, await self.funding_venues(symbol), figures.funding_figures)

    async def _coins_markets(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self._inputs.coin_row(symbol)
        found = figures.per_coin(figures.coin_figures(cached.value.row), cached.value.multiplier)
        return _fetched(standard.COINS_MARKETS, symbol, cached, found)

    async def _whale_alerts_of(self, symbol: Symbol) -> Fetched[Figures]:
        return self._whales(symbol, WHALE_ALERT, await self.whale_alerts())

    async def _whale_positions_of(self, symbol: Symbol) -> Fetched[Figures]:
        return self._whales(symbol, WHALE_POSITION, await self.whale_positions())

    def _whales(self, symbol: Symbol, endpoint: str, cached: Cached[tuple[Any, ...]]) -> Fetched[Figures]:
        self._listing.spelled(symbol, endpoint)
        names = {row.base: row.base for row in cached.value}
        found = self._listing.row_of(names, symbol)
        rows = [row for row in cached.value if found is not None and row.base == found[0]]
        return _fetched(endpoint, symbol, cached, figures.whale_figures(rows))

    async def _heatmap(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self.heatmap(symbol)
        return self._named(symbol, HEATMAP, cached, lambda heatmap: figures.heatmap_figures(heatmap.cells))

    async def _liquidation_map(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self.liquidation_map(symbol)
        return self._named(
            symbol, LIQUIDATION_MAP, cached, lambda levels: figures.level_figures(levels.levels)
        )

    async def _max_pain(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self._list(MAX_PAIN, {"range": "24h"}, parse_levels.parse_max_pain)
        self._listing.spelled(symbol, MAX_PAIN)
        found = self._listing.row_of(cached.value, symbol)
        return _fetched(MAX_PAIN, symbol, cached, () if found is None else figures.per_coin(*found))

    async def _taker_volume(self, symbol: Symbol) -> Fetched[Series]:
        coin = self._listing.spelled(symbol, TAKER_VOLUME)
        params = {"exchange_list": self._taker_scope, "symbol": coin, "unit": "usd"}
        call = HistoryCall(TAKER_VOLUME, params)
        return await self._inputs.history(call, parse.parse_taker_volume, parse.closed_series)

    def warm(self, symbol: Symbol) -> list[Resource[Any]]:
        """What the dashboard of one coin asks for beside the signal's inputs, to be asked ahead.

        Raises:
            ProviderNoData: the coin is not listed.
        """
        coin = {"symbol": self._listing.spelled(symbol, OPEN_INTEREST_LIST)}
        wanted = [self._resource(OPEN_INTEREST_LIST, coin, parse_market.parse_open_interest_exchange_list)]
        return [*wanted, self._resource(FUNDING_LIST, {}, parse_market.parse_funding_exchange_list)]

    async def _list(
        self,
        endpoint: str,
        params: Mapping[str, str | int],
        parser: Callable[..., T],
        freshness: Callable[[object, int], Freshness] = _LIST_FRESH,
    ) -> Cached[T]:
        """One list answer, parsed once for everyone who reads it."""
        return await self._client.fetch_resource(self._resource(endpoint, params, parser, freshness))

    def _resource(
        self,
        endpoint: str,
        params: Mapping[str, str | int],
        parser: Callable[..., T],
        freshness: Callable[[object, int], Freshness] = _LIST_FRESH,
    ) -> Resource[T]:
        parsed = partial(parser, endpoint=endpoint)
        return self._client.resource(endpoint, params, parse=parsed, freshness=freshness)

    def _named(
        self, symbol: Symbol, endpoint: str, cached: Cached[T], name: Callable[[T], Figures]
    ) -> Fetched[Figures]:
        """An answer about one coin, as CoinGlass spells it, as figures per single coin."""
        found = figures.per_coin(name(cached.value), self._listing.multiplier(symbol))
        return _fetched(endpoint, symbol, cached, found)


def _fetched(endpoint: str, symbol: Symbol, cached: Cached[Any], figures: Figures) -> Fetched[Figures]:
    if not figures:
        raise ProviderNoData(PROVIDER, endpoint, f"nothing about {symbol}")
    # These answers state no time of their own, so the time of fetching stands for it.
    return Fetched(figures, endpoint, cached.fetched_ms, cached.fetched_ms, CacheState(cached.state))


async def _cached(answer: Awaitable[Cached[T]]) -> Cached[T] | ProviderError:
    try:
        return await answer
    except ProviderError as error:
        return error


async def _try(fetch: FetchFigures, symbol: Symbol) -> Fetched[Figures] | ProviderError:
    try:
        return await fetch(symbol)
    except ProviderError as error:
        return error


def _newest(
    fetch: Callable[
        [Symbol], Awaitable[Fetched[Price] | Fetched[Candles] | Fetched[LiquidationHistory] | Fetched[Series]]
    ],
    *names: str,
) -> FetchFigures:
    """A factor input as figures: its newest values as `names`, and how many points a history has."""

    async def newest(symbol: Symbol) -> Fetched[Figures]:
        fetched = await fetch(symbol)
        return Fetched(
            newest_figures(fetched.value, *names),
            fetched.endpoint,
            fetched.ts_event_ms,
            fetched.ts_init_ms,
            fetched.cache,
        )

    return newest


def newest_figures(value: Price | Candles | LiquidationHistory | Series, *names: str) -> Figures:
    """The last point of `value` as `names` (of liquidations: long, short), and the points of a history."""
    newest: tuple[float, ...]
    if isinstance(value, Price):
        return (MarketReading(names[0], value.price_usd, Unit.USD),)
    if isinstance(value, Candles):
        newest, unit = value.close[-1:], Unit.USD
    elif isinstance(value, LiquidationHistory):
        newest, unit = (value.long_usd[-1], value.short_usd[-1]), Unit.USD
    else:
        newest, unit = value.values[-1:], value.unit
    named = (MarketReading(name, item, unit) for name, item in zip(names, newest, strict=True))
    return (*named, MarketReading("points", float(len(value.close_ms)), "count"))
