"""Market context filter: do funding and open interest speak against a direction, for it, or neither.

Pure; ranks come from the caller, who knows the coin's own 30 days. Owns the verdict and the points it moves
a confidence by. Whether an alert is sent is decided in `core.alerting.policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from app.core.domain.alerts import AlertContext, ContextVerdict
from app.core.domain.signal import Direction

CROWDED_LONGS_PERCENTILE = 0.90
CROWDED_SHORTS_PERCENTILE = 0.10
OI_GROWS_PERCENTILE = 0.60
SHIFTS = {
    ContextVerdict.FAVORABLE: 5.0,
    ContextVerdict.NEUTRAL: 0.0,
    ContextVerdict.UNFAVORABLE: -10.0,
}

# Share of the coin's own 30 days below this value, 0..1; None where the past is too short to say.
PercentileOf: TypeAlias = Callable[[float], float | None]


def judge_market(
    direction: Direction,
    *,
    funding_8h_frac: float | None,
    oi_change_1h_frac: float | None,
    funding_percentile: PercentileOf,
    oi_percentile: PercentileOf,
) -> AlertContext:
    """Judge a direction by the coin's own funding (fraction per 8 h) and 1 h change of open interest.

    Positive funding: longs pay shorts. For a LONG, funding above its own 90th percentile means crowded longs
    (UNFAVORABLE); below the 10th the crowd is short, and with open interest rising (above its own 60th
    percentile) that is fuel (FAVORABLE). A SHORT is mirrored in funding; open interest has no side. A
    direction NEUTRAL, an ordinary market, or an unknown that the verdict hangs on: NEUTRAL, `unknown`
    naming what was missing.
    """
    funding_rank = None if funding_8h_frac is None else funding_percentile(funding_8h_frac)
    oi_rank = None if oi_change_1h_frac is None else oi_percentile(oi_change_1h_frac)
    verdict, unknown = _verdict(direction, funding_rank, oi_rank)
    return AlertContext(
        verdict=verdict,
        funding_8h_frac=funding_8h_frac,
        funding_percentile=funding_rank,
        oi_change_1h_frac=oi_change_1h_frac,
        oi_change_percentile=oi_rank,
        unknown=unknown,
    )


def context_shift(context: AlertContext | None) -> float:
    """Points by which the verdict moves a confidence: +5, 0 or -10; 0 without a context."""
    return 0.0 if context is None else SHIFTS[context.verdict]


def _verdict(
    direction: Direction, funding_rank: float | None, oi_rank: float | None
) -> tuple[ContextVerdict, tuple[str, ...]]:
    if direction is Direction.NEUTRAL:
        return ContextVerdict.NEUTRAL, ()
    if funding_rank is None:
        return ContextVerdict.NEUTRAL, ("funding", *(() if oi_rank is not None else ("open_interest",)))
    longs, shorts = funding_rank > CROWDED_LONGS_PERCENTILE, funding_rank < CROWDED_SHORTS_PERCENTILE
    own, other = (longs, shorts) if direction is Direction.LONG else (shorts, longs)
    if own:
        return ContextVerdict.UNFAVORABLE, ()
    if not other:
        return ContextVerdict.NEUTRAL, ()
    if oi_rank is None:
        return ContextVerdict.NEUTRAL, ("open_interest",)
    is_fuelled = oi_rank > OI_GROWS_PERCENTILE
    return (ContextVerdict.FAVORABLE if is_fuelled else ContextVerdict.NEUTRAL), ()
