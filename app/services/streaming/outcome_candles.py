"""Ends of alerts that no stream followed to the end (restarts, quiet coins), out of candles of one exchange.

Candles of one minute decide where they reach back far enough, else those of five; a coin is asked for once a
pass. Rules are `core.outcomes`'; called by `outcome_tracker`, and in parts by `evaluation_outcomes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.core.domain.market import HOUR_MS, Candles
from app.core.domain.outcomes import HORIZONS_MS, EntryRow, OutcomeRow, OutcomeState, Unscorable
from app.core.domain.symbol import Symbol
from app.core.outcomes.first_touch import Ending, PathBar, Plan, find_entry, follow
from app.core.outcomes.rows import entered, entry_of, facts_of, plan_entry, plan_of
from app.core.smc.bars import build_bars
from app.services.calibration_service import CandlesNow

INTERVALS = ("1m", "5m")


class Judged(NamedTuple):
    """What candles say of one row. row: entered, where that is known by now; ending and path: how it ended,
    None while nobody knows; reason: why not, None when its time is not over. MISSED is final."""

    row: OutcomeRow
    entry: EntryRow | None = None
    ending: Ending | None = None
    path: str = ""
    reason: Unscorable | None = None


class CandleJudge:
    """Judges the rows of one pass; remembers candles and entries for as long as that."""

    def __init__(self, candles: CandlesNow, now_ms: int) -> None:
        self._candles = candles
        self._now_ms = now_ms
        self._asked: dict[tuple[str, str], Candles | None] = {}
        self._entries: dict[str, EntryRow] = {}

    async def judge(self, row: OutcomeRow) -> Judged:
        """Look up how the row ended. Never raises for candles that are not there."""
        known = self._entries.get(row.trade_id)
        if row.state == OutcomeState.WAITING.value and known is not None:
            row = entered(row, known)
        found = Judged(row, reason=Unscorable.HOLES)
        for interval in INTERVALS:
            found = await self._judge_by(row, interval)
            if found.ending is not None or found.reason in (None, Unscorable.MISSED):
                break
        if found.entry is not None:
            self._entries[row.trade_id] = found.entry
        return found

    async def _judge_by(self, row: OutcomeRow, interval: str) -> Judged:
        path = path_of(await self._ask(row.symbol, interval), self._now_ms)
        entry = None
        if row.state == OutcomeState.WAITING.value:
            first = find_entry(path, row.ts_init_ms)
            if first is None:
                return Judged(row, reason=Unscorable.NO_ENTRY)
            plan = await self._plan(row, first)
            if isinstance(plan, Unscorable):
                return Judged(row, reason=plan)
            entry = entry_of(row, plan)
            row = entered(row, entry)
        return self._followed(row, entry, path, interval)

    def _followed(
        self, row: OutcomeRow, entry: EntryRow | None, path: Sequence[PathBar], interval: str
    ) -> Judged:
        lengths = {row.horizon: HORIZONS_MS[row.horizon]}
        end = follow(plan_of(row), path, known_until_ms=self._now_ms, horizons_ms=lengths).get(row.horizon)
        if isinstance(end, Ending):
            return Judged(row, entry, end, interval)
        return Judged(row, entry, reason=end)

    async def _plan(self, row: OutcomeRow, first: PathBar) -> Plan | Unscorable:
        atr_usd = None
        if row.stop_price is None and facts_of(row).atr_usd is None:
            atr_usd = atr_before(await self._ask(row.symbol, "1h"), row.ts_init_ms)
        return plan_entry(row, entered_ms=first.start_ms, entry=first.open, atr_usd=atr_usd)

    async def _ask(self, symbol: str, interval: str) -> Candles | None:
        place = symbol, interval
        if place not in self._asked:
            self._asked[place] = await self._candles(Symbol(symbol), interval)
        return self._asked[place]


def path_of(candles: Candles | None, now_ms: int) -> list[PathBar]:
    """Candles that had closed by then as a price path."""
    if candles is None:
        return []
    columns = zip(candles.close_ms, candles.open, candles.high, candles.low, candles.close, strict=True)
    return [PathBar(end - candles.interval_ms, end, *prices) for end, *prices in columns if end <= now_ms]


def atr_before(hours: Candles | None, at_ms: int) -> float | None:
    """ATR(14) of the hours that had closed by then, USD; None when fewer than 14 did, or the newest is not
    from the hour before."""
    if hours is None:
        return None
    bars = build_bars(hours, at_ms)
    if not len(bars) or at_ms - int(bars.close_ms[-1]) > HOUR_MS:
        return None
    newest = float(bars.atr[-1])
    return newest if newest > 0 else None
