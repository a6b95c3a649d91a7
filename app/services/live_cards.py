"""Evaluations of the watched coins for the live view: one card each, made again in turns and kept by nobody.

Owns when a coin's turn is and what a card says besides its signal. A coin that cannot be evaluated has a card
that says why. Upstream calls are those that the caches behind the evaluation need, and no more.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from app.core.domain.answer import SignalAnswer
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.live import LiveCard, LiveFault, Mood
from app.core.domain.market import DAY_MS
from app.core.domain.quality import Missing
from app.core.domain.sentiment import fear_class
from app.core.domain.symbol import Symbol
from app.core.errors import ServiceError

# How old a card grows before it is that coin's turn again.
RENEW_S = 10.0
# Evaluations at once, and the least time between two turns: a long list is renewed more slowly instead.
AT_ONCE = 4
MIN_TURN_S = 0.2
# How soon a coin that was added is noticed.
LOOK_EVERY_S = 1.0
# A list of coins that somebody asked for waits so long at most for those that have no card yet.
PATIENCE_S = 6.0

_log = logging.getLogger(__name__)

# Evaluates and tells nobody. Raises: UnknownSymbol, NoPriceAvailable.
Evaluate: TypeAlias = Callable[[Symbol], Awaitable[SignalAnswer]]
OnCard: TypeAlias = Callable[[LiveCard], None]


class CardShelf:
    """The newest card of each coin. mood: the index as the newest evaluation had it."""

    def __init__(self, *, evaluate: Evaluate, monotonic: Callable[[], float]) -> None:
        self._evaluate = evaluate
        self._monotonic = monotonic
        self._cards: dict[str, tuple[float, LiveCard]] = {}
        self._making: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._on_card: OnCard = _nobody
        self._next_turn_s = float("-inf")
        self._shown: frozenset[str] = frozenset()
        self.mood: Mood | None = None

    def told_to(self, on_card: OnCard) -> None:
        """Whom every new card is told."""
        self._on_card = on_card

    def turn(self, coins: Sequence[str]) -> float:
        """Begin the evaluation whose turn it is, if it is one's; seconds after which to ask again.

        Coins without a card come first. The others follow one by one, so that none waits for all of them.
        """
        self._forget(coins)
        self._show_known(coins)
        fresh = [coin for coin in coins if coin not in self._cards and coin not in self._making]
        for coin in fresh[: max(0, AT_ONCE - len(self._making))]:
            self._make(coin)
        if fresh:
            return MIN_TURN_S
        left_s = self._next_turn_s - self._monotonic()
        if coins and left_s <= 0:
            oldest = min(coins, key=self._made_s)
            if len(self._making) < AT_ONCE:
                self._make(oldest)
            left_s = max(MIN_TURN_S, RENEW_S / len(coins))
            self._next_turn_s = self._monotonic() + left_s
        return min(max(left_s, MIN_TURN_S), LOOK_EVERY_S)

    async def cards(self, coins: Sequence[str], *, patience_s: float = PATIENCE_S) -> tuple[LiveCard, ...]:
        """A card of each coin, in that order; those that are due are made first, as far as time allows."""
        now_s = self._monotonic()
        due = [coin for coin in coins if now_s - self._made_s(coin) >= RENEW_S]
        tasks = [self._make(coin) for coin in due]
        if tasks:
            await asyncio.wait(tasks, timeout=patience_s)
        late = LiveFault("timeout", f"not evaluated within {patience_s:g} s")
        return tuple(self._card(coin) or _failed(coin, late) for coin in coins)

    async def close(self) -> None:
        """End what is being evaluated."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _card(self, coin: str) -> LiveCard | None:
        found = self._cards.get(coin)
        return None if found is None else found[1]

    def _made_s(self, coin: str) -> float:
        found = self._cards.get(coin)
        return float("-inf") if found is None else found[0]

    def _forget(self, coins: Sequence[str]) -> None:
        for coin in self._cards.keys() - set(coins):
            del self._cards[coin]

    def _show_known(self, coins: Sequence[str]) -> None:
        """A card made before its coin was shown, because somebody asked for the list, is told again."""
        known = (self._card(coin) for coin in coins if coin not in self._shown)
        for card in [card for card in known if card is not None]:
            self._on_card(card)
        self._shown = frozenset(coins)

    def _make(self, coin: str) -> asyncio.Task[None]:
        """One evaluation of a coin at a time, whoever asks for it."""
        task = self._making.get(coin)
        if task is None:
            task = self._making[coin] = asyncio.create_task(self._renew(coin))
            task.add_done_callback(lambda done: self._made(coin, done))
        return task

    async def _renew(self, coin: str) -> None:
        async with self._places:
            try:
                answer = await self._evaluate(Symbol(coin))
            except ServiceError as error:
                self._put(_failed(coin, LiveFault(error.code, str(error))))
                return
        self._put(_card(coin, answer))
        self.mood = _mood(answer.context) or self.mood

    def _made(self, coin: str, task: asyncio.Task[None]) -> None:
        self._making.pop(coin, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug costs this coin its card, not the others theirs.
            _log.error("an evaluation failed", extra={"symbol": coin}, exc_info=error)
            self._put(_failed(coin, LiveFault("internal_error", "the evaluation failed: a bug")))

    def _put(self, card: LiveCard) -> None:
        self._cards[card.symbol] = (self._monotonic(), card)
        self._on_card(card)


def _nobody(_card: LiveCard) -> None:
    """Nobody is told."""


def _failed(coin: str, fault: LiveFault) -> LiveCard:
    return LiveCard(coin, None, None, None, fault)


def _card(coin: str, answer: SignalAnswer) -> LiveCard:
    funding = answer.context.funding
    known = None if isinstance(funding, Missing) else funding.ts_event_ms
    has_funding = answer.signal.funding_8h_frac is not None
    return LiveCard(coin, answer.signal, change_24h(answer.context), known if has_funding else None, None)


def change_24h(context: EnhancedSignalContext) -> float | None:
    """The price against the close 24 h before it, as a fraction; None where no bar ended close to then.

    Worked numbers: 96,000 now, 100,000 at the close 24 h before -> -0.04.
    """
    price, candles = context.price, context.candles
    if isinstance(price, Missing) or isinstance(candles, Missing):
        return None
    bars = candles.value
    then_ms = price.ts_event_ms - DAY_MS
    count = bisect_right(bars.close_ms, then_ms)
    if not count or then_ms - bars.close_ms[count - 1] >= bars.interval_ms or bars.close[count - 1] <= 0:
        return None
    return price.value.price_usd / bars.close[count - 1] - 1


def _mood(context: EnhancedSignalContext) -> Mood | None:
    index = context.fear_greed
    if isinstance(index, Missing) or not index.value.values:
        return None
    value = index.value.values[-1]
    return Mood(value, fear_class(value), index.ts_event_ms)
