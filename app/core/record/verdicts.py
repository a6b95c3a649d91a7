"""What a stored outcome says at a moment: open, scored or unscorable, and why. Pure.

The one rule behind the columns that rates are made of and the list of single trades: both call it, so that
they cannot differ.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, OutcomeState, Touch
from app.core.outcomes.rows import OutcomeFacts, facts_of
from app.core.record.gaps import NOT_FOLLOWED, REASONS

# Longest that anybody tries to score a row after the end of its horizon, and an hour until that is written.
GIVEN_UP_MS: Final = 7 * HOUR_MS
_WINS = frozenset({Touch.TARGET.value, Touch.TIMEOUT.value})


class Running(NamedTuple):
    """Not over, or not known to be. is_decided: its end is known and counts when its horizon is over."""

    is_decided: bool


class Unscored(NamedTuple):
    """Nobody can say what it came to. reason: one of `gaps.REASONS`."""

    reason: str


class Scored(NamedTuple):
    """What it came to. entry, target: USD; net_frac: after costs and funding, of the entry's notional;
    cost_frac: what was taken off beside the funding; ended_ms: when it touched, or its time was over."""

    entry: float
    target: float
    net_frac: float
    cost_frac: float
    ended_ms: int | None
    is_win: bool
    facts: OutcomeFacts


Verdict: TypeAlias = Running | Unscored | Scored


def verdict_of(row: OutcomeRow | None, *, made_ms: int, length_ms: int, now_ms: int) -> Verdict:
    """What is known at now_ms (market time) of one side of an evaluation made at made_ms.

    row: None where nobody follows it (yet). What was resolved after now_ms is not known.
    """
    if row is None or not is_over(row, now_ms):
        # Of what nobody followed while it could be, nothing will ever be known.
        if now_ms - made_ms - length_ms > GIVEN_UP_MS:
            return Unscored(NOT_FOLLOWED)
        return Running(row is not None and row.resolved_ms is not None and row.resolved_ms <= now_ms)
    facts = facts_of(row)
    entry, target, net, cost = row.entry_price, row.target_price, row.net_return_frac, facts.cost_frac
    is_scored = row.state == OutcomeState.SCORED.value
    if not is_scored or entry is None or target is None or net is None or cost is None:
        return Unscored(facts.reason if facts.reason in REASONS[1:] else NOT_FOLLOWED)
    is_win = row.first_touch in _WINS and net > 0
    return Scored(entry, target, net, cost, row.touched_ms, is_win, facts)


def is_over(row: OutcomeRow, now_ms: int) -> bool:
    """Has it ended, and its whole horizon, too? What is touched early is known early, and the quick ones
    alone are no fair sample (ADR 0039)."""
    if row.resolved_ms is None or row.resolved_ms > now_ms:
        return False
    return row.entered_ms is None or row.entered_ms + HORIZONS_MS[row.horizon] <= now_ms
