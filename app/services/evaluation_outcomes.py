"""What became of scheduled evaluations: once an hour both sides of each are followed on closed candles.

Owns when that is done, by whom, and when nobody will ever know. Which evaluations are to be followed is read
from the store: a kill at any moment loses nothing, and what two processes write is written once. Rules are
`core.outcomes`'.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache, partial
from itertools import groupby

from app.core.clock import Clock
from app.core.domain.evaluations import EvaluationRef
from app.core.domain.market import DAY_MS, HOUR_MS, Candles
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, OutcomeState
from app.core.domain.symbol import Symbol
from app.core.outcomes.rows import ended, given_up
from app.core.outcomes.sides import SIDES, Judged, Path, begin_side, judge_trade
from app.core.record_ports import Claims, EvaluationReader, TradeOutcomes
from app.services.calibration_service import CandlesNow
from app.services.outage import Outage
from app.services.streaming.funding_paid import FundingPaid
from app.services.streaming.outcome_candles import INTERVALS, atr_before, path_of
from app.services.streaming.outcome_tracker import GIVE_UP_MS, GRACE_MS

# After the evaluations of the hour, whose calls come first.
AFTER_MS = 5 * 60_000
# Evaluations older than this without a row are of a service that was off for a month: nobody scores them.
LOOK_BACK_MS = 30 * DAY_MS
# Funding that is not known is asked for again with the next passes; then it is not charged.
FUNDING_WAIT_MS = 3 * HOUR_MS
MAX_UNFOLLOWED = 50_000
# Whole evaluations: both sides of one are begun together or not at all.
BATCH = 60 * len(SIDES) * len(HORIZONS_MS)
CLAIM = "evaluation_outcomes"
_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


class EvaluationOutcomes:
    """`run()` until cancelled."""

    def __init__(
        self,
        *,
        evaluations: EvaluationReader,
        outcomes: TradeOutcomes,
        claims: Claims,
        candles: CandlesNow,
        funding: FundingPaid,
        tier_of: Callable[[str], int],
        clock: Clock,
        speed: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """candles: closed ones of ONE exchange, by coin and bar size, newest 500 or so. speed: market seconds
        per second."""
        self._evaluations = evaluations
        self._outcomes = outcomes
        self._claims = claims
        self._candles = candles
        self._funding = funding
        self._tier_of = tier_of
        self._clock = clock
        self._pause_s = max(0.05, _PAUSE_S / speed)
        self._sleep = sleep
        self._mine: int | None = None
        self._done: int | None = None

    async def run(self) -> None:
        """One pass an hour in all processes together, the first when the first of them has started."""
        outage = Outage(_log, "outcomes of evaluations wait for the database")
        while True:
            await self._sleep(self._pause_s)  # first: a start has more urgent things to do
            with outage.survived():
                await self.resolve_in_turn()

    async def resolve_in_turn(self) -> int | None:
        """The pass of this hour, unless another process makes it; rows that got their end, None without one.

        Raises:
            StorageUnavailable: whoever has claimed the pass makes it as soon as the store answers.
        """
        slot = (self._clock.now_ms() - AFTER_MS) // HOUR_MS
        if slot == self._done:
            return None
        if slot != self._mine:
            if not await self._claims.claim(CLAIM, slot):
                self._done = slot
                return None
            self._mine = slot
        count = await self.resolve()
        self._done = slot
        return count

    async def resolve(self) -> int:
        """Follow every evaluation that is not over, coin by coin; how many rows got their end.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        since_ms = self._clock.now_ms() - LOOK_BACK_MS
        new: dict[str, list[EvaluationRef]] = {}
        for ref in await self._evaluations.unfollowed(since_ms, MAX_UNFOLLOWED):
            new.setdefault(ref.symbol, []).append(ref)
        coins = {*new, *await self._outcomes.running_coins()}
        return sum([await self._resolve_coin(coin, new.get(coin, [])) for coin in sorted(coins)])

    async def _resolve_coin(self, coin: str, refs: Sequence[EvaluationRef]) -> int:
        running = await self._outcomes.running(coin)
        now_ms = self._clock.now_ms()
        asked = (*INTERVALS, "1h")
        *fine, hours = await asyncio.gather(*(self._candles(Symbol(coin), size) for size in asked))
        judged = await asyncio.to_thread(self._judge, running, refs, fine, hours, now_ms)
        stored = {(row.trade_id, row.horizon): row for row in running}
        begun: list[OutcomeRow] = []
        changed: list[OutcomeRow] = []
        for trade in judged:
            rows = [await self._row(one, now_ms) for one in trade]
            if (rows[0].trade_id, rows[0].horizon) in stored:
                changed += [row for row in rows if row != stored[row.trade_id, row.horizon]]
            elif any(row.state != OutcomeState.WAITING.value for row in rows):
                begun += rows
        for start in range(0, len(begun), BATCH):
            await self._outcomes.open(begun[start : start + BATCH])
        for start in range(0, len(changed), BATCH):
            await self._outcomes.resolve(changed[start : start + BATCH])
        return sum(row.resolved_ms is not None for row in (*begun, *changed))

    def _judge(
        self,
        running: Sequence[OutcomeRow],
        refs: Sequence[EvaluationRef],
        fine: Sequence[Candles | None],
        hours: Candles | None,
        now_ms: int,
    ) -> list[list[Judged]]:
        """Every trade of one coin; runs in a thread."""
        until_ms = now_ms - GRACE_MS
        paths = [
            Path(interval, found.exchange, path_of(found, until_ms))
            for interval, found in zip(INTERVALS, fine, strict=True)
            if found is not None
        ]
        begun = (begin_side(ref, side, tier=self._tier_of(ref.symbol)) for ref in refs for side in SIDES)
        atr = cache(partial(atr_before, hours))  # of both sides the same
        return [
            judge_trade(rows, paths, atr_usd=atr(rows[0].ts_init_ms), known_until_ms=until_ms)
            for rows in (*_by_trade(running), *begun)
        ]

    async def _row(self, one: Judged, now_ms: int) -> OutcomeRow:
        """The row as it is to be written."""
        row = one.row
        if one.ending is not None:
            entered_ms = row.entered_ms or one.ending.at_ms
            paid = await self._funding(row.symbol, entered_ms, one.ending.at_ms)
            if paid is None and now_ms - one.ending.at_ms <= FUNDING_WAIT_MS:
                return row  # over, and written as that when it is known what it paid
            return ended(row, one.ending, path=one.interval, settlements=paid, now_ms=now_ms)
        if one.reason is not None and now_ms - row.due_ms > GIVE_UP_MS:
            return given_up(row, one.reason, now_ms=now_ms)
        return row


def _by_trade(rows: Sequence[OutcomeRow]) -> Iterable[list[OutcomeRow]]:
    return (list(group) for _, group in groupby(rows, key=lambda row: row.trade_id))
