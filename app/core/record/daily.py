"""Net returns by day, and the Sharpe ratio that is left of them after choosing among variants.

Owns the days; the arithmetic is in `outcomes.sharpe`. Called by `report`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.core.domain.market import DAY_MS
from app.core.domain.track_record import DeflatedSharpe
from app.core.outcomes.sharpe import deflated_sharpe, describe_returns, expected_best_sharpe
from app.core.record.columns import Codes, Evaluations, Floats, HorizonOutcomes
from app.core.record.trades import Rule, take

MIN_DAYS = 30


def daily_net(position: Codes, evaluations: Evaluations, outcomes: HorizonOutcomes) -> Floats:
    """Sum of net returns by UTC day in which trades ended, of one unit of stake each; a day without is 0.

    From the day of the first evaluation to that of the last; what ended later counts there.
    """
    taken = take(position, outcomes)
    first, last = int(evaluations.at_ms[0]) // DAY_MS, int(evaluations.at_ms[-1]) // DAY_MS
    day = np.clip(taken.end_ms[taken.is_scored] // DAY_MS, first, last) - first
    sums = np.bincount(day, weights=taken.net_frac[taken.is_scored], minlength=last - first + 1)
    return sums.astype(np.float64)


def deflate(
    rules: Sequence[Rule], evaluations: Evaluations, outcomes: HorizonOutcomes, *, variants: int
) -> DeflatedSharpe | None:
    """Of the engine on daily sums; None with fewer than 30 days in which trades of it ended.

    rules: the engine's first, then those whose Sharpe ratios show how far ratios spread in this market
    (variance of the trials). variants: engines ever tried, this one among them.
    """
    if not len(evaluations):
        return None
    returns = [daily_net(rule.position, evaluations, outcomes) for rule in rules]
    found = [describe_returns(one) for one in returns]
    engine = found[0]
    if engine is None or np.count_nonzero(returns[0]) < MIN_DAYS:
        return None
    ratios = np.array([one.sharpe for one in found if one is not None])
    variance = float(ratios.var(ddof=1)) if ratios.size > 1 else 0.0
    benchmark = expected_best_sharpe(variance, variants)
    return DeflatedSharpe(engine.sharpe, engine.n, variants, benchmark, deflated_sharpe(engine, benchmark))
