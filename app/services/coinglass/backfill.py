"""CoinGlass histories for the backfill: one page per call, closed bars only, as the store keeps them.

Owns what is asked for a stretch of time, how deep the plan sees and how columns become stored bars. Calls are
made behind: within the background share of the budget, so that a backfill takes none of the calls that
somebody waits for. Bar sizes below the plan's floor are refused before they are asked (`access`).
Source: CoinGlass API v4 history pages (price, open interest, funding, ratios, taker volume), checked 2026-03.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias, TypeVar

from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import INTERVAL_MS, MAX_AHEAD_MS, Unit
from app.core.domain.stored import (
    ALL_EXCHANGES,
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
    SeriesName,
    TakerRow,
)
from app.core.domain.symbol import Symbol
from app.core.history_ports import FetchHistory, HistorySource
from app.services.coinglass import parse, standard
from app.services.coinglass.catalog import history_days
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.freshness import SETTLING_MS, fixed_freshness
from app.services.coinglass.listing import Listing
from app.services.coinglass.pairs import PairRef
from app.services.coinglass.parse import PROVIDER
from app.services.transport.cache import Cached

VOLUME_FUNDING = "futures_funding_rate_vol_weight_history"
PAIR_TAKER = "futures_v2_taker_buy_sell_volume_history"
# Kept while the other half of a pair of calls waits for its turn; never an old page instead of an error.
_ONCE = fixed_freshness(120_000)
_RATIOS = {
    RatioScope.GLOBAL_ACCOUNT: standard.ACCOUNT_RATIO,
    RatioScope.TOP_ACCOUNT: standard.TOP_ACCOUNT_RATIO,
    RatioScope.TOP_POSITION: standard.TOP_POSITION_RATIO,
}

_Ohlc: TypeAlias = tuple[float | None, float | None, float | None, float | None]
_NOTHING: _Ohlc = (None, None, None, None)

T = TypeVar("T")


class CoinGlassHistories:
    """The histories of CoinGlass as `HistorySource`s."""

    def __init__(self, client: CoinGlassClient, listing: Listing, *, now_ms: Callable[[], int]) -> None:
        """client: over a cache of its own, so that thousands of pages do not push out what is asked."""
        self._client = client
        self._listing = listing
        self._now_ms = now_ms

    def sources(self) -> tuple[HistorySource, ...]:
        """Price, ratios and taker volume of the coin's pair; open interest and funding of all exchanges."""
        return (
            self._source(SeriesName.CANDLES, None, self._candles),
            self._source(SeriesName.OPEN_INTEREST, ALL_EXCHANGES, self._interest),
            self._source(SeriesName.FUNDING, ALL_EXCHANGES, self._funding),
            *(
                self._source(SeriesName.LONG_SHORT, None, partial(self._ratio, scope), scope)
                for scope in _RATIOS
            ),
            self._source(SeriesName.TAKER_VOLUME, None, self._taker),
        )

    def _source(
        self,
        series: SeriesName,
        exchange: str | None,
        fetch: FetchHistory,
        scope: RatioScope | None = None,
    ) -> HistorySource:
        return HistorySource(
            series=series,
            provider=PROVIDER,
            exchange=exchange,
            scope=scope,
            intervals=frozenset(INTERVAL_MS),
            rhythm=(),
            page_bars=standard.HISTORY_ROWS,
            max_days=lambda interval: history_days(self._client.access.plan, interval),
            fetch=fetch,
        )

    async def _candles(self, symbol: Symbol, interval: str, from_ms: int, to_ms: int) -> tuple[BarRow, ...]:
        pair, params = await self._pair(symbol, standard.PRICE_HISTORY)
        parser = partial(parse.parse_candles, exchange=pair.exchange, multiplier=pair.multiplier)
        found = await self._page(standard.PRICE_HISTORY, params, interval, (from_ms, to_ms), parser)
        bars = found.value
        return tuple(
            CandleRow(
                pair.exchange,
                symbol.base,
                interval,
                close_ms,
                bars.open[index],
                bars.high[index],
                bars.low[index],
                bars.close[index],
                None if bars.volume_base is None else bars.volume_base[index],
                PROVIDER,
                found.fetched_ms,
            )
            for index, close_ms in enumerate(bars.close_ms)
            if from_ms <= close_ms < to_ms and close_ms <= self._closed_by_ms(found)
        )

    async def _interest(self, symbol: Symbol, interval: str, from_ms: int, to_ms: int) -> tuple[BarRow, ...]:
        """Two calls, in USD and in coins, joined by bar."""
        coin = await self._listing.coin(symbol, standard.OPEN_INTEREST)
        pages: list[Mapping[int, _Ohlc]] = []
        fetched_ms = 0
        for unit in (Unit.USD, Unit.BASE):
            is_usd = unit is Unit.USD
            params: dict[str, str | int] = {"symbol": coin, "unit": "usd" if is_usd else "coin"}
            multiplier = 1 if is_usd else self._listing.multiplier(symbol)
            parser = partial(parse.parse_open_interest, unit=unit, multiplier=multiplier)
            found = await self._page(standard.OPEN_INTEREST, params, interval, (from_ms, to_ms), parser)
            pages.append(_ohlc_by_close(parse.closed_interest(found.value, self._closed_by_ms(found))))
            fetched_ms = found.fetched_ms
        usd, base = pages
        return tuple(
            OpenInterestRow(
                ALL_EXCHANGES,
                symbol.base,
                interval,
                close_ms,
                *usd.get(close_ms, _NOTHING),
                *base.get(close_ms, _NOTHING),
                PROVIDER,
                fetched_ms,
            )
            for close_ms in sorted(usd.keys() | base.keys())
            if from_ms <= close_ms < to_ms
        )

    async def _funding(self, symbol: Symbol, interval: str, from_ms: int, to_ms: int) -> tuple[BarRow, ...]:
        """Two calls, weighted by open interest and by volume, joined by bar."""
        pages: list[Mapping[int, float]] = []
        fetched_ms = 0
        for endpoint in (standard.FUNDING, VOLUME_FUNDING):
            params: dict[str, str | int] = {"symbol": await self._listing.coin(symbol, endpoint)}
            found = await self._page(endpoint, params, interval, (from_ms, to_ms), parse.parse_funding)
            closed = parse.closed_series(found.value, self._closed_by_ms(found))
            pages.append(dict(zip(closed.close_ms, closed.values, strict=True)))
            fetched_ms = found.fetched_ms
        by_interest, by_volume = pages
        return tuple(
            FundingRow(
                ALL_EXCHANGES,
                symbol.base,
                interval,
                close_ms,
                None,
                by_interest.get(close_ms),
                by_volume.get(close_ms),
                PROVIDER,
                fetched_ms,
            )
            for close_ms in sorted(by_interest.keys() | by_volume.keys())
            if from_ms <= close_ms < to_ms
        )

    async def _ratio(
        self, scope: RatioScope, symbol: Symbol, interval: str, from_ms: int, to_ms: int
    ) -> tuple[BarRow, ...]:
        endpoint = _RATIOS[scope]
        pair, params = await self._pair(symbol, endpoint)
        parser = partial(parse.parse_long_share, side=scope.value, label=scope.value)
        found = await self._page(endpoint, params, interval, (from_ms, to_ms), parser)
        closed = parse.closed_series(found.value, self._closed_by_ms(found))
        return tuple(
            RatioRow(
                scope.value,
                pair.exchange,
                symbol.base,
                interval,
                close_ms,
                share,
                PROVIDER,
                found.fetched_ms,
            )
            for close_ms, share in zip(closed.close_ms, closed.values, strict=True)
            if from_ms <= close_ms < to_ms
        )

    async def _taker(self, symbol: Symbol, interval: str, from_ms: int, to_ms: int) -> tuple[BarRow, ...]:
        pair, params = await self._pair(symbol, PAIR_TAKER)
        span = (from_ms, to_ms)
        found = await self._page(PAIR_TAKER, params, interval, span, parse.parse_pair_taker)
        return tuple(
            TakerRow(pair.exchange, symbol.base, interval, close_ms, buy, sell, PROVIDER, found.fetched_ms)
            for close_ms, (buy, sell) in found.value.items()
            if from_ms <= close_ms < to_ms and close_ms <= self._closed_by_ms(found)
        )

    async def _pair(self, symbol: Symbol, endpoint: str) -> tuple[PairRef, dict[str, str | int]]:
        pair = await self._listing.pair(symbol, endpoint)
        return pair, {"exchange": pair.exchange, "symbol": pair.instrument}

    async def _page(
        self,
        endpoint: str,
        params: Mapping[str, str | int],
        interval: str,
        span: tuple[int, int],
        parser: Callable[..., T],
    ) -> Cached[T]:
        """Bars that close within `span`; requests name bars by their open.

        Spans begin and end one ms after a close, so no open lies on an end of the window: the same rows
        whether CoinGlass includes the ends or not.
        """
        interval_ms = INTERVAL_MS[interval]
        window = {"start_time": span[0] - interval_ms, "end_time": span[1] - interval_ms}
        resource = self._client.resource(
            endpoint,
            {**params, "interval": interval, "limit": standard.HISTORY_ROWS, **window},
            parse=partial(parser, endpoint=endpoint, interval_ms=interval_ms),
            freshness=_ONCE,
        )
        found = await self._client.fetch_behind(resource)
        # Leaving out bars that have not begun would leave shifted ones that look like the newest.
        if _newest_ms(found.value) - interval_ms > found.fetched_ms + MAX_AHEAD_MS:
            raise parse.bad_payload(endpoint, "a time is in the future")
        return found

    def _closed_by_ms(self, found: Cached[T]) -> int:
        """Bars that closed by this moment are final: one just closed may still get its last trades."""
        return min(found.fetched_ms, self._now_ms()) - SETTLING_MS


def _newest_ms(value: object) -> int:
    """Close of the newest bar, 0 without one."""
    closes = value if isinstance(value, dict) else getattr(value, "close_ms", ())
    return max(closes, default=0)


def _ohlc_by_close(history: OpenInterestHistory) -> dict[int, _Ohlc]:
    """Figures by bar; None for what the answer does not have."""
    missing = (None,) * len(history.close_ms)
    rows = zip(
        history.close_ms,
        history.open or missing,
        history.high or missing,
        history.low or missing,
        history.close,
        strict=True,
    )
    return {close_ms: (open_, high, low, close) for close_ms, open_, high, low, close in rows}
