"""The factor inputs CoinGlass has on every plan: price, candles and the histories the factors rank.

One method per capability, each one upstream call (cached), answering domain columns with closed bars only.
Asks 1h bars where the plan has them, else 4h. Wired into `Source`s by `provider`; premium is elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from app.core.domain.derivatives import OpenInterestHistory, PairMarket
from app.core.domain.market import MAX_AHEAD_MS, Candles, LiquidationHistory, Price, PriceKind, Series, Unit
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderNoData, ProviderPlanLimited
from app.core.ports import Fetched
from app.services.coinglass import parse, parse_market, wire
from app.services.coinglass.access import FALLBACK_INTERVAL
from app.services.coinglass.catalog import INTERVALS
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.freshness import fixed_freshness, history_freshness
from app.services.coinglass.listing import Listing
from app.services.coinglass.pairs import PairRef
from app.services.coinglass.parse import PROVIDER
from app.services.transport.cache import Cached
from app.services.transport.resource import Resource

COINS_MARKETS = "futures_coins_markets"
PAIRS_MARKETS = "futures_pairs_markets"
PRICE_HISTORY = "futures_price_history"
LIQUIDATIONS = "futures_liquidation_aggregated_history"
OPEN_INTEREST = "futures_open_interest_aggregated_history"
FUNDING = "futures_funding_rate_oi_weight_history"
ACCOUNT_RATIO = "futures_global_long_short_account_ratio_history"
TOP_ACCOUNT_RATIO = "futures_top_long_short_account_ratio_history"
TOP_POSITION_RATIO = "futures_top_long_short_position_ratio_history"
FEAR_GREED = "index_fear_greed_history"

# 30 days of hours (what the factors rank against) fit one call of this size.
HISTORY_ROWS = 1000
PAGE_ROWS = 100
_MAX_PAGES = 10
_PRICE_FRESH = fixed_freshness(10_000, error_ms=60_000)
# The index comes once a day at no stated minute: looking every ten minutes is soon enough.
_INDEX = partial(parse.parse_fear_greed, endpoint=FEAR_GREED)
_INDEX_FRESH = history_freshness(missing_ms=600_000)


class _Bars(Protocol):
    @property
    def interval_ms(self) -> int: ...
    @property
    def close_ms(self) -> tuple[int, ...]: ...


BarsT = TypeVar("BarsT", bound=_Bars)


@dataclass(frozen=True, slots=True)
class HistoryCall:
    """What to ask for besides interval and row count."""

    endpoint: str
    params: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class CoinRow:
    """One coin of the all-coins list; its prices are per `multiplier` coins."""

    row: wire.CoinMarketRow
    multiplier: int


# Endpoint -> whose side it is in the answer's keys, and in words.
_SHARES: Mapping[str, tuple[str, str]] = {
    ACCOUNT_RATIO: ("global_account", "accounts net long"),
    TOP_ACCOUNT_RATIO: ("top_account", "top-trader accounts net long"),
    TOP_POSITION_RATIO: ("top_position", "top-trader positions long"),
}


class StandardInputs:
    """Fetches factor inputs. Every method raises `ProviderError` when it cannot; never a default."""

    def __init__(
        self,
        client: CoinGlassClient,
        listing: Listing,
        *,
        now_ms: Callable[[], int],
        exchange_order: tuple[str, ...],
        liquidation_exchanges: tuple[str, ...],
    ) -> None:
        self._client = client
        self._listing = listing
        self._now_ms = now_ms
        self._exchange_order = exchange_order
        self._liquidation_exchanges = liquidation_exchanges

    async def price(self, symbol: Symbol) -> Fetched[Price]:
        """Current price: of all exchanges together where the plan has it, else the last trade on one.

        CoinGlass states no time for a price, so the time of the event is the time of fetching (the figure
        may be some seconds older).
        """
        try:
            return await self._aggregated_price(symbol)
        except (ProviderPlanLimited, ProviderNoData):
            return await self._pair_price(symbol)

    async def candles(self, symbol: Symbol) -> Fetched[Candles]:
        """Candles of the coin's perpetual on the preferred exchange; USD per coin."""
        pair = await self._listing.pair(symbol, PRICE_HISTORY)
        call = HistoryCall(PRICE_HISTORY, {"exchange": pair.exchange, "symbol": pair.instrument})
        parser = partial(parse.parse_candles, exchange=pair.exchange, multiplier=pair.multiplier)
        return await self.history(call, parser, parse.closed_candles)

    async def liquidations(self, symbol: Symbol) -> Fetched[LiquidationHistory]:
        """USD liquidated per bar and side, always over the same configured exchanges."""
        await self._listing.coin(symbol, LIQUIDATIONS)
        return await self.history(*self._liquidation_call(symbol), parse.closed_liquidations)

    def _liquidation_call(self, symbol: Symbol) -> tuple[HistoryCall, Callable[..., LiquidationHistory]]:
        scope = ",".join(self._liquidation_exchanges)
        coin = self._listing.spelled(symbol, LIQUIDATIONS)
        call = HistoryCall(LIQUIDATIONS, {"exchange_list": scope, "symbol": coin})
        return call, partial(parse.parse_liquidations, scope=scope)

    async def open_interest_usd(self, symbol: Symbol) -> Fetched[Series]:
        """Open interest of all exchanges in USD (moves with the price alone)."""
        return _closes(await self.interest_bars(symbol))

    async def interest_bars(
        self, symbol: Symbol, interval: str | None = None
    ) -> Fetched[OpenInterestHistory]:
        """The same with open, high and low of each bar."""
        await self._listing.coin(symbol, OPEN_INTEREST)
        return await self.history(*self._interest_call(symbol, Unit.USD), parse.closed_interest, interval)

    async def open_interest_base(self, symbol: Symbol) -> Fetched[Series]:
        """Open interest of all exchanges in coins."""
        await self._listing.coin(symbol, OPEN_INTEREST)
        return _closes(await self.history(*self._interest_call(symbol, Unit.BASE), parse.closed_interest))

    def _interest_call(
        self, symbol: Symbol, unit: Unit
    ) -> tuple[HistoryCall, Callable[..., OpenInterestHistory]]:
        coin = self._listing.spelled(symbol, OPEN_INTEREST)
        is_usd = unit is Unit.USD
        call = HistoryCall(OPEN_INTEREST, {"symbol": coin, "unit": "usd" if is_usd else "coin"})
        multiplier = 1 if is_usd else self._listing.multiplier(symbol)
        return call, partial(parse.parse_open_interest, unit=unit, multiplier=multiplier)

    async def funding(self, symbol: Symbol, interval: str | None = None) -> Fetched[Series]:
        """OI-weighted funding, fraction per 8 h; positive: longs pay shorts."""
        await self._listing.coin(symbol, FUNDING)
        return await self.history(*self._funding_call(symbol), parse.closed_series, interval)

    def _funding_call(self, symbol: Symbol) -> tuple[HistoryCall, Callable[..., Series]]:
        coin = self._listing.spelled(symbol, FUNDING)
        return HistoryCall(FUNDING, {"symbol": coin}), parse.parse_funding

    async def account_ratio(self, symbol: Symbol, interval: str | None = None) -> Fetched[Series]:
        """Share of all accounts that are net long, on the preferred exchange."""
        return await self._long_share(symbol, ACCOUNT_RATIO, interval)

    async def top_account_ratio(self, symbol: Symbol, interval: str | None = None) -> Fetched[Series]:
        """Share of top-trader accounts that are net long."""
        return await self._long_share(symbol, TOP_ACCOUNT_RATIO, interval)

    async def top_position_ratio(self, symbol: Symbol, interval: str | None = None) -> Fetched[Series]:
        """Long share of top-trader positions."""
        return await self._long_share(symbol, TOP_POSITION_RATIO, interval)

    async def fear_greed(self, symbol: Symbol) -> Fetched[Series]:
        """The market-wide daily index; the same for every coin."""
        cached = await self._client.fetch(
            FEAR_GREED,
            {},
            parse=_INDEX,
            freshness=_INDEX_FRESH,
        )
        return self._closed(FEAR_GREED, cached, parse.closed_series, f"no index (asked for {symbol})")

    async def history(
        self,
        call: HistoryCall,
        parser: Callable[..., BarsT],
        cut: Callable[[BarsT, int], BarsT],
        interval: str | None = None,
    ) -> Fetched[BarsT]:
        """One history; without `interval` 1h bars where the plan has them, else (remembered) 4h.

        `parser` also takes `endpoint` and `interval_ms`; `cut` keeps the bars closed when it was fetched.
        """
        if interval is not None:
            cached = await self._fetch_bars(call, interval, parser)
            return self._closed(call.endpoint, cached, cut, f"no closed bars of {call.params['symbol']}")
        interval = self._client.access.interval_for(call.endpoint)
        try:
            cached = await self._fetch_bars(call, interval, parser)
        except ProviderPlanLimited:
            if interval == FALLBACK_INTERVAL:
                raise
            cached = await self._fetch_bars(call, FALLBACK_INTERVAL, parser)
        return self._closed(call.endpoint, cached, cut, f"no closed bars of {call.params['symbol']}")

    async def coin_row(self, symbol: Symbol) -> Cached[CoinRow]:
        """The coin's row of the all-coins list and its multiplier; page by page until it is found.

        Raises:
            ProviderNoData: no page has the coin.
        """
        coin = await self._listing.coin(symbol, COINS_MARKETS)
        other: Cached[CoinRow] | None = None
        async for cached in self.coin_pages():
            found = self._listing.row_of(cached.value, symbol)
            if found is not None:
                row = Cached(CoinRow(*found), cached.fetched_ms, cached.state)
                if coin in cached.value:
                    return row
                other = other or row  # spelled otherwise than in the list of coins: better than none
        if other is None:
            raise ProviderNoData(PROVIDER, COINS_MARKETS, f"{symbol} is on no page")
        return other

    async def coin_pages(self) -> AsyncIterator[Cached[Mapping[str, wire.CoinMarketRow]]]:
        """The pages of the all-coins list, as far as they hold coins not seen before."""
        seen: set[str] = set()
        for page in range(1, _MAX_PAGES + 1):
            cached = await self._client.fetch_resource(self._page(page))
            if not cached.value.keys() - seen:  # past the end, or a server that ignores the page number
                return
            seen |= cached.value.keys()
            yield cached

    def _page(self, page: int) -> Resource[Mapping[str, wire.CoinMarketRow]]:
        return self._client.resource(
            COINS_MARKETS,
            {"page": page, "per_page": PAGE_ROWS},
            parse=partial(parse_market.parse_coins_markets, endpoint=COINS_MARKETS),
            freshness=_PRICE_FRESH,
        )

    async def pairs(self, symbol: Symbol) -> Cached[tuple[PairMarket, ...]]:
        """Every perpetual of the coin."""
        return await self._client.fetch(
            PAIRS_MARKETS,
            {"symbol": await self._listing.coin(symbol, PAIRS_MARKETS)},
            parse=partial(
                parse_market.parse_pairs_markets, endpoint=PAIRS_MARKETS, coins=frozenset({symbol.base})
            ),
            freshness=_PRICE_FRESH,
        )

    def warm(self, symbol: Symbol) -> list[Resource[Any]]:
        """What the signal of one coin asks for, to be asked ahead: histories, the price, the index.

        Raises:
            ProviderNoData: the coin is not listed.
        """
        calls = [
            self._liquidation_call(symbol),
            self._interest_call(symbol, Unit.USD),
            self._interest_call(symbol, Unit.BASE),
            self._funding_call(symbol),
        ]
        calls += [
            self._share_call(pair, endpoint)
            for endpoint in (ACCOUNT_RATIO, TOP_POSITION_RATIO, TOP_ACCOUNT_RATIO)
            if (pair := self._listing.known_pair(symbol)) is not None
        ]
        return [
            self._bars(call, self._client.access.interval_for(call.endpoint), parser)
            for call, parser in calls
        ]

    def warm_lists(self) -> list[Resource[Any]]:
        """Answers that serve every coin: the first page of all coins where the plan has it, the index."""
        lists: list[Resource[Any]] = [
            self._client.resource(FEAR_GREED, {}, parse=_INDEX, freshness=_INDEX_FRESH)
        ]
        if self._client.access.may_ask(COINS_MARKETS):
            lists.append(self._page(1))
        return lists

    def _bars(self, call: HistoryCall, interval: str, parser: Callable[..., BarsT]) -> Resource[BarsT]:
        return self._client.resource(
            call.endpoint,
            {**call.params, "interval": interval, "limit": HISTORY_ROWS},
            parse=partial(parser, endpoint=call.endpoint, interval_ms=INTERVALS[interval]),
            freshness=history_freshness(),
        )

    async def _fetch_bars(
        self, call: HistoryCall, interval: str, parser: Callable[..., BarsT]
    ) -> Cached[BarsT]:
        return await self._client.fetch_resource(self._bars(call, interval, parser))

    def _closed(
        self, endpoint: str, cached: Cached[BarsT], cut: Callable[[BarsT, int], BarsT], nothing: str
    ) -> Fetched[BarsT]:
        bars = cached.value
        # Cutting off bars that have not begun yet would leave shifted ones that look like the newest.
        if bars.close_ms and bars.close_ms[-1] - bars.interval_ms > cached.fetched_ms + MAX_AHEAD_MS:
            raise parse.bad_payload(endpoint, "a time is in the future")
        # A bar that was still forming when the bytes came does not become closed by waiting.
        value = cut(bars, min(self._now_ms(), cached.fetched_ms))
        if not value.close_ms:
            raise ProviderNoData(PROVIDER, endpoint, nothing)
        return Fetched(value, endpoint, value.close_ms[-1], cached.fetched_ms, CacheState(cached.state))

    async def _long_share(self, symbol: Symbol, endpoint: str, interval: str | None) -> Fetched[Series]:
        pair = await self._listing.pair(symbol, endpoint)
        return await self.history(*self._share_call(pair, endpoint), parse.closed_series, interval)

    @staticmethod
    def _share_call(pair: PairRef, endpoint: str) -> tuple[HistoryCall, Callable[..., Series]]:
        side, what = _SHARES[endpoint]
        call = HistoryCall(endpoint, {"exchange": pair.exchange, "symbol": pair.instrument})
        label = f"{what}, {pair.exchange} {pair.instrument}"
        return call, partial(parse.parse_long_share, side=side, label=label)

    async def _aggregated_price(self, symbol: Symbol) -> Fetched[Price]:
        cached = await self.coin_row(symbol)
        listed = parse_market.price(cached.value.row.current_price, cached.value.multiplier)
        if listed is None:  # absent, or too small to be a price per coin
            raise parse.bad_payload(COINS_MARKETS, f"no usable price of {symbol}")
        return _now(Price(listed, PriceKind.AGGREGATED), COINS_MARKETS, cached)

    async def _pair_price(self, symbol: Symbol) -> Fetched[Price]:
        cached = await self.pairs(symbol)
        best = self.preferred(cached.value)
        if best is None:
            raise ProviderNoData(PROVIDER, PAIRS_MARKETS, f"no pair of {symbol} has a price in USD")
        price = Price(best.price_usd, PriceKind.LAST_TRADE, best.exchange)
        return _now(price, PAIRS_MARKETS, cached)

    def preferred(self, pairs: Sequence[PairMarket]) -> PairMarket | None:
        """The pair whose price stands for the coin: on the first configured exchange, in USDT before USD."""
        quotes = [pair for pair in pairs if pair.quote.startswith("USD")]
        return min(quotes, key=self._preference) if quotes else None

    def _preference(self, quote: PairMarket) -> tuple[int, bool]:
        order = self._exchange_order
        rank = order.index(quote.exchange) if quote.exchange in order else len(order)
        return rank, quote.quote != "USDT"


def _closes(bars: Fetched[OpenInterestHistory]) -> Fetched[Series]:
    """Open interest at the close of each bar."""
    history = bars.value
    series = Series(history.unit, history.interval_ms, history.close_ms, history.close, history.label)
    return Fetched(series, bars.endpoint, bars.ts_event_ms, bars.ts_init_ms, bars.cache)


def _now(price: Price, endpoint: str, cached: Cached[Any]) -> Fetched[Price]:
    return Fetched(price, endpoint, cached.fetched_ms, cached.fetched_ms, CacheState(cached.state))
