"""What a round trip costs, as fractions of the entry's notional. Called by `first_touch` and the study.

Both fills are charged on the entry's notional: on a move of 1 % that is off by less than a tenth of a basis
point, and a market upside down costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.domain.signal import Direction

TAKER_FEE_FRAC = 0.0005  # per fill
HALF_SPREAD_FRAC = 0.0001  # per fill: each crosses half the spread
SLIPPAGE_FRAC = 0.0002  # per fill
# Spread and slippage of coins outside tier 1; the fee is the exchange's and stays.
_THINNER = 3.0


def round_trip_frac(tier: int) -> float:
    """Fees, half spreads and slippage of entry and exit.

    Worked numbers: tier 1 2 * (5 + 1 + 2) bp = 0.0016; tiers 2 and 3 2 * (5 + 3 + 6) bp = 0.0028.
    """
    market = (HALF_SPREAD_FRAC + SLIPPAGE_FRAC) * (1.0 if tier == 1 else _THINNER)
    return 2.0 * (TAKER_FEE_FRAC + market)


def funding_frac(
    direction: Direction, settlements: Sequence[tuple[int, float]], *, from_ms: int, to_ms: int
) -> float:
    """Funding PAID between entry (exclusive) and exit (inclusive); negative was received.

    settlements: (time, rate of that period as a fraction, positive: longs pay shorts). Who holds at the stamp
    pays all of it, who left a millisecond before nothing. Worked number: LONG over one stamp of +0.0001 ->
    +0.0001; SHORT -> -0.0001.
    """
    paid = sum(rate for at_ms, rate in settlements if from_ms < at_ms <= to_ms)
    return paid if direction is Direction.LONG else -paid


def break_even_rate(barrier_frac: float, cost_frac: float) -> float:
    """Share of wins at which symmetric barriers earn nothing: (m + c) / (2 m); above 1 it cannot be done.

    Worked number: barriers of 0.5 %, costs of 0.10 % -> 0.60.
    """
    return break_even_between(barrier_frac, barrier_frac, cost_frac)


def break_even_between(stop_frac: float, target_frac: float, cost_frac: float) -> float:
    """The same where stop and target lie at different distances: (s + c) / (s + t).

    Worked numbers: stop 1 %, target 2 %, costs 0.16 % -> 0.3867; both 0.5 %, costs 0.10 % -> 0.60.
    """
    return (stop_frac + cost_frac) / (stop_frac + target_frac)
