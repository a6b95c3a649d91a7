"""Positions of the rules that stand beside the engine: what anybody could have done without it.

Owns positions only; `trades` says what they came to. The rule that trades at random is in `at_random`.
"""

from __future__ import annotations

import numpy as np

from app.core.domain.engine_config import Thresholds
from app.core.domain.signal import FactorName
from app.core.record.columns import FACTOR_ORDER, LONG, NEUTRAL, SHORT, Codes, Evaluations, Flags, Floats
from app.core.record.trades import Rule


def baselines(evaluations: Evaluations, thresholds: Thresholds, covered: Flags) -> list[Rule]:
    """Always long, always short, momentum's sign, each factor alone, and equal weights.

    thresholds: of the balanced mode, as the engine's own directions. covered: where the engine has enough
    inputs for a direction; a rule that traded elsewhere, too, would differ by its coins and their costs.
    """
    n = len(evaluations)
    alone = [
        Rule(f"{name.value} alone", position_of(50.0 + 50.0 * evaluations.v[:, k], thresholds))
        for k, name in enumerate(FACTOR_ORDER)
    ]
    rules = [
        Rule("always long", np.full(n, LONG, dtype=np.int8)),
        Rule("always short", np.full(n, SHORT, dtype=np.int8)),
        Rule("momentum only", _momentum(evaluations)),
        *alone,
        Rule("equal weights", _equal_weights(evaluations, thresholds)),
    ]
    return [Rule(one.name, np.where(covered, one.position, NEUTRAL).astype(np.int8)) for one in rules]


def position_of(score: Floats, thresholds: Thresholds) -> Codes:
    """LONG at `long` and above, SHORT at `short` and below, NEUTRAL between and where there is no score
    (NaN)."""
    found = np.full(score.size, NEUTRAL, dtype=np.int8)
    found[score >= thresholds.long] = LONG
    found[score <= thresholds.short] = SHORT
    return found


def _momentum(evaluations: Evaluations) -> Codes:
    """With the move whenever there is one, however small: the oldest rule there is. Momentum through the
    thresholds is among the factors alone."""
    v = evaluations.v[:, FACTOR_ORDER.index(FactorName.MOMENTUM)]
    return np.sign(np.nan_to_num(v, nan=0.0)).astype(np.int8)


def _equal_weights(evaluations: Evaluations, thresholds: Thresholds) -> Codes:
    """Mean of all eight, a missing one counts as 0, as it does for the engine."""
    v = np.nan_to_num(evaluations.v, nan=0.0).mean(axis=1)
    return position_of(50.0 + 50.0 * v, thresholds)
