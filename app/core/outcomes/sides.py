"""Both sides of an evaluation followed on candles: what each would have come to, at every horizon. Pure.

A signal has no levels of its own, so barriers are one ATR(1h) on both sides of the entry. Both sides are
followed whatever the signal said: a baseline needs what a trade would have earned whoever made it. Rules are
`first_touch`'s; one walk decides all horizons of a trade, so that a touch ends the later ones alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.core.domain.evaluations import EvaluationRef
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, OutcomeState, Unscorable, trade_of
from app.core.domain.signal import Direction
from app.core.outcomes.first_touch import Ending, PathBar, find_entry, follow
from app.core.outcomes.rows import (
    OutcomeFacts,
    begin_trade,
    entered,
    entered_on,
    entry_of,
    facts_of,
    plan_entry,
    plan_of,
)

SIDES = (Direction.LONG, Direction.SHORT)
KIND = "SIGNAL"


class Path(NamedTuple):
    """Closed candles of one exchange and bar size (`1m`, `5m`), oldest first."""

    interval: str
    exchange: str
    bars: Sequence[PathBar]

    def reaches(self, at_ms: int) -> bool:
        """Does it know the prices from then on?"""
        return bool(self.bars) and self.bars[0].start_ms <= at_ms


class Judged(NamedTuple):
    """What candles say of one row. row: entered, where that is known by now; ending: how it ended, by the
    candles of `interval`; None with the reason while nobody knows, and without one while it runs."""

    row: OutcomeRow
    ending: Ending | None
    interval: str
    reason: Unscorable | None


def begin_side(ref: EvaluationRef, direction: Direction, *, tier: int) -> list[OutcomeRow]:
    """Rows of one side of an evaluation, waiting for the first price after it was made."""
    return begin_trade(
        trade_of(ref.id, direction.value),
        kind=KIND,
        symbol=ref.symbol,
        direction=direction,
        made_ms=ref.made_ms,
        barriers=None,
        facts=OutcomeFacts(tier, None),
    )


def judge_trade(
    rows: Sequence[OutcomeRow], paths: Sequence[Path], *, atr_usd: float | None, known_until_ms: int
) -> list[Judged]:
    """Look up how the running rows of one trade ended.

    paths: finest first; what a finer one cannot tell is asked of the next. A trade is followed on the
    exchange on which it was entered: between two lies a spread that would touch what no price touched.
    atr_usd: ATR(1h) known when the evaluation was made, None unknown; only a trade that has not been entered
    needs it.
    """
    begun = _entered(rows, paths, atr_usd, known_until_ms)
    if isinstance(begun, Unscorable):
        return [Judged(row, None, "", begun) for row in rows]
    plan, exchange = plan_of(begun[0]), facts_of(begun[0]).exchange
    found: dict[str, Judged] = {}
    left = {row.horizon: row for row in begun}
    for path in paths:
        if path.exchange != exchange or not path.reaches(plan.entered_ms):
            continue
        lengths = {horizon: HORIZONS_MS[horizon] for horizon in left}
        ends = follow(plan, path.bars, known_until_ms=known_until_ms, horizons_ms=lengths)
        for horizon, row in list(left.items()):
            end = ends.get(horizon)
            if isinstance(end, Unscorable):
                found[horizon] = Judged(row, None, path.interval, end)
            else:
                found[horizon] = Judged(row, end, path.interval, None)
                del left[horizon]
        if not left:
            break
    return [found.get(row.horizon) or Judged(row, None, "", Unscorable.HOLES) for row in begun]


def _entered(
    rows: Sequence[OutcomeRow], paths: Sequence[Path], atr_usd: float | None, known_until_ms: int
) -> list[OutcomeRow] | Unscorable:
    """The rows once they are entered, or why they are not (yet)."""
    if rows[0].state != OutcomeState.WAITING.value:
        return list(rows)
    made_ms = rows[0].ts_init_ms
    for path in paths:
        first = find_entry(path.bars, made_ms) if path.reaches(made_ms) else None
        if first is None or first.end_ms > known_until_ms:
            continue
        plan = plan_entry(rows[0], entered_ms=first.start_ms, entry=first.open, atr_usd=atr_usd)
        if isinstance(plan, Unscorable):
            return plan
        begun = [entered(row, entry_of(row, plan)) for row in rows]
        return [entered_on(row, path.exchange, atr_usd) for row in begun]
    return Unscorable.NO_ENTRY
