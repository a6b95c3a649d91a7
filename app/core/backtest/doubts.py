"""What is in doubt of trades that were scored: bars that held both barriers, and funding that nobody knows.

Neither is left out of the record; both are counted for its reader. Pure; called by `study`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.core.backtest.price_path import Settlements
from app.core.backtest.report import Ambiguous
from app.core.domain.market import HOUR_MS
from app.core.record.columns import (
    NEUTRAL,
    SCORED,
    Codes,
    Evaluations,
    Flags,
    HorizonOutcomes,
    Ints,
)
from app.core.record.trades import take


def is_ambiguous(outcomes: HorizonOutcomes) -> Flags:
    """Which evaluations were decided by a bar that held both barriers, so that both sides count as lost.

    Read off the returns: of any other end one side earned nothing or more before costs. Worked numbers:
    barrier 0.01, both sides -0.01 before costs -> True; -0.03 (jumped over) and +0.01 -> False.
    """
    is_scored = outcomes.long.state == SCORED
    lost = [
        side.net_frac + side.cost_frac < -0.5 * side.barrier_frac for side in (outcomes.long, outcomes.short)
    ]
    return np.asarray(is_scored & lost[0] & lost[1])


def count_ambiguous(outcomes: HorizonOutcomes, direction: Codes) -> Ambiguous:
    """Their share of the scored trades of these directions, and of all evaluations that could be scored."""
    found = is_ambiguous(outcomes)
    is_scored = outcomes.long.state == SCORED
    return Ambiguous(
        outcomes.horizon, _share(found, is_scored & (direction != NEUTRAL)), _share(found, is_scored)
    )


def _share(found: Flags, among: Flags) -> float | None:
    return float(found[among].mean()) if among.any() else None


# Stamps carry some milliseconds of jitter, and one settlement by itself has no period.
_USUAL_PERIOD_MS = 8 * HOUR_MS
_JITTER_MS = 1_000


def is_funding_known(settlements: Settlements | None, from_ms: Ints, to_ms: Ints) -> Flags:
    """Which trades, held from one moment to the other, saw every settlement that was due.

    Before the first one known, after the last one, and where two lie further apart than they usually do,
    nobody knows what was paid. Worked numbers: settlements every 8 h, the last at 16:00 -> a trade that ends
    at 23:59 is known, one that ends at 24:00 is not; the one of 08:00 is missing -> a trade from 00:00 to
    07:59 is known, to 08:00 it is not, and from 08:00 on it is.
    """
    if settlements is None or not settlements.at_ms.size:
        return np.zeros(to_ms.size, dtype=np.bool_)
    at_ms = settlements.at_ms
    period_ms = int(np.median(np.diff(at_ms))) if at_ms.size > 1 else _USUAL_PERIOD_MS
    first_ms, due_ms = int(at_ms[0]) - period_ms, int(at_ms[-1]) + period_ms
    is_known = np.asarray((from_ms >= first_ms - _JITTER_MS) & (to_ms < due_ms - _JITTER_MS))
    for before in np.flatnonzero(np.diff(at_ms) > period_ms + _JITTER_MS):
        lost_from_ms, lost_to_ms = at_ms[before] + period_ms, at_ms[before + 1] - period_ms
        is_known &= (to_ms < lost_from_ms - _JITTER_MS) | (from_ms >= lost_to_ms - _JITTER_MS)
    return is_known


def count_funding_unknown(
    settlements: Sequence[Settlements | None], evaluations: Evaluations, outcomes: HorizonOutcomes
) -> int:
    """Scored trades of the directions that were given for which not every settlement is known.

    settlements: one per coin, as `evaluations.coin` counts them.
    """
    taken = take(evaluations.direction, outcomes)
    rows, end_ms = taken.rows[taken.is_scored], taken.end_ms[taken.is_scored]
    coin, at_ms = evaluations.coin[rows], evaluations.at_ms[rows]
    mine = [coin == index for index in range(len(settlements))]
    return sum(
        int((~is_funding_known(one, at_ms[kept], end_ms[kept])).sum())
        for one, kept in zip(settlements, mine, strict=True)
    )
