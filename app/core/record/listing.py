"""Single trades of the engine as they are told: the same rows and the same rule as the record's rates. Pure.

Owns which figures of a trade may be said in which state, and the words for why one has no score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.domain.trades import FirstTouch, Trade, TradeRow, TradeState
from app.core.record.gaps import NOT_FOLLOWED
from app.core.record.verdicts import Running, Scored, Unscored, verdict_of

_NOT_ENTERED: Final = "no entry is known yet: trades are followed once an hour, on closed candles"
_RUNNING: Final = "its horizon is not over, or how it ended is not written yet"
_DECIDED: Final = "a barrier was touched early; it counts when its whole horizon is over"
_WHY: Final[Mapping[str, str]] = {
    Unscorable.NO_ENTRY.value: "no 1m or 5m candle says at what price it began",
    Unscorable.NO_BARRIERS.value: "no ATR of 1 h was known when it began",
    Unscorable.MISSED.value: "the price had passed the target before anybody could enter",
    Unscorable.HOLES.value: "1m and 5m candles are missing on its way",
    NOT_FOLLOWED: "nobody followed it while its prices were known",
}
_TOUCHES: Final[Mapping[str, FirstTouch]] = {
    Touch.TARGET.value: FirstTouch.TARGET,
    Touch.STOP.value: FirstTouch.STOP,
    Touch.BOTH.value: FirstTouch.BOTH,
    Touch.TIMEOUT.value: FirstTouch.NONE,
}


def trade_at(row: TradeRow, horizon: str, now_ms: int) -> Trade:
    """What of one signal is known at now_ms (market time). horizon: that of `row.outcome`."""
    length_ms = HORIZONS_MS[horizon]
    # The age of what nobody follows counts from the evaluation, as in the record's columns.
    found = verdict_of(row.outcome, made_ms=row.as_of_ms, length_ms=length_ms, now_ms=now_ms)
    base = _entered(row, length_ms, now_ms)
    match found:
        case Running():
            return replace(base, why=_why_open(base, found))
        case Unscored():
            return replace(base, state=TradeState.UNSCORABLE, why=_WHY[found.reason])
        case Scored():
            return _scored(base, row.outcome, found)


def _entered(row: TradeRow, length_ms: int, now_ms: int) -> Trade:
    """The open trade with its entry, where that has been made by now."""
    trade = Trade(
        id=row.id,
        symbol=row.symbol,
        direction=Direction(row.direction),
        score=row.score,
        as_of_ms=row.as_of_ms,
        ends_ms=row.made_ms + length_ms,
        state=TradeState.OPEN,
        why="",
    )
    outcome = row.outcome
    if outcome is None or outcome.entered_ms is None or outcome.entered_ms > now_ms:
        return trade
    return replace(
        trade,
        ends_ms=outcome.entered_ms + length_ms,
        entered_ms=outcome.entered_ms,
        entry_price=outcome.entry_price,
        target_price=outcome.target_price,
        stop_price=outcome.stop_price,
    )


def _why_open(trade: Trade, found: Running) -> str:
    if found.is_decided:
        return _DECIDED
    return _NOT_ENTERED if trade.entered_ms is None else _RUNNING


def _scored(trade: Trade, outcome: OutcomeRow | None, found: Scored) -> Trade:
    exit_price = found.facts.exit_price
    sign = 1.0 if trade.direction is Direction.LONG else -1.0
    touch = None if outcome is None or outcome.first_touch is None else _TOUCHES[outcome.first_touch]
    return replace(
        trade,
        state=TradeState.SCORED,
        touch=touch,
        exit_ms=found.ended_ms,
        exit_price=exit_price,
        gross_frac=None if exit_price is None else sign * (exit_price - found.entry) / found.entry,
        cost_frac=found.cost_frac,
        funding_frac=found.facts.funding_frac,
        net_frac=found.net_frac,
        mfe_frac=None if outcome is None else outcome.mfe_frac,
        mae_frac=None if outcome is None else outcome.mae_frac,
        is_win=found.is_win,
    )
