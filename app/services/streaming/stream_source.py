"""The stream as a provider: what the warm cache knows better or sooner than a call, offered before the call.

Named `stream`. Offers a price only while a trade is seconds old, liquidations only when the own record covers
the day and the history they are ranked in, and whales only while the poller's book is young; otherwise it
refuses at once and the next source is asked as if it did not exist. Computes nothing about the market.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from app.core.clock import Clock
from app.core.domain.context import Capability
from app.core.domain.derivatives import LiquidationOrder, LiquidationOrders, PositionSide
from app.core.domain.flow import FlowSnapshot
from app.core.domain.flow_answer import WhaleBook, is_snapshot_fresh
from app.core.domain.market import DAY_MS, HOUR_MS, LiquidationHistory, Price, PriceKind
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import (
    InvariantViolation,
    ProviderNoData,
    ProviderNotConfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from app.core.flow.hourly import build_hours
from app.core.ports import Fetched, Source, ViewSource
from app.core.store_ports import LiquidationReader
from app.core.stream_ports import GapLog, WarmCache
from app.services.streaming.whale_shelf import MAX_BOOK_AGE_S, WhaleShelf

_log = logging.getLogger(__name__)

NAME = "stream"
MAX_PRICE_AGE_S = 5.0
HISTORY_MS = 30 * DAY_MS
# An hour counts once its last events have had time to be written.
SETTLING_MS = 15_000
MAX_ORDERS = 200
MAX_HISTORIES = 256
# Nobody publishes: for this long the cache is not looked at again, so that REST is not delayed by it.
COLD_S = 2.0
_TRADES, _LIQUIDATIONS, _INTEREST = "stream_trades", "stream_liquidations", "beside_stream_liquidations"
_ORDERS, _WHALE_ALERTS, _WHALE_POSITIONS = "stream_orders", "whale_book_alerts", "whale_book_positions"
_SIDES: Mapping[str, PositionSide] = {"LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT}


class StreamSource:
    """Sources for `ContextService` and shortcuts for `DerivativesService`. `close()` ends its reading."""

    name = NAME

    def __init__(
        self,
        warm: WarmCache,
        *,
        record: LiquidationReader,
        gaps: GapLog,
        interest: Mapping[str, Source],
        clock: Clock,
        min_hours: int,
    ) -> None:
        """interest: open interest in USD by the stream's feed (`coinglass`, `okx`), of the same market: what
        its liquidations are divided by. min_hours: of history that the liquidation factor ranks in; with less
        the series is not offered.
        """
        self._warm = warm
        self._shelf = WhaleShelf(warm)
        self._record = record
        self._gaps = gaps
        self._interest = dict(interest)
        self._clock = clock
        self._min_hours = min_hours
        self._histories: OrderedDict[str, tuple[int, str, LiquidationHistory]] = OrderedDict()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._cold_until_s: OrderedDict[str, float] = OrderedDict()

    def sources(self) -> tuple[Source, ...]:
        return (
            Source(Capability.PRICE, NAME, _TRADES, self.price),
            Source(Capability.LIQUIDATIONS, NAME, _LIQUIDATIONS, self.liquidations),
            # In no order of sources: only asked beside the stream's own liquidations.
            Source(Capability.OPEN_INTEREST_USD, NAME, _INTEREST, self.open_interest),
        )

    def views(self) -> tuple[ViewSource, ...]:
        """Shortcuts: asked before everyone else, and never a reason to speak of a fallback."""
        table = (
            (View.LIQUIDATION_ORDERS, _ORDERS, self.orders),
            (View.WHALE_ALERTS, _WHALE_ALERTS, self.whale_alerts),
            (View.WHALE_POSITIONS, _WHALE_POSITIONS, self.whale_positions),
        )
        return tuple(ViewSource(view, NAME, endpoint, fetch, _no_plan) for view, endpoint, fetch in table)

    async def close(self) -> None:
        """Stop reading the record."""
        running = list(self._reading.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def price(self, symbol: Symbol) -> Fetched[object]:
        """The last trade, while it is at most 5 s old. Raises: ProviderNoData, ProviderNotConfigured."""
        found = await self._snapshot(symbol, _TRADES)
        now_ms = self._clock.now_ms()
        if found.price is None or found.price_ms is None or found.price_exchange is None:
            raise ProviderNoData(NAME, _TRADES, f"no trades of {symbol} are streamed")
        age_s = (now_ms - found.price_ms) / 1000
        if age_s > MAX_PRICE_AGE_S:
            raise ProviderNoData(NAME, _TRADES, f"the last trade is {age_s:.0f} s old")
        if age_s < -MAX_PRICE_AGE_S:
            # By a clock that runs ahead an old trade would look new for as long.
            raise ProviderNoData(NAME, _TRADES, f"the last trade is stamped {-age_s:.0f} s ahead")
        value = Price(found.price, PriceKind.LAST_TRADE, found.price_exchange)
        return Fetched(value, _TRADES, found.price_ms, found.as_of_ms, CacheState.HIT)

    async def liquidations(self, symbol: Symbol) -> Fetched[object]:
        """Hourly sums of the own record, when it is whole and long enough.

        Raises: ProviderNoData, ProviderNotConfigured; whatever the open interest of the same market raises.
        """
        found = await self._snapshot(symbol, _LIQUIDATIONS)
        now_ms = self._clock.now_ms()
        if found.covered_since_ms > now_ms - DAY_MS:
            hours = (now_ms - found.covered_since_ms) / HOUR_MS
            raise ProviderNoData(NAME, _LIQUIDATIONS, f"the stream is whole for {max(hours, 0):.1f} of 24 h")
        history = self._history(symbol.base, found.source, (now_ms - SETTLING_MS) // HOUR_MS * HOUR_MS)
        if len(history.close_ms) < self._min_hours:
            have = len(history.close_ms)
            raise ProviderNoData(
                NAME, _LIQUIDATIONS, f"{have} whole hours recorded, {self._min_hours} are needed"
            )
        # Without open interest of the same market there is no ratio, and another source may have both.
        await self.open_interest(symbol)
        return Fetched(history, _LIQUIDATIONS, history.close_ms[-1], now_ms, CacheState.HIT)

    async def open_interest(self, symbol: Symbol) -> Fetched[object]:
        """Open interest of the market that the stream's feed covers, from its provider."""
        found = await self._snapshot(symbol, _INTEREST)
        source = self._interest.get(found.source)
        if source is None:
            raise ProviderNoData(NAME, _INTEREST, f"no open interest beside liquidations of {found.source}")
        return await source.fetch(symbol)

    async def orders(self, query: ViewQuery) -> Fetched[object]:
        """The newest recorded liquidations of a coin while its stream runs."""
        symbol = query.symbol
        if symbol is None:
            raise InvariantViolation("a view of one coin was asked for without a coin")
        found = await self._snapshot(symbol, _ORDERS)
        try:
            rows = await self._record.newest(symbol.base, MAX_ORDERS + 1)
        except StorageUnavailable as error:
            raise ProviderUnavailable(NAME, _ORDERS, str(error)) from error
        if not rows:
            raise ProviderNoData(NAME, _ORDERS, f"no liquidation of {symbol} is recorded")
        shown = tuple(
            LiquidationOrder(
                row.exchange, row.pair, _SIDES[row.liquidated_side], row.price, row.usd, row.ts_event_ms
            )
            for row in rows[:MAX_ORDERS]
        )
        value = LiquidationOrders(shown, min_usd=None, is_cut=len(rows) > MAX_ORDERS)
        return Fetched(value, _ORDERS, shown[0].ts_event_ms, found.as_of_ms, CacheState.HIT)

    async def whale_alerts(self, _query: ViewQuery) -> Fetched[object]:
        """From the poller's book, all coins, newest first."""
        book = await self._book(_WHALE_ALERTS)
        asked_ms = self._young(book.alerts_ms, _WHALE_ALERTS)
        at_ms = book.alerts[0].ts_event_ms if book.alerts else asked_ms
        return Fetched(book.alerts, _WHALE_ALERTS, at_ms, asked_ms, CacheState.HIT)

    async def whale_positions(self, _query: ViewQuery) -> Fetched[object]:
        """From the poller's book, all coins, largest first."""
        book = await self._book(_WHALE_POSITIONS)
        asked_ms = self._young(book.positions_ms, _WHALE_POSITIONS)
        return Fetched(book.positions, _WHALE_POSITIONS, asked_ms, asked_ms, CacheState.HIT)

    async def _snapshot(self, symbol: Symbol, endpoint: str) -> FlowSnapshot:
        """What is known of the coin, young enough. Raises: ProviderNotConfigured, ProviderNoData."""
        self._refuse_cold(symbol.base, endpoint)
        found = await self._warm.read(symbol.base)
        if found is None:
            self._note_cold(symbol.base)
            raise ProviderNotConfigured(NAME, endpoint, f"nothing of {symbol} is streamed")
        age_s = (self._clock.now_ms() - found.as_of_ms) / 1000
        if not is_snapshot_fresh(found, self._clock.now_ms()):
            self._note_cold(symbol.base)
            raise ProviderNoData(NAME, endpoint, f"the worker has not published for {age_s:.0f} s")
        return found

    async def _book(self, endpoint: str) -> WhaleBook:
        self._refuse_cold("", endpoint)
        book = await self._shelf.read()
        if book is None:
            self._note_cold("")
            raise ProviderNotConfigured(NAME, endpoint, "nobody polls large positions")
        return book

    def _young(self, asked_ms: int | None, endpoint: str) -> int:
        if asked_ms is None:
            raise ProviderNoData(NAME, endpoint, "the last poll had no answer")
        age_s = (self._clock.now_ms() - asked_ms) / 1000
        if age_s > MAX_BOOK_AGE_S:
            raise ProviderNoData(NAME, endpoint, f"the last poll was {age_s:.0f} s ago")
        return asked_ms

    def _refuse_cold(self, key: str, endpoint: str) -> None:
        if self._clock.monotonic_s() < self._cold_until_s.get(key, float("-inf")):
            raise ProviderNotConfigured(NAME, endpoint, "nothing was streamed a moment ago")

    def _note_cold(self, key: str) -> None:
        self._cold_until_s[key] = self._clock.monotonic_s() + COLD_S
        self._cold_until_s.move_to_end(key)
        while len(self._cold_until_s) > MAX_HISTORIES:
            self._cold_until_s.popitem(last=False)

    def _history(self, coin: str, feed: str, until_ms: int) -> LiquidationHistory:
        """The record up to the last settled hour. Raises: ProviderNoData while it is being read."""
        known = self._histories.get(coin)
        if known is not None and known[:2] == (until_ms, feed):
            self._histories.move_to_end(coin)
            return known[2]
        if coin not in self._reading and len(self._reading) < MAX_HISTORIES:
            task = asyncio.create_task(self._read(coin, feed, until_ms))
            self._reading[coin] = task
            task.add_done_callback(lambda done: self._landed(coin, done))
        raise ProviderNoData(NAME, _LIQUIDATIONS, "the record is being read; the next question finds it")

    async def _read(self, coin: str, feed: str, until_ms: int) -> None:
        """Thirty days of a busy coin take a while: never within somebody's deadline."""
        from_ms = until_ms - HISTORY_MS
        try:
            sums = await self._record.hours(coin, from_ms, until_ms)
            gaps = await self._gaps.gaps(from_ms)
        except StorageUnavailable as error:
            _log.warning("the record of liquidations cannot be read", extra={"why": str(error)})
            return
        scope = f"own record of the {feed} stream"
        history = build_hours(sums, gaps, source=feed, until_ms=until_ms, scope=scope)
        self._histories[coin] = (until_ms, feed, history)
        self._histories.move_to_end(coin)
        while len(self._histories) > MAX_HISTORIES:
            self._histories.popitem(last=False)

    def _landed(self, coin: str, task: asyncio.Task[None]) -> None:
        self._reading.pop(coin, None)
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.error("reading the record failed with a bug", exc_info=bug)


def _no_plan(_query: ViewQuery) -> str | None:
    return None


def interest_sources(sources: Iterable[Source]) -> Mapping[str, Source]:
    """Open interest in USD by feed, out of everybody's sources: the feeds are named as their providers."""
    return {
        source.provider: source for source in sources if source.capability is Capability.OPEN_INTEREST_USD
    }
