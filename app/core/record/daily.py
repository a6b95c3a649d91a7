"""Net returns by day, and the Sharpe ratio that is left of them after choosing among variants.

Owns the days; the arithmetic is in `outcomes.sharpe`. Called by `report`.
"""

from __future__ import annotations

import numpy as np

from app.core.domain.market import DAY_MS
from app.core.domain.track_record import DeflatedSharpe
from app.core.outcomes.sharpe import deflated_sharpe, describe_returns, expected_best_sharpe
from app.core.record.columns import Codes, Evaluations, Floats, HorizonOutcomes
from app.core.record.trades import take

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
    position: Codes, evaluations: Evaluations, outcomes: HorizonOutcomes, *, variants: int
) -> DeflatedSharpe | None:
    """Of these trades on daily sums; None with fewer than 30 days in which trades of them ended.

    variants: rules ever tried, this one among them. How far the best of so many worthless ones gets is taken
    from the variance that luck alone gives a Sharpe ratio of so many days, 1 / (days - 1): rules that were
    tried differ in what they pay in costs, too, and that is no luck.
    """
    if not len(evaluations):
        return None
    returns = daily_net(position, evaluations, outcomes)
    found = describe_returns(returns)
    if found is None or np.count_nonzero(returns) < MIN_DAYS:
        return None
    benchmark = expected_best_sharpe(1.0 / (found.n - 1), variants)
    return DeflatedSharpe(found.sharpe, found.n, variants, benchmark, deflated_sharpe(found, benchmark))
