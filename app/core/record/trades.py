"""The trades of a rule, and what they came to at one horizon: counts, hit rate, net return, and how sure.

A rule is a column of positions; what becomes of each position is known already (`columns.HorizonOutcomes`).
Nothing here decides what to trade. Called by `report`, by `at_random` and by the backtest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.calibration.blocks import Drawn, difference, draw_means
from app.core.domain.market import HOUR_MS
from app.core.domain.track_record import Mean, Share, TradeStats
from app.core.outcomes.costs import break_even_rate
from app.core.outcomes.statistics import drawdown, wilson
from app.core.record.columns import (
    LONG,
    NEUTRAL,
    OPEN,
    SCORED,
    UNSCORABLE,
    Codes,
    Evaluations,
    Flags,
    Floats,
    HorizonOutcomes,
    Ints,
)

# Neighbouring hours share their market, also where the trades themselves are over after minutes.
_MIN_BLOCK_MS = 8 * HOUR_MS
# One block says nothing of how much blocks differ.
_MIN_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to trade. position: LONG, NEUTRAL or SHORT at every evaluation."""

    name: str
    position: Codes


@dataclass(frozen=True, slots=True)
class Taken:
    """The trades of one rule, one row each. rows: their evaluations; is_scored: the rest is open or
    unscorable, and its figures mean nothing. Fractions of the entry's notional; end_ms: when it was over."""

    rows: Ints
    is_open: Flags
    is_unscorable: Flags
    is_scored: Flags
    win: Floats
    net_frac: Floats
    cost_frac: Floats
    barrier_frac: Floats
    end_ms: Ints

    def spread(self, figure: Floats, size: int) -> tuple[Floats, Floats]:
        """A figure of the scored trades over all `size` evaluations, and its weights: 1 where scored."""
        values, weights = np.zeros(size), np.zeros(size)
        rows = self.rows[self.is_scored]
        values[rows], weights[rows] = figure[self.is_scored], 1.0
        return values, weights


def block_length_ms(outcomes: HorizonOutcomes) -> int:
    """Blocks of time that are drawn whole: twice the horizon, eight hours at least."""
    return max(2 * outcomes.length_ms, _MIN_BLOCK_MS)


def take(position: Codes, outcomes: HorizonOutcomes) -> Taken:
    """What taking these positions came to. NEUTRAL is no trade."""
    rows = np.flatnonzero(position != NEUTRAL)
    is_long = position[rows] == LONG
    long, short = outcomes.long, outcomes.short
    state = np.where(is_long, long.state[rows], short.state[rows])
    return Taken(
        rows=rows,
        is_open=state == OPEN,
        is_unscorable=state == UNSCORABLE,
        is_scored=state == SCORED,
        win=np.where(is_long, long.win[rows], short.win[rows]).astype(np.float64),
        net_frac=np.where(is_long, long.net_frac[rows], short.net_frac[rows]),
        cost_frac=np.where(is_long, long.cost_frac[rows], short.cost_frac[rows]),
        barrier_frac=np.where(is_long, long.barrier_frac[rows], short.barrier_frac[rows]),
        end_ms=np.where(is_long, long.end_ms[rows], short.end_ms[rows]),
    )


def score_trades(
    name: str, position: Codes, evaluations: Evaluations, outcomes: HorizonOutcomes
) -> TradeStats:
    """The statistics of one rule by itself."""
    (found,) = score_rules([Rule(name, position)], evaluations, outcomes)
    return found


