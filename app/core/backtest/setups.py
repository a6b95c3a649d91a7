"""How often the confluence model has a plan on recorded candles, and what became of it against its own odds.

At every close the zones, the estimated levels and the plans are those a live answer would have had; the best
plan is followed for its horizon: was it filled, and did target or stop come first? A bar that holds both
counts as the stop. Nothing of the future is used before it is due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from app.core.confluence.levels import (
    LOOKBACK_MS,
    LevelBook,
    interest_bars,
    maintenance_frac,
)
from app.core.confluence.liquidity_map import LevelSet, Scale, build_map, find_zones, plan_setups
from app.core.confluence.volatility import ewma_sigma
from app.core.domain.liquidity import EntryKind, LevelSource, Setup
from app.core.domain.market import HOUR_MS, Candles, Series
from app.core.smc.bars import Bars, build_bars
from app.core.smc.records import SmcRun
from app.core.smc.run import run_smc

_WARM_UP_BARS = 7 * 24
_SIGMA_BARS = 30 * 24
_SLOW_H = 72.0


class End(Enum):
    """What became of a plan within its horizon."""

    UNFILLED = 0
    OPEN = 1
    TARGET = 2
    STOP = 3


@dataclass(frozen=True, slots=True)
class SetupReport:
    """hours: closes with candles and open interest. with_plan, long, short: those with a plan, and the side
    of the best one. followed: best plans that do not overlap; filled, target, stop: what became of them;
    said_*: what their odds were on average (target and stop of those that were filled). r_mean: mean result
    of the filled in multiples of their risk before fees, time-outs at the close; None when none was filled.
    """

    name: str
    hours: int
    with_plan: int
    long: int
    short: int
    followed: int
    filled: int
    said_fill: float
    target: int
    said_target: float
    stop: int
    said_stop: float
    r_mean: float | None


def measure_setups(name: str, base: str, candles: Candles, interest: Series) -> SetupReport:
    """Walk over the hours that have both candles and open interest. Candles of 1 h."""
    bars = build_bars(candles, candles.close_ms[-1])
    run = run_smc(bars)
    flows = interest_bars(candles, interest, from_ms=0, until_ms=candles.close_ms[-1])
    book, recorded = LevelBook(maintenance_frac(base)), set(interest.close_ms)
    hours = long = short = free_from = taken = 0
    followed: list[tuple[Setup, int]] = []
    for at in range(_WARM_UP_BARS, len(bars)):
        now_ms = int(bars.close_ms[at])
        if now_ms not in recorded:
            continue
        hours += 1
        while taken < len(flows) and flows[taken].close_ms <= now_ms:
            book.take(flows[taken])
            taken += 1
        book.forget(now_ms - LOOKBACK_MS)
        plan = _best_plan(base, bars, run, at, book)
        if plan is None:
            continue
        long += plan.is_long
        short += not plan.is_long
        if at >= free_from:
            followed.append((plan, at))
            free_from = at + int(plan.horizon_h)
    return _summed(name, bars, hours, long, short, followed)


def _best_plan(base: str, bars: Bars, run: SmcRun, at: int, book: LevelBook) -> Setup | None:
    """What a live answer at this close would have put first."""
    price, atr = float(bars.close[at]), float(bars.atr[at])
    if not atr > 0:
        return None
    close = bars.close[max(0, at + 1 - _SIGMA_BARS) : at + 1].tolist()
    scale = Scale(atr, atr, None, ewma_sigma(close, HOUR_MS, _SLOW_H))
    past = bars.first(at + 1)
    plain = [zone.zone for zone in find_zones(past, run, (), price, atr)]
    levels = LevelSet(LevelSource.ESTIMATE, base, 0, book.levels(price, atr))
    found = build_map(levels, plain, price, scale)
    if found is None:
        return None
    zones = find_zones(past, run, found.clusters, price, atr)
    plans, _ = plan_setups(zones, found.clusters, past, price, scale)
    return plans[0] if plans else None


def follow_setup(setup: Setup, bars: Bars, at: int) -> tuple[End, float]:
    """How it ended within the horizon, and its result in multiples of the risk."""
    side = 1.0 if setup.is_long else -1.0
    risk = (setup.entry_usd - setup.stop_usd) * side
    target = setup.targets[0]
    is_in = setup.entry_kind is EntryKind.RECLAIM
    last = min(at + int(setup.horizon_h), len(bars) - 1)
    for t in range(at + 1, last + 1):
        against = float(bars.low[t] if setup.is_long else bars.high[t])
        towards = float(bars.high[t] if setup.is_long else bars.low[t])
        was_in = is_in
        is_in = is_in or against * side <= setup.entry_usd * side
        if is_in and against * side <= setup.stop_usd * side:
            return End.STOP, -1.0
        # In the bar of the fill the high may have come first: only later bars can pay.
        if was_in and towards * side >= target.price_usd * side:
            return End.TARGET, target.reward_risk
    if not is_in:
        return End.UNFILLED, 0.0
    return End.OPEN, (float(bars.close[last]) - setup.entry_usd) * side / risk


def _summed(
    name: str, bars: Bars, hours: int, long: int, short: int, followed: Sequence[tuple[Setup, int]]
) -> SetupReport:
    ends = [(setup, *follow_setup(setup, bars, at)) for setup, at in followed]
    filled = [(setup, end, result) for setup, end, result in ends if end is not End.UNFILLED]
    return SetupReport(
        name=name,
        hours=hours,
        with_plan=long + short,
        long=long,
        short=short,
        followed=len(ends),
        filled=len(filled),
        said_fill=_mean([setup.p_fill for setup, _, _ in ends]),
        target=sum(end is End.TARGET for _, end, _ in filled),
        said_target=_mean([setup.p_target for setup, _, _ in filled]),
        stop=sum(end is End.STOP for _, end, _ in filled),
        said_stop=_mean([setup.p_stop for setup, _, _ in filled]),
        r_mean=_mean([result for _, _, result in filled]) if filled else None,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
