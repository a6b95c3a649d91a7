"""Follows every directional alert to target, stop or the end of each horizon, and keeps the record of setups.

Owns what is followed on streamed prices and what still has to be written; candles finish what a stream could
not (`outcome_candles`), the rules are `core.outcomes`'. Nothing in memory has to survive: rows that are open
in the store are resolved by candles once they are due. The pipeline calls `take` and `on_price`, the gate
`records`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from app.core.clock import Clock
from app.core.domain.alerts import Alert, DropReason, GateVerdict, StoredAlert
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.outcomes import HORIZONS_MS, RECORD_HORIZON, EntryRow, OutcomeRow, Unscorable
from app.core.outcome_ports import OutcomeStore
from app.core.outcomes.first_touch import MAX_ENTRY_WAIT_MS, End, Ending, PathBar, Walk, tick
from app.core.outcomes.rows import begin, ended, entered, entry_of, given_up, is_followed, plan_entry
from app.services.calibration_service import CandlesNow
from app.services.outage import Outage
from app.services.streaming.funding_paid import FundingPaid
from app.services.streaming.outcome_candles import CandleJudge

MAX_FOLLOWED = 2_000  # alerts on streamed prices; more are left to candles
MAX_PENDING = 10_000  # rows not written yet
MAX_SEEN = 20_000
BATCH = 500
WRITE_EVERY_S = 2.0
RESOLVE_EVERY_S = 300.0
# A stream that follows the alert ends it itself, and candles of the last minutes may not be there yet.
GRACE_MS = 120_000
# Candles of five minutes reach back 41 hours; what they did not tell by then they never will.
GIVE_UP_MS = 6 * HOUR_MS
# Markets change, and a record is read often.
RECORD_MS = 90 * DAY_MS
_SECOND_MS = 1_000
_LONGEST_MS = max(HORIZONS_MS.values())

_log = logging.getLogger(__name__)

# ATR(1h) of a coin in USD as known now, None unknown.
AtrNow: TypeAlias = Callable[[str], float | None]


class TrackerStatus(NamedTuple):
    """followed: alerts on streamed prices now; pending: rows not written yet; lost: alerts of which nothing
    could be kept; unstreamed: left to candles because too many were followed. The last two since the
    start."""

    followed: int
    pending: int
    lost: int
    unstreamed: int


@dataclass(slots=True)
class _Followed:
    """One alert. rows: by horizon, as last written or about to be."""

    rows: dict[str, OutcomeRow]
    made_ms: int
    walk: Walk | None = None
    told: int = 0


@dataclass(slots=True)
class _Coin:
    """Alerts of one coin, and its prices of the running second as one bar: a thousand trades a second move
    each alert once."""

    waiting: list[_Followed] = field(default_factory=list)
    walking: list[_Followed] = field(default_factory=list)
    bar: PathBar | None = None


class _End(NamedTuple):
    row: OutcomeRow
    end: End


class OutcomeTracker:
    """Every directional alert that had a valid price counts, told to a chat or not: what people mute says
    something of people."""

    def __init__(
        self,
        *,
        store: OutcomeStore,
        candles: CandlesNow,
        clock: Clock,
        tier_of: Callable[[str], int],
        atr_of: AtrNow,
        funding: FundingPaid | None = None,
    ) -> None:
        """candles: closed ones of ONE exchange, by coin and bar size (`1m`, `5m`, `1h`), newest 500 or so."""
        self._store = store
        self._candles = candles
        self._clock = clock
        self._tier_of = tier_of
        self._atr_of = atr_of
        self._funding = funding
        self._coins: dict[str, _Coin] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._opens: deque[OutcomeRow] = deque()
        self._entries: deque[EntryRow] = deque()
        self._ends: deque[_End] = deque()
        self._records: dict[str, tuple[int, int]] = {}
        self._followed = self._lost = self._unstreamed = 0

    def take(self, verdicts: Iterable[GateVerdict]) -> None:
        """Begin to follow what the gate has just judged; an alert that grows is followed from its first
        directional revision on."""
        for verdict in verdicts:
            self._take(verdict.alert, verdict.reason, is_streamed=True)

    def restore(self, stored: Iterable[StoredAlert]) -> None:
        """After a start: what was made shortly before the end and is not followed yet. Candles decide."""
        for one in stored:
            self._take(one.alert, one.drop_reason, is_streamed=False)

    def on_price(self, symbol: str, price: float, ts_ms: int) -> None:
        """A traded price. Of one exchange per coin: between two lies a spread that nobody could trade."""
        coin = self._coins.get(symbol)
        if coin is None:
            return
        bar = coin.bar
        if bar is not None and ts_ms < bar.start_ms:
            return  # late: what it says is in no bar any more
        if any(one.made_ms < ts_ms for one in coin.waiting):
            self._end_bar(coin)
            self._enter(symbol, coin, price, ts_ms)
            coin.bar = tick(ts_ms, price)
        elif bar is None or ts_ms // _SECOND_MS != bar.start_ms // _SECOND_MS:
            self._end_bar(coin)
            coin.bar = tick(ts_ms, price)
        else:
            end_ms = max(bar.end_ms, ts_ms)
            high, low = max(bar.high, price), min(bar.low, price)
            coin.bar = PathBar(bar.start_ms, end_ms, bar.open, high, low, price)
        if not coin.waiting and not coin.walking:
            del self._coins[symbol]

    def records(self, setup: str) -> tuple[int, int] | None:
        """(scored, wins) of a setup (`setup_of`) at 4 h in the last 90 days; None when nothing is known.

        Of one coin at most one outcome in each stretch of four hours counts: the confidence must not learn
        thirty times from one afternoon.
        """
        return self._records.get(setup)

    def status(self) -> TrackerStatus:
        pending = len(self._opens) + len(self._entries) + len(self._ends)
        return TrackerStatus(self._followed, pending, self._lost, self._unstreamed)

    async def run(self) -> None:
        """Write what happened every two seconds and resolve what is due every five minutes, until
        cancelled."""
        resolved_s: float | None = None
        outage = Outage(_log, "outcomes of alerts wait for the database")
        while True:
            with outage.survived():
                await self.write()
                if resolved_s is None or self._clock.monotonic_s() - resolved_s >= RESOLVE_EVERY_S:
                    await self.resolve_due()
                    resolved_s = self._clock.monotonic_s()
            await asyncio.sleep(WRITE_EVERY_S)

    async def write(self) -> None:
        """Write what was begun, entered and ended since the last time.

        Raises:
            StorageUnavailable: it is kept for the next time.
        """
        self._let_go()
        while self._opens:
            batch = [self._opens[n] for n in range(min(BATCH, len(self._opens)))]
            await self._store.open(batch)
            _drop(self._opens, len(batch))
        while self._entries:
            entries = [self._entries[n] for n in range(min(BATCH, len(self._entries)))]
            await self._store.enter(entries)
            _drop(self._entries, len(entries))
        while self._ends:
            ends = [self._ends[n] for n in range(min(BATCH, len(self._ends)))]
            await self._store.resolve([await self._written(one) for one in ends])
            _drop(self._ends, len(ends))

    async def resolve_due(self) -> int:
        """Look up by candles how what is due ended, and count the records again; how many got their end.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        now_ms, count = self._clock.now_ms(), 0
        judge = CandleJudge(self._candles, now_ms)
        after: tuple[int, str, str] | None = None
        while rows := await self._store.due(now_ms - GRACE_MS, BATCH, after):
            after = rows[-1].due_ms, rows[-1].trade_id, rows[-1].horizon
            count += await self._resolve(rows, judge, now_ms)
        counts = await self._store.counts(RECORD_HORIZON, now_ms - RECORD_MS)
        self._records = {one.setup: (one.apart_scored, one.apart_wins) for one in counts if one.apart_scored}
        return count

    async def _resolve(self, rows: Sequence[OutcomeRow], judge: CandleJudge, now_ms: int) -> int:
        entries: list[EntryRow] = []
        ends: list[OutcomeRow] = []
        for row in rows:
            found = await judge.judge(row)
            if found.entry is not None:
                entries.append(found.entry)
            if found.ending is not None:
                ends.append(await self._settled(found.row, found.ending, found.path))
            elif found.reason is Unscorable.MISSED:
                # Whoever asks later, by coarser bars, would find another entry: all horizons end here.
                every = await self._store.of_trade(row.trade_id)
                ends += [given_up(one, found.reason, now_ms=now_ms) for one in every]
            elif found.reason and now_ms - row.due_ms > GIVE_UP_MS:
                ends.append(given_up(found.row, found.reason, now_ms=now_ms))
        await self._store.enter(entries)
        await self._store.resolve(ends)
        return len(ends)

    async def _written(self, one: _End) -> OutcomeRow:
        if isinstance(one.end, Unscorable):
            return given_up(one.row, one.end, now_ms=self._clock.now_ms())
        return await self._settled(one.row, one.end, "trades")

    async def _settled(self, row: OutcomeRow, ending: Ending, path: str) -> OutcomeRow:
        settlements = None
        if self._funding is not None:
            settlements = await self._funding(row.symbol, row.entered_ms or ending.at_ms, ending.at_ms)
        return ended(row, ending, path=path, settlements=settlements, now_ms=self._clock.now_ms())

    def _take(self, alert: Alert, reason: DropReason | None, *, is_streamed: bool) -> None:
        if alert.id in self._seen or not is_followed(alert, reason):
            return
        if len(self._opens) + len(HORIZONS_MS) > MAX_PENDING:
            self._lost += 1  # the database has been away for long
            return
        self._seen[alert.id] = None
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        atr_usd = self._atr_of(alert.symbol) if is_streamed else None
        rows = begin(alert, tier=self._tier_of(alert.symbol), atr_usd=atr_usd)
        self._opens.extend(rows)
        if is_streamed and self._followed < MAX_FOLLOWED:
            one = _Followed({row.horizon: row for row in rows}, alert.ts_init_ms)
            self._coins.setdefault(alert.symbol, _Coin()).waiting.append(one)
            self._followed += 1
        elif is_streamed:
            self._unstreamed += 1

    def _enter(self, symbol: str, coin: _Coin, price: float, ts_ms: int) -> None:
        """The first price after the alerts that were made before it."""
        due = [one for one in coin.waiting if one.made_ms < ts_ms]
        coin.waiting = [one for one in coin.waiting if one.made_ms >= ts_ms]
        for one in due:
            row = next(iter(one.rows.values()))
            plan = None
            if ts_ms - one.made_ms <= MAX_ENTRY_WAIT_MS:
                plan = plan_entry(row, entered_ms=ts_ms, entry=price)
            if plan is None or isinstance(plan, Unscorable) or len(self._entries) >= MAX_PENDING:
                self._followed -= 1  # too late, or nothing to go by: candles may know more
                if plan is Unscorable.MISSED:
                    self._ends.extend(_End(row, plan) for row in one.rows.values())
                continue
            entry = entry_of(row, plan)
            self._entries.append(entry)
            one.rows = {name: entered(row, entry) for name, row in one.rows.items()}
            one.walk = Walk(plan)
            coin.walking.append(one)
            self._tell(one)
        coin.walking = self._still(coin.walking)

    def _end_bar(self, coin: _Coin) -> None:
        if coin.bar is None:
            return
        for one in coin.walking:
            if one.walk is not None:
                one.walk.feed(coin.bar)
                self._tell(one)
        coin.walking = self._still(coin.walking)
        coin.bar = None

    def _tell(self, one: _Followed) -> None:
        """Keep the ends that are new. Those the stream could not see are left to candles."""
        if one.walk is None or len(one.walk.endings) == one.told:
            return
        for horizon, ending in list(one.walk.endings.items())[one.told :]:
            if isinstance(ending, Ending) and len(self._ends) < MAX_PENDING:
                self._ends.append(_End(one.rows[horizon], ending))
        one.told = len(one.walk.endings)

    def _still(self, walking: list[_Followed]) -> list[_Followed]:
        kept = [one for one in walking if one.walk is not None and not one.walk.is_over]
        self._followed -= len(walking) - len(kept)
        return kept

    def _let_go(self) -> None:
        """Forget what no price came for: the store has it, and candles will end it."""
        now_ms = self._clock.now_ms()
        for symbol, coin in list(self._coins.items()):
            held = len(coin.waiting) + len(coin.walking)
            coin.waiting = [one for one in coin.waiting if now_ms - one.made_ms <= MAX_ENTRY_WAIT_MS]
            coin.walking = [one for one in coin.walking if now_ms - one.made_ms <= _LONGEST_MS + HOUR_MS]
            self._followed -= held - len(coin.waiting) - len(coin.walking)
            if not coin.waiting and not coin.walking:
                del self._coins[symbol]


def _drop(queue: deque[OutcomeRow] | deque[EntryRow] | deque[_End], count: int) -> None:
    for _ in range(count):
        queue.popleft()
