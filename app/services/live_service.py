"""The use case behind the dashboard's live feed: gathers what it shows, while somebody looks.

Owns the loops and their pace (real seconds, whatever speed the market runs at) and nothing that is shown:
quotes, sums and the ranking come from the warm cache, cards from evaluations that nobody keeps, alerts and
signals from the store. A store that is away is a fault in the feed. Knows no client and no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.core.clock import Clock
from app.core.domain.alerts import AlertQuery, StoredAlert
from app.core.domain.flow_answer import FlowTopAnswer, StreamStatusAnswer
from app.core.domain.flow_config import FlowConfig
from app.core.domain.live import LiveCard, LiveFault, LiveMarket, LiveQuote
from app.core.domain.stored import Page, SignalQuery, StoredSignal
from app.core.errors import StorageUnavailable
from app.core.stream_ports import WarmCache
from app.services import live_flow
from app.services.live_cards import CardShelf
from app.services.live_demand import Demand
from app.services.streaming.stages import Stages

STORE_EVERY_S = 2.0
STATUS_EVERY_S = 2.0
TOP_WINDOW_S = 300
TOP_COINS = 10
NEWEST = 50

# The whole watchlist in its order: (coin, is it switched on).
Coins: TypeAlias = Callable[[], Sequence[tuple[str, bool]]]


class LiveSink(Protocol):
    """Takes what is gathered; called often, with what may well have been said before."""

    def coins(self, coins: Sequence[tuple[str, bool]]) -> None: ...

    def quotes(self, quotes: Mapping[str, LiveQuote | None]) -> None:
        """Of every coin that is switched on; others are no longer shown."""
        ...

    def card(self, card: LiveCard) -> None: ...
    def market(self, market: LiveMarket) -> None: ...
    def top(self, answer: FlowTopAnswer) -> None: ...
    def alerts(self, rows: Sequence[StoredAlert]) -> None: ...
    def signals(self, rows: Sequence[StoredSignal]) -> None: ...
    def stream(self, answer: StreamStatusAnswer) -> None: ...

    def fault(self, what: str, fault: LiveFault | None) -> None:
        """`alerts` or `signals` cannot be read, or can be again (None)."""
        ...


class Flow(Protocol):
    """The parts of the flow use case that are shown."""

    async def top(self, window_s: int, limit: int) -> FlowTopAnswer: ...
    async def status(self) -> StreamStatusAnswer: ...


class Alerts(Protocol):
    """Raises: StorageUnavailable."""

    async def page(self, query: AlertQuery) -> Page[StoredAlert]: ...


class Signals(Protocol):
    """Raises: StorageUnavailable."""

    async def page(self, query: SignalQuery) -> Page[StoredSignal]: ...


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What is gathered from. warm, flow: over one shared reading of all coins. read_every_s: seconds between
    two readings of it. speed: market seconds per second."""

    coins: Coins
    warm: WarmCache
    flow: Flow
    config: FlowConfig
    cards: CardShelf
    alerts: Alerts
    signals: Signals
    clock: Clock
    read_every_s: float
    speed: float = 1.0


class LiveService:
    """`run` tells one sink. demand: who listens; nothing is asked of anybody while nobody does."""

    def __init__(
        self, parts: LiveParts, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._parts = parts
        self._sleep = sleep
        self._gathered = asyncio.Event()
        self.demand = Demand(monotonic=parts.clock.monotonic_s)

    def watched(self) -> tuple[str, ...]:
        """Coins that are switched on, in the order of the list."""
        return tuple(coin for coin, is_on in self._parts.coins() if is_on)

    async def cards(self) -> tuple[LiveCard, ...]:
        """A card of every coin that is switched on, as the feed shows it or a few seconds younger."""
        return await self._parts.cards.cards(self.watched())

    async def gathered(self, within_s: float) -> None:
        """Return when the feed shows what is there now; after a pause of the feed that takes a moment."""
        try:
            async with asyncio.timeout(within_s):
                await self._gathered.wait()
        except TimeoutError:
            return  # a slow cache: what there is comes as it comes

    async def run(self, sink: LiveSink) -> None:
        """Gather until cancelled."""
        self._parts.cards.told_to(sink.card)
        stages = Stages(monotonic=self._parts.clock.monotonic_s)
        stages.add("live flow", lambda: self._again(lambda: self._flow(sink)))
        stages.add("live cards", lambda: self._again(lambda: self._turn(sink)))
        stages.add("live alerts", lambda: self._again(lambda: self._alerts(sink)))
        stages.add("live signals", lambda: self._again(lambda: self._signals(sink)))
        stages.add("live status", lambda: self._again(lambda: self._status(sink)))
        try:
            await stages.run()
        finally:
            await self._parts.cards.close()

    async def _again(self, step: Callable[[], Awaitable[float]]) -> None:
        """`step`, and again after the seconds it says, while somebody listens."""
        while True:
            if not self.demand.is_wanted:
                self._gathered.clear()
            await self.demand.wanted()
            await self._sleep(await step())

    async def _flow(self, sink: LiveSink) -> float:
        parts = self._parts
        listed = parts.coins()
        sink.coins(listed)
        top = await parts.flow.top(TOP_WINDOW_S, TOP_COINS)
        snapshots = await parts.warm.read_all()
        watched = [coin for coin, is_on in listed if is_on]
        sink.quotes(
            live_flow.quotes(watched, snapshots, parts.config, now_ms=parts.clock.now_ms(), speed=parts.speed)
        )
        sink.market(live_flow.market(snapshots, top, parts.cards.mood, speed=parts.speed))
        sink.top(top)
        self._gathered.set()
        return parts.read_every_s

    async def _turn(self, sink: LiveSink) -> float:
        sink.coins(self._parts.coins())  # a card of a coin that is not listed is not shown
        return self._parts.cards.turn(self.watched())

    async def _alerts(self, sink: LiveSink) -> float:
        try:
            page = await self._parts.alerts.page(AlertQuery(limit=NEWEST))
        except StorageUnavailable as error:
            sink.fault("alerts", LiveFault(error.code, str(error)))
        else:
            sink.alerts(page.rows)
            sink.fault("alerts", None)
        return STORE_EVERY_S

    async def _signals(self, sink: LiveSink) -> float:
        try:
            page = await self._parts.signals.page(SignalQuery(limit=NEWEST))
        except StorageUnavailable as error:
            sink.fault("signals", LiveFault(error.code, str(error)))
        else:
            sink.signals(page.rows)
            sink.fault("signals", None)
        return STORE_EVERY_S

    async def _status(self, sink: LiveSink) -> float:
        sink.stream(await self._parts.flow.status())
        return STATUS_EVERY_S
