"""Polls what no stream carries: open interest, funding, whales, heatmap tiles; finds what is unusual in it.

Asks through the use cases that everything else asks through, so the calls come out of the one budget and the
one cache: a poll within the provider's own refresh costs nothing. Owns the rhythm and what is remembered of
each coin; what counts as a finding is `core.flow.polled`'s. Run by the pipeline beside the streams.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from app.core.clock import Clock
from app.core.domain.alerts import AlertContext
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.derivatives import CoinMarket
from app.core.domain.flow import Finding
from app.core.domain.flow_config import FlowConfig
from app.core.domain.heatmap import CompositeScore, settled_minute
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market_figures import LevelFigures, MarketFigures
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Direction
from app.core.domain.stored import (
    ALL_EXCHANGES,
    BarQuery,
    OpenInterestRow,
    SeriesName,
    TileRow,
)
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import NoPriceAvailable, StorageUnavailable
from app.core.flow.interest_track import WINDOW_MS, InterestSample, InterestTrack
from app.core.flow.market import MAX_FIGURES_AGE_MS
from app.core.flow.market_figures import measure_levels, measure_market
from app.core.flow.market_filter import judge_market
from app.core.flow.polled import FundingNow, detect_funding, detect_interest, detect_tile
from app.core.store_ports import BarReader, MarketWriter
from app.core.stream_ports import WarmCache
from app.services.streaming.tile_shelf import TileShelf
from app.services.streaming.whale_watch import Views, WhaleWatch

_log = logging.getLogger(__name__)

# A position that was opened longer ago is no news.
MAX_WHALE_AGE_MS = 10 * 60_000
# Funding and levels stand on hourly bars: looked at again this often, one coin after the other.
CONTEXT_EVERY_MS = 5 * 60_000
MAX_PRICE_AGE_MS = 60_000
MAX_COINS = 100
MAX_AT_ONCE = 8
# A context is up to a dozen calls when nothing is warm: not all coins of a long list in one round.
MAX_CONTEXTS_A_ROUND = 5
_PAGE_ROWS = 5_000
# Providers whose open interest has a place in the store: a total over exchanges, or one exchange.
_EXCHANGES = {"coinglass": ALL_EXCHANGES, "okx": "OKX"}

FindingSink: TypeAlias = Callable[[Sequence[Finding], int], Awaitable[None]]
LevelSink: TypeAlias = Callable[[LevelFigures], None]


class Contexts(Protocol):
    async def gather(self, symbol: Symbol) -> EnhancedSignalContext: ...


class Levels(Protocol):
    async def of_context(self, context: EnhancedSignalContext) -> LiquidityAnswer:
        """Raises: NoPriceAvailable."""
        ...


class Composites(Protocol):
    async def composite(self, symbol: Symbol) -> tuple[CompositeScore, Sequence[TileRow]]:
        """Raises: StorageUnavailable."""
        ...


@dataclass(slots=True)
class _Coin:
    """What is remembered of one watched coin."""

    symbol: Symbol
    track: InterestTrack
    learned_for: str | None = None  # exchange whose past was read
    price: float | None = None
    price_ms: int = 0
    looked_ms: int = 0  # when its context was gathered last
    figures: MarketFigures | None = None
    tile_min: int = -1
    notes: dict[str, str] = field(default_factory=dict)


class Poller:
    """`run()` beside the streams. `market_figures`, `alert_context` and `notes` read what was polled last."""

    def __init__(
        self,
        *,
        upstream: Views,
        contexts: Contexts,
        liquidity: Levels,
        composites: Composites,
        warm: WarmCache,
        writer: MarketWriter,
        bars: BarReader,
        config: FlowConfig,
        watched: Callable[[], Sequence[Symbol]],
        on_findings: FindingSink,
        on_levels: LevelSink,
        clock: Clock,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """upstream: asks providers only, never the whale book this fills. liquidity: one whose answers are
        not counted as published. watched: coins polled, most wanted first, at most 100 are. on_levels: told
        the ATR and clusters of a coin when they are new.
        """
        self._upstream = upstream
        self._contexts = contexts
        self._liquidity = liquidity
        self._composites = composites
        self._warm = warm
        self._writer = writer
        self._bars = bars
        self._config = config
        self._watched = watched
        self._on_findings = on_findings
        self._on_levels = on_levels
        self._clock = clock
        self._interval_s = interval_s
        self._sleep = sleep
        self._coins: dict[str, _Coin] = {}
        self._whales = WhaleWatch(
            upstream=upstream,
            warm=warm,
            config=config,
            price_of=self._price_of,
            clock=clock,
            max_age_ms=max(MAX_WHALE_AGE_MS, round(2_000 * interval_s)),
        )
        self._tiles = TileShelf(warm)
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._contexts_left = 0
        self.rounds = 0

    async def run(self) -> None:
        """Poll until cancelled, each round `interval_s` after the one before began, never two at once."""
        while True:
            began_s = self._clock.monotonic_s()
            await self.poll()
            took_s = self._clock.monotonic_s() - began_s
            await self._sleep(max(self._interval_s - took_s, 1.0))

    async def poll(self) -> None:
        """One round over every watched coin."""
        coins = self._take_watched()
        self._contexts_left = MAX_CONTEXTS_A_ROUND
        async with asyncio.TaskGroup() as tasks:
            whales = tasks.create_task(self._whales.refresh())
            asked = [tasks.create_task(self._poll_coin(coin)) for coin in coins]
            # Told as each comes: nobody waits for the slowest coin.
            for answered in asyncio.as_completed(asked):
                await self._tell(await answered)
        # Last, because by now the prices of the watched coins are known.
        if whales.result():
            await self._tell(await self._whales.news())
        self.rounds += 1

    async def _tell(self, findings: Sequence[Finding]) -> None:
        if findings:
            await self._on_findings(findings, self._clock.now_ms())

    def market_figures(self, symbol: str) -> MarketFigures | None:
        """Funding and open interest of a watched coin, None when unknown or older than half an hour."""
        coin = self._coins.get(symbol)
        figures = None if coin is None else coin.figures
        if figures is None or self._clock.now_ms() - figures.as_of_ms > MAX_FIGURES_AGE_MS:
            return None
        return figures

    def alert_context(self, symbol: str, direction: Direction) -> AlertContext:
        """What funding and open interest say of a direction; of a coin not polled NEUTRAL, naming both."""
        known = self.market_figures(symbol)
        return judge_market(
            direction,
            funding_8h_frac=None if known is None else known.funding_8h_frac,
            oi_change_1h_frac=None if known is None else known.oi_change_1h_frac,
            funding_percentile=lambda _: None if known is None else known.funding_percentile,
            oi_percentile=lambda _: None if known is None else known.oi_change_percentile,
        )

    def notes(self) -> tuple[str, ...]:
        """Why something is not watched for just now, one sentence each."""
        told = [
            f"{coin.symbol}: {what}: {why}"
            for coin in self._coins.values()
            for what, why in sorted(coin.notes.items())
        ]
        return (*told, *self._whales.notes())

    def _take_watched(self) -> list[_Coin]:
        wanted = list(dict.fromkeys(self._watched()))[:MAX_COINS]
        names = {symbol.base for symbol in wanted}
        self._coins = {name: coin for name, coin in self._coins.items() if name in names}
        for symbol in wanted:
            if symbol.base not in self._coins:
                self._coins[symbol.base] = _Coin(symbol, InterestTrack(symbol.base))
        return [self._coins[symbol.base] for symbol in wanted]

    async def _poll_coin(self, coin: _Coin) -> list[Finding]:
        async with self._places:
            found = [
                await self._poll_interest(coin),
                await self._poll_context(coin),
                await self._poll_tile(coin),
            ]
        return [finding for finding in found if finding is not None]

    async def _poll_interest(self, coin: _Coin) -> Finding | None:
        parts = await self._upstream.parts([View.COIN_MARKET], ViewQuery(symbol=coin.symbol))
        reading = parts[View.COIN_MARKET].found
        sample = _sample(reading)
        if isinstance(sample, str):
            coin.notes["open interest"] = sample
            return None
        coin.price, coin.price_ms = sample.price, sample.at_ms
        rows = coin.track.note(sample)
        for interval in ("1m", "5m"):
            self._writer.put([row for row in rows if row.interval == interval])
        await self._learn(coin, sample.exchange)
        change = coin.track.change(self._clock.now_ms())
        if isinstance(change, str):
            coin.notes["open interest"] = change
            return None
        coin.notes.pop("open interest", None)
        return detect_interest(change, self._config)

    async def _learn(self, coin: _Coin, exchange: str) -> None:
        """Read the past of this exchange from the store, once; again next time while it does not answer."""
        if coin.learned_for == exchange:
            return
        now_ms = self._clock.now_ms()
        closes: list[tuple[int, float]] = []
        cursor: str | None = None
        try:
            while True:
                query = BarQuery(
                    SeriesName.OPEN_INTEREST,
                    coin.symbol.base,
                    "5m",
                    from_ms=now_ms - WINDOW_MS,
                    to_ms=now_ms + 1,
                    exchange=exchange,
                    limit=_PAGE_ROWS,
                    cursor=cursor,
                    newest_first=False,
                )
                page = await self._bars.bars(query)
                closes += [
                    (row.close_ms, row.close_base)
                    for row in page.rows
                    if isinstance(row, OpenInterestRow) and row.close_base is not None
                ]
                cursor = page.cursor
                if cursor is None:
                    break
        except StorageUnavailable as error:
            _log.warning("the past of open interest cannot be read", extra={"why": str(error)})
            return
        coin.track.learn(closes)
        coin.learned_for = exchange

    async def _poll_context(self, coin: _Coin) -> Finding | None:
        now_ms = self._clock.now_ms()
        if now_ms - coin.looked_ms < CONTEXT_EVERY_MS or self._contexts_left <= 0:
            return None
        self._contexts_left -= 1
        coin.looked_ms = now_ms
        context = await self._contexts.gather(coin.symbol)
        coin.figures = figures = measure_market(context)
        coin.notes.pop("market", None)
        if figures.unknown:
            coin.notes["market"] = "; ".join(figures.unknown)
        await self._tell_levels(context)
        rate, percentile = figures.funding_8h_frac, figures.funding_percentile
        if isinstance(context.funding, Missing) or rate is None or percentile is None:
            return None
        return detect_funding(
            FundingNow(
                symbol=coin.symbol.base,
                rate_8h_frac=rate,
                percentile=percentile,
                days=figures.funding_days,
                bar_ms=context.funding.ts_event_ms,
                as_of_ms=figures.as_of_ms,
                price=None if isinstance(context.price, Missing) else context.price.value.price_usd,
            ),
            self._config,
        )

    async def _tell_levels(self, context: EnhancedSignalContext) -> None:
        try:
            answer = await self._liquidity.of_context(context)
        except NoPriceAvailable:
            return
        self._on_levels(measure_levels(answer))

    async def _poll_tile(self, coin: _Coin) -> Finding | None:
        """Once per settled minute: keep and publish its composite tiles, and look for a strong one near the
        price."""
        minute = settled_minute(self._clock.now_ms())
        if minute == coin.tile_min:
            return None
        try:
            score, tiles = await self._composites.composite(coin.symbol)
        except StorageUnavailable as error:
            coin.notes["heatmap"] = str(error)
            return None
        coin.tile_min = minute
        self._writer.put(score.tiles)
        await self._tiles.put(coin.symbol.base, score)
        if not score.can_alert:
            coin.notes["heatmap"] = score.why_no_alert
            return None
        coin.notes.pop("heatmap", None)
        price = await self._price_of(coin.symbol.base)
        if price is None:
            coin.notes["heatmap"] = "no price to measure the distance from"
            return None
        return detect_tile(score, tiles, price, self._config)

    async def _price_of(self, coin: str) -> float | None:
        """The last trade where trades are streamed, else the polled price of a watched coin."""
        now_ms = self._clock.now_ms()
        found = await self._warm.read(coin)
        if found is not None and now_ms - (found.price_ms or 0) <= MAX_PRICE_AGE_MS:
            return found.price
        known = self._coins.get(coin)
        if known is None or now_ms - known.price_ms > MAX_PRICE_AGE_MS:
            return None
        return known.price


def _sample(found: Reading[object] | Missing) -> InterestSample | str:
    """A sample out of a coin's market, or why there is none."""
    if isinstance(found, Missing):
        return f"{found.reason.value}: {found.detail}"
    exchange = _EXCHANGES.get(found.provider)
    market = found.value
    if exchange is None or not isinstance(market, CoinMarket):
        return f"{found.provider} does not say of which exchanges it is"
    price = market.price.price_usd
    base, usd = market.open_interest_base, market.open_interest_usd
    if base is None or usd is None or base <= 0 or usd <= 0:
        return f"{found.provider} does not say how much, in coins and in USD"
    return InterestSample(exchange, found.ts_event_ms, base, usd, price, found.provider)
