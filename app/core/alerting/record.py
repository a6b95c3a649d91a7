"""What became of a setup so far moves the confidence of the next one, a little.

Pure arithmetic on counts; who counts outcomes is `core.outcomes`. Called by `desk`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from app.core.domain.alerts import SetupRecord
from app.core.domain.flow import AlertKind
from app.core.domain.outcomes import setup_of
from app.core.domain.signal import Direction

MIN_OUTCOMES = 30
MAX_SHIFT = 10.0
# Beta(10, 10): as if ten wins and ten losses had been seen before the first outcome.
PRIOR_WINS = 10
PRIOR_LOSSES = 10

# setup -> (scored, wins), or None when nobody has counted yet.
Records: TypeAlias = Callable[[str], tuple[int, int] | None]


def shrunken_win_rate(*, scored: int, wins: int) -> float:
    """Share of wins, pulled towards one half by the prior: 33 of 60 -> 43 / 80 = 0.5375."""
    return (wins + PRIOR_WINS) / (scored + PRIOR_WINS + PRIOR_LOSSES)


def record_shift(*, scored: int, wins: int) -> float:
    """Points by which the record moves the confidence, -10..+10; 0 below 30 outcomes.

    Linear in the shrunken rate, 20 points per unit around one half. Worked numbers: 33 of 60 -> +0.75,
    27 of 60 -> -0.75, 0 of 180 -> -9.0, 20 of 29 -> 0 (too few).
    """
    if scored < MIN_OUTCOMES:
        return 0.0
    shift = 2.0 * MAX_SHIFT * (shrunken_win_rate(scored=scored, wins=wins) - 0.5)
    return max(-MAX_SHIFT, min(MAX_SHIFT, shift))


def look_up(records: Records, kind: AlertKind, direction: Direction, tier: int) -> SetupRecord | None:
    """The record of this setup with its shift; None without direction (nothing to score) or record."""
    if direction is Direction.NEUTRAL:
        return None
    setup = setup_of(kind.value, direction.value, tier)
    counts = records(setup)
    if counts is None:
        return None
    scored, wins = counts
    return SetupRecord(setup=setup, scored=scored, wins=wins, shift=record_shift(scored=scored, wins=wins))