def score_rules(
    rules: Sequence[Rule],
    evaluations: Evaluations,
    outcomes: HorizonOutcomes,
    *,
    engine: Codes | None = None,
) -> list[TradeStats]:
    """The statistics of many rules, all on the same drawn blocks.

    engine: positions to compare each with (`engine_minus`); None compares with nothing.
    """
    positions = [rule.position for rule in rules] + ([] if engine is None else [engine])
    taken = [take(position, outcomes) for position in positions]
    columns = [
        column
        for trades in taken
        for column in (
            trades.spread(trades.win, len(evaluations)),
            trades.spread(trades.net_frac, len(evaluations)),
        )
    ]
    drawn = draw_means(columns, evaluations.at_ms, block_length_ms(outcomes))
    engine_net = None if engine is None else drawn[-1]
    return [
        _stats(rule.name, taken[k], drawn[2 * k], drawn[2 * k + 1], engine_net)
        for k, rule in enumerate(rules)
    ]


def _stats(
    name: str, taken: Taken, win: Drawn | None, net: Drawn | None, engine_net: Drawn | None
) -> TradeStats:
    wins = int(taken.win[taken.is_scored].sum())
    n = int(taken.is_scored.sum())
    effective_n = None if win is None else win.effective_n
    return TradeStats(
        name=name,
        emitted=taken.rows.size,
        scored=n,
        unscorable=int(taken.is_unscorable.sum()),
        open=int(taken.is_open.sum()),
        wins=wins,
        hit_rate=share_of(wins, n),
        hit_rate_apart=None if effective_n is None else share_of(wins / n * effective_n, effective_n),
        effective_n=effective_n,
        break_even=break_even_of(taken),
        mean_net=None if net is None or net.blocks < _MIN_BLOCKS else net.to_mean(),
        total_net_frac=float(taken.net_frac[taken.is_scored].sum()) if n else None,
        max_drawdown_frac=drawdown_of(taken) if n else None,
        engine_minus=minus(engine_net, net),
        barrier_break_even=barrier_break_even_of(taken),
    )


def share_of(wins: float, n: float) -> Share | None:
    """A share with its Wilson interval; None of nothing. n may be an effective one and is then rounded for
    show only."""
    interval = wilson(wins, n)
    return None if interval is None else Share(wins / n, *interval, n=max(1, round(n)))


def break_even_of(taken: Taken) -> float | None:
    """Share of wins at which these very trades would have earned nothing: mean loss over the sum of mean win
    and mean loss, time-outs as they came. Without a win or without a loss that of the barriers.

    Worked number: wins of 0.6 % and losses of 0.4 % on average -> 40 %.
    """
    kept = taken.is_scored
    won, net = taken.win[kept] > 0, taken.net_frac[kept]
    if not won.any() or won.all():
        return barrier_break_even_of(taken)
    gain, loss = float(net[won].mean()), -float(net[~won].mean())
    return loss / (gain + loss) if gain + loss > 0 and loss >= 0 else None


def barrier_break_even_of(taken: Taken) -> float | None:
    """The same for trades that all reach a barrier, at the mean barrier and mean cost of the scored ones.

    Worked number: barriers of 0.4 and 0.6 %, costs of 0.10 % -> 60 %.
    """
    if not taken.is_scored.any():
        return None
    barrier = float(taken.barrier_frac[taken.is_scored].mean())
    return break_even_rate(barrier, float(taken.cost_frac[taken.is_scored].mean())) if barrier > 0 else None


def running_total(taken: Taken) -> tuple[Ints, Floats]:
    """(moments at which trades ended, net of all that had ended by then), one unit of stake each. What ended
    at one moment is one step: its order is nobody's."""
    moments, place = np.unique(taken.end_ms[taken.is_scored], return_inverse=True)
    return moments, np.cumsum(np.bincount(place, weights=taken.net_frac[taken.is_scored]))


def drawdown_of(taken: Taken) -> float:
    """Largest fall of the running total."""
    return drawdown(running_total(taken)[1])


def minus(engine_net: Drawn | None, net: Drawn | None) -> Mean | None:
    """Mean net of the engine less the other's; None where either has trades in fewer than two blocks."""
    if engine_net is None or net is None or min(engine_net.blocks, net.blocks) < _MIN_BLOCKS:
        return None
    return difference(engine_net, net)
