"""Evaluations and outcomes drawn at random, the same seen upside down, and how to spoil them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.core.domain.engine_config import Thresholds
from app.core.record.columns import (
    FACTOR_ORDER,
    LONG,
    OPEN,
    SCORED,
    SHORT,
    TRENDS,
    UNSCORABLE,
    Evaluations,
    HorizonOutcomes,
    SideOutcomes,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BALANCED = Thresholds(long=65.0, short=35.0)
START_MS = 20_000 * DAY_MS


def make_evaluations(hours: int, coins: int = 3, seed: int = 1) -> Evaluations:
    """Hourly ones. Scores in quarters, so that 100 - score is exact; symmetric around 50."""
    rng = np.random.default_rng(seed)
    n = hours * coins
    score = 50.0 + np.round(rng.normal(0.0, 15.0, n).clip(-49.0, 49.0) * 4) / 4
    v = rng.uniform(-1.0, 1.0, (n, len(FACTOR_ORDER)))
    v[rng.uniform(size=v.shape) < 0.1] = np.nan
    direction = np.zeros(n, dtype=np.int8)
    direction[score >= BALANCED.long], direction[score <= BALANCED.short] = LONG, SHORT
    return Evaluations(
        symbols=tuple(f"COIN{k}" for k in range(coins)),
        versions=("1.1.0",),
        at_ms=START_MS + np.repeat(np.arange(hours, dtype=np.int64), coins) * HOUR_MS,
        coin=np.tile(np.arange(coins, dtype=np.int64), hours),
        tier=np.tile(np.arange(coins, dtype=np.int8) % 3 + 1, hours),
        score=score,
        coverage=np.full(n, 0.9),
        direction=direction,
        level=rng.integers(0, 3, n).astype(np.int8),
        v=v,
        volatility=rng.choice([0, 1, 2, -9], n).astype(np.int8),
        trend=rng.choice([-1, 0, 1, -9], n).astype(np.int8),
    )


def make_outcomes(
    evaluations: Evaluations,
    *,
    edge: float = 0.0,
    cost_frac: float = 0.0016,
    horizon: str = "4h",
    length_ms: int = 4 * HOUR_MS,
    seed: int = 2,
) -> HorizonOutcomes:
    """Barriers of about 1 % touched first on either side. edge: how much of the chance that price rises
    follows the score (1: certain at score 100)."""
    rng = np.random.default_rng(seed)
    n = len(evaluations)
    rises = rng.uniform(size=n) < 0.5 + edge * (evaluations.score - 50.0) / 100.0
    barrier = rng.uniform(0.005, 0.015, n)
    end_ms = evaluations.at_ms + rng.integers(1, length_ms + 1, n)
    return HorizonOutcomes(
        horizon,
        length_ms,
        _side(rises, barrier, cost_frac, end_ms, rng),
        _side(~rises, barrier, cost_frac, end_ms, rng),
    )


def _side(
    wins: np.ndarray, barrier: np.ndarray, cost_frac: float, end_ms: np.ndarray, rng: np.random.Generator
) -> SideOutcomes:
    """A twentieth is open or unscorable, and what its figures hold is rubbish."""
    state = rng.choice([OPEN, UNSCORABLE] + [SCORED] * 38, wins.size).astype(np.int8)
    known = state == SCORED
    net = np.where(wins, barrier, -barrier) - cost_frac
    return SideOutcomes(
        state=state,
        win=wins & (net > 0),
        net_frac=np.where(known, net, np.nan),
        cost_frac=np.where(known, cost_frac, np.nan),
        barrier_frac=np.where(known, barrier, np.nan),
        end_ms=end_ms,
    )


def mirrored(evaluations: Evaluations) -> Evaluations:
    """The market upside down: what was bullish is bearish, what rose falls."""
    assert set(TRENDS) == {1, 0, -1, -9}
    return replace(
        evaluations,
        score=100.0 - evaluations.score,
        direction=-evaluations.direction,
        v=-evaluations.v,
        trend=np.where(evaluations.trend == -9, -9, -evaluations.trend).astype(np.int8),
    )


def swapped(outcomes: HorizonOutcomes) -> HorizonOutcomes:
    """Outcomes of the market upside down."""
    return replace(outcomes, long=outcomes.short, short=outcomes.long)


def shuffled(outcomes: HorizonOutcomes, evaluations: Evaluations, seed: int) -> HorizonOutcomes:
    """Outcomes of other moments: whatever they had to do with the score is gone. Times stay."""
    order = np.random.default_rng(seed).permutation(len(evaluations))
    kept = outcomes.long.end_ms - evaluations.at_ms
    sides = [
        replace(
            SideOutcomes(*(getattr(side, name)[order] for name in side.__slots__)),
            end_ms=evaluations.at_ms + kept[order],
        )
        for side in (outcomes.long, outcomes.short)
    ]
    return replace(outcomes, long=sides[0], short=sides[1])


def costlier(outcomes: HorizonOutcomes, times: float) -> HorizonOutcomes:
    """The same trades at so many times the costs."""
    sides = []
    for side in (outcomes.long, outcomes.short):
        net = side.net_frac - (times - 1.0) * side.cost_frac
        sides.append(replace(side, net_frac=net, cost_frac=times * side.cost_frac, win=side.win & (net > 0)))
    return replace(outcomes, long=sides[0], short=sides[1])
