"""The scheduled evaluations: every watched coin once in every full UTC hour of market time.

Owns the moment and who makes it. Every process runs the same loop, and a claim in the store decides which of
them evaluates a coin in an hour: so it does not matter how many there are, and one that is killed costs the
hours it had claimed and nothing more. What was missed stays missed, and what came late is not kept: an
evaluation made later would know more than the hour did. The evaluation itself is the signal service's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias

from app.core.clock import Clock
from app.core.domain.evaluations import EvaluationFailure, Moment
from app.core.domain.market import HOUR_MS
from app.core.domain.symbol import Symbol
from app.core.record_ports import EvaluationHours
from app.services.outage import Outage

# The bars of the hour are in by then, with providers and networks that take their time.
FROM_MS = 75_000
# Who comes later than this (a start, a long list) leaves the hour: it is to be one moment for every coin.
UNTIL_MS = 10 * 60_000
# Answers and call budgets come first.
AT_ONCE = 3
_LONGEST_PAUSE_S = 5.0
_SHORTEST_PAUSE_S = 0.05

_log = logging.getLogger(__name__)

# Coins that are followed now. Raises: StorageUnavailable.
CoinsNow: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
# Makes and keeps the evaluation of a moment; None, or why there is none.
Evaluate: TypeAlias = Callable[[Symbol, Moment], Awaitable[EvaluationFailure | None]]


class HourlyEvaluations:
    """`run()` until cancelled."""

    def __init__(
        self,
        *,
        evaluate: Evaluate,
        hours: EvaluationHours,
        flush: Callable[[], Awaitable[None]],
        coins: CoinsNow,
        clock: Clock,
        speed: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """evaluate: `SignalService.scheduled`. flush: returns when kept signals
        are in the database. speed: market seconds per second."""
        self._evaluate = evaluate
        self._hours = hours
        self._flush = flush
        self._coins = coins
        self._clock = clock
        self._speed = speed
        self._sleep = sleep
        self._done_ms: int | None = None

    async def run(self) -> None:
        """Evaluate each hour when its moment has come. In a fast replay hours go by and are missed."""
        outage = Outage(_log, "evaluations wait for the database")
        while True:
            await self._sleep(self._pause_s())  # first: a start has more urgent things to do
            with outage.survived():
                await self.make_due()

    async def make_due(self) -> int:
        """Evaluate the running hour if its moment is now; how many evaluations this process made.

        Raises:
            StorageUnavailable: no claim can be made; the hour goes on while its moment lasts.
        """
        hour_ms = self._due_hour()
        if hour_ms is None:
            return 0
        coins = iter(await self._coins())
        works = (self._work(coins, hour_ms) for _ in range(AT_ONCE))
        # Whatever becomes of one of them, the others end what they have claimed.
        made = await asyncio.gather(*works, return_exceptions=True)
        for one in made:
            if isinstance(one, BaseException):
                raise one
        self._done_ms = hour_ms
        return sum(one for one in made if isinstance(one, int))

    def _due_hour(self) -> int | None:
        """Start of the hour that is to be evaluated now."""
        now_ms = self._clock.now_ms()
        hour_ms = now_ms // HOUR_MS * HOUR_MS
        is_moment = FROM_MS <= now_ms - hour_ms < UNTIL_MS
        return hour_ms if is_moment and hour_ms != self._done_ms else None

    def _pause_s(self) -> float:
        into_ms = self._clock.now_ms() % HOUR_MS
        left_ms = FROM_MS - into_ms if into_ms < FROM_MS else HOUR_MS + FROM_MS - into_ms
        return min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, left_ms / 1000 / self._speed))

    async def _work(self, coins: Iterator[str], hour_ms: int) -> int:
        """One of several that take coins from one list."""
        made = 0
        for coin in coins:
            if self._clock.now_ms() - hour_ms >= UNTIL_MS:
                break
            if await self._hours.claim(coin, hour_ms):
                failure = await self._attempt(Symbol(coin), Moment(hour_ms, hour_ms + UNTIL_MS))
                await self._hours.settle(coin, hour_ms, failure)
                made += failure is None
        return made

    async def _attempt(self, symbol: Symbol, moment: Moment) -> str | None:
        """None once the evaluation is in the database, else why there is none.

        Raises:
            StorageUnavailable: it is made and on its way there; the hour stays claimed.
        """
        failure = await self._evaluate(symbol, moment)
        if failure is not None:
            return failure.value
        await self._flush()
        return None
