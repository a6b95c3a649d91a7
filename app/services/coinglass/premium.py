"""Every CoinGlass capability as a probe for `/debug/premium`, and the extra groups of `/market/{symbol}`.

A probe tries one upstream resource alone and answers a few named figures; what the plan lacks raises
`ProviderPlanLimited`, which the caller shows as a state. Fractions, never percent. Wired by `provider`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from app.core.domain.market import Candles, LiquidationHistory, MarketReading, Price, Series, Unit
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData
from app.core.ports import Fetched, Probe
from app.services.coinglass import parse, parse_market, standard
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.freshness import fixed_freshness
from app.services.coinglass.listing import Listing
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.parse_market import Figures
from app.services.coinglass.standard import HistoryCall, StandardInputs
from app.services.transport.cache import Cached, Freshness

TAKER_VOLUME = "futures_aggregated_taker_buy_sell_volume_history"
LIQUIDATION_LIST = "futures_liquidation_exchange_list"
FUNDING_LIST = "futures_funding_rate_exchange_list"
OPEN_INTEREST_LIST = "futures_open_interest_exchange_list"
HEATMAP = "futures_liquidation_aggregated_heatmap_model1"
LIQUIDATION_MAP = "futures_liquidation_aggregated_map"
MAX_PAIN = "futures_liquidation_max_pain"
WHALE_ALERT = "hyperliquid_whale_alert"
WHALE_POSITION = "hyperliquid_whale_position"

# The provider updates these lists every 10 to 20 seconds; an old one is better than none for display.
_LIST_FRESH = fixed_freshness(20_000, error_ms=300_000)
_MAP_FRESH = fixed_freshness(60_000, error_ms=600_000)

FetchFigures = Callable[[Symbol], Awaitable[Fetched[Figures]]]


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
            ("whaleAlert", WHALE_ALERT, partial(self._whales, WHALE_ALERT)),
            ("whalePosition", WHALE_POSITION, partial(self._whales, WHALE_POSITION)),
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
        params = {"symbol": self._listing.spelled(symbol, LIQUIDATION_LIST), "range": "24h"}
        parser = parse_market.parse_liquidation_exchange_list
        return await self._single(symbol, LIQUIDATION_LIST, params, parser)

    async def _open_interest_by_exchange(self, symbol: Symbol) -> Fetched[Figures]:
        params = {"symbol": self._listing.spelled(symbol, OPEN_INTEREST_LIST)}
        parser = parse_market.parse_open_interest_exchange_list
        return await self._single(symbol, OPEN_INTEREST_LIST, params, parser)

    async def _funding_by_exchange(self, symbol: Symbol) -> Fetched[Figures]:
        return await self._row(symbol, FUNDING_LIST, {}, parse_market.parse_funding_exchange_list)

    async def _coins_markets(self, symbol: Symbol) -> Fetched[Figures]:
        cached = await self._inputs.coin_figures(symbol)
        return _fetched(standard.COINS_MARKETS, symbol, cached, cached.value)

    async def _whales(self, endpoint: str, symbol: Symbol) -> Fetched[Figures]:
        return await self._row(symbol, endpoint, {}, parse_market.parse_whales)

    async def _heatmap(self, symbol: Symbol) -> Fetched[Figures]:
        params = {"symbol": self._listing.spelled(symbol, HEATMAP), "range": "24h"}
        return await self._single(symbol, HEATMAP, params, parse_market.parse_heatmap, _MAP_FRESH)

    async def _liquidation_map(self, symbol: Symbol) -> Fetched[Figures]:
        params = {"symbol": self._listing.spelled(symbol, LIQUIDATION_MAP), "range": "1d"}
        parser = parse_market.parse_liquidation_map
        return await self._single(symbol, LIQUIDATION_MAP, params, parser, _MAP_FRESH)

    async def _max_pain(self, symbol: Symbol) -> Fetched[Figures]:
        return await self._row(symbol, MAX_PAIN, {"range": "24h"}, parse_market.parse_max_pain)

    async def _taker_volume(self, symbol: Symbol) -> Fetched[Series]:
        coin = self._listing.spelled(symbol, TAKER_VOLUME)
        params = {"exchange_list": self._taker_scope, "symbol": coin, "unit": "usd"}
        call = HistoryCall(TAKER_VOLUME, params)
        return await self._inputs.history(call, parse.parse_taker_volume, parse.closed_series)

    async def _single(
        self,
        symbol: Symbol,
        endpoint: str,
        params: Mapping[str, str | int],
        parser: Callable[..., Figures],
        freshness: Callable[[object, int], Freshness] = _LIST_FRESH,
    ) -> Fetched[Figures]:
        """An answer about one coin, as CoinGlass spells it."""
        parsed = partial(parser, endpoint=endpoint)
        cached = await self._client.fetch(endpoint, params, parse=parsed, freshness=freshness)
        figures = parse_market.per_coin(cached.value, self._listing.multiplier(symbol))
        return _fetched(endpoint, symbol, cached, figures)

    async def _row(
        self,
        symbol: Symbol,
        endpoint: str,
        params: Mapping[str, str | int],
        parser: Callable[..., Mapping[str, Figures]],
    ) -> Fetched[Figures]:
        """One coin out of an answer about all of them."""
        parsed = partial(parser, endpoint=endpoint)
        cached = await self._client.fetch(endpoint, params, parse=parsed, freshness=_LIST_FRESH)
        self._listing.spelled(symbol, endpoint)  # refuses a coin that is not listed
        found = self._listing.row_of(cached.value, symbol)
        return _fetched(endpoint, symbol, cached, () if found is None else parse_market.per_coin(*found))


def _fetched(endpoint: str, symbol: Symbol, cached: Cached[Any], figures: Figures) -> Fetched[Figures]:
    if not figures:
        raise ProviderNoData(PROVIDER, endpoint, f"nothing about {symbol}")
    # These answers state no time of their own, so the time of fetching stands for it.
    return Fetched(figures, endpoint, cached.fetched_ms, cached.fetched_ms, CacheState(cached.state))


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

    async def figures(symbol: Symbol) -> Fetched[Figures]:
        fetched = await fetch(symbol)
        return Fetched(
            newest_figures(fetched.value, *names),
            fetched.endpoint,
            fetched.ts_event_ms,
            fetched.ts_init_ms,
            fetched.cache,
        )

    return figures


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
    figures = (MarketReading(name, item, unit) for name, item in zip(names, newest, strict=True))
    return (*figures, MarketReading("points", float(len(value.close_ms)), "count"))
