"""The engine's own answers, shuffled within each coin over the evaluations in which it could speak: as many
LONGs and SHORTs, at moments that say nothing.

What a shuffle earns differs from shuffle to shuffle. Its hit rate and mean net are those of the mean shuffle,
and their intervals hold 95 % of the shuffles: not how sure a mean is, but how far chance alone goes. Trades
at random do not come in clumps as the engine's do, so that the engine may leave this interval by luck more
often than one time in twenty; `engine_minus` has its interval from blocks of time and does not suffer of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.core.calibration.blocks import SEED, draw_means
from app.core.domain.track_record import Mean, Share, TradeStats
from app.core.outcomes.costs import break_even_rate
from app.core.record.columns import (
    LONG,
    SCORED,
    SHORT,
    Codes,
    Evaluations,
    Flags,
    Floats,
    HorizonOutcomes,
    Ints,
)
from app.core.record.trades import block_length_ms, drawdown_of, minus, take

NAME = "random at the engine's rate"
SHUFFLES = 200


class _Shuffle(NamedTuple):
    """Totals of one shuffle."""

    scored: float
    unscorable: float
    open: float
    wins: float
    net_frac: float
    gain_frac: float
    drawdown_frac: float
    cost_frac: float
    barrier_frac: float


def score_random(evaluations: Evaluations, outcomes: HorizonOutcomes, covered: Flags) -> TradeStats:
    """Trades at random, beside the engine's. covered: evaluations with enough inputs for a direction.

    Counts, total and drawdown are means over the shuffles, counts rounded so that they add up. There is no
    effective n: the intervals come from shuffles, and `hit_rate_apart` is `hit_rate`.
    """
    position, rng = evaluations.direction, np.random.default_rng(SEED)
    spoken = np.unique(evaluations.coin[covered])
    coins = [np.flatnonzero(covered & (evaluations.coin == coin)) for coin in spoken]
    shuffles = [_shuffle(_mixed(position, coins, rng), outcomes) for _ in range(SHUFFLES)]
    mean = _Shuffle(*np.array(shuffles).mean(axis=0).tolist())
    counts = _whole((mean.scored, mean.unscorable, mean.open), int(np.count_nonzero(position)))
    if counts[0] == 0:
        return _nothing(unscorable=counts[1], open_=counts[2])
    barrier = break_even_rate(mean.barrier_frac, mean.cost_frac) if mean.barrier_frac > 0 else None
    traded = np.array([one for one in shuffles if one.scored])
    rates, nets = traded[:, 3] / traded[:, 0], traded[:, 4] / traded[:, 0]
    share = Share(float(rates.mean()), *_range(rates), n=counts[0])
    return TradeStats(
        name=NAME,
        emitted=sum(counts),
        scored=counts[0],
        unscorable=counts[1],
        open=counts[2],
        wins=min(counts[0], round(mean.wins)),
        hit_rate=share,
        hit_rate_apart=share,
        effective_n=None,
        break_even=_break_even(mean) or barrier,
        mean_net=Mean(float(nets.mean()), *_range(nets), n=counts[0], effective_n=float(counts[0])),
        total_net_frac=mean.net_frac,
        max_drawdown_frac=mean.drawdown_frac,
        engine_minus=_engine_minus(coins, evaluations, outcomes),
        barrier_break_even=barrier,
    )


def _mixed(position: Codes, coins: Sequence[Ints], rng: np.random.Generator) -> Codes:
    mixed = np.zeros_like(position)
    for rows in coins:
        mixed[rows] = rng.permutation(position[rows])
    return mixed


def _break_even(mean: _Shuffle) -> float | None:
    """Of all shuffled trades together, as `trades.break_even_of`."""
    losses = mean.scored - mean.wins
    if mean.wins <= 0 or losses <= 0:
        return None
    gain, loss = mean.gain_frac / mean.wins, (mean.gain_frac - mean.net_frac) / losses
    return loss / (gain + loss) if gain + loss > 0 and loss >= 0 else None


def _shuffle(position: Codes, outcomes: HorizonOutcomes) -> _Shuffle:
    taken = take(position, outcomes)
    kept = taken.is_scored
    return _Shuffle(
        scored=float(kept.sum()),
        unscorable=float(taken.is_unscorable.sum()),
        open=float(taken.is_open.sum()),
        wins=float(taken.win[kept].sum()),
        net_frac=float(taken.net_frac[kept].sum()),
        gain_frac=float(taken.net_frac[kept & (taken.win > 0)].sum()),
        drawdown_frac=drawdown_of(taken),
        cost_frac=float(taken.cost_frac[kept].sum()),
        barrier_frac=float(taken.barrier_frac[kept].sum()),
    )


def _range(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _whole(means: tuple[float, float, float], total: int) -> tuple[int, int, int]:
    """Whole counts next to their means that sum to `total`. Worked number: 5.4, 1.3, 0.3 of 7 -> 6, 1, 0."""
    counts = [int(mean) for mean in means]
    by_rest = sorted(range(3), key=lambda k: counts[k] - means[k])
    for k in by_rest[: total - sum(counts)]:
        counts[k] += 1
    return counts[0], counts[1], counts[2]


def _engine_minus(coins: Sequence[Ints], evaluations: Evaluations, outcomes: HorizonOutcomes) -> Mean | None:
    """Against what the shuffles earn on average: every evaluation weighs as often as they would trade it."""
    position = evaluations.direction
    engine = take(position, outcomes)
    as_long, as_short = np.zeros(position.size), np.zeros(position.size)
    for rows in coins:
        as_long[rows], as_short[rows] = np.mean(position[rows] == LONG), np.mean(position[rows] == SHORT)
    long = as_long * (outcomes.long.state == SCORED)
    short = as_short * (outcomes.short.state == SCORED)
    earned = _weighed(outcomes.long.net_frac, long) + _weighed(outcomes.short.net_frac, short)
    often = long + short
    per_trade = np.divide(earned, often, out=np.zeros(position.size), where=often > 0)
    columns = [engine.spread(engine.net_frac, position.size), (per_trade, often)]
    return minus(*draw_means(columns, evaluations.at_ms, block_length_ms(outcomes)))


def _weighed(value: Floats, weight: Floats) -> Floats:
    return np.where(weight > 0, value, 0.0) * weight


def _nothing(*, unscorable: int, open_: int) -> TradeStats:
    return TradeStats(
        name=NAME,
        emitted=unscorable + open_,
        scored=0,
        unscorable=unscorable,
        open=open_,
        wins=0,
        hit_rate=None,
        hit_rate_apart=None,
        effective_n=None,
        break_even=None,
        mean_net=None,
        total_net_frac=None,
        max_drawdown_frac=None,
    )
