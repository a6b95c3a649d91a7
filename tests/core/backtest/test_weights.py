"""The walk-forward over weights finds what is there, claims nothing else, and looks at no future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.core.backtest.variants import default_variant
from app.core.backtest.weights import WeightsReport, choose_weights, earned
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import HOUR_MS
from app.core.record.columns import (
    FACTOR_ORDER,
    LONG,
    NEUTRAL,
    OPEN,
    SCORED,
    SHORT,
    Evaluations,
    HorizonOutcomes,
    SideOutcomes,
)

CONFIG = EngineConfig()
HOURS = 3_000


def side(net: np.ndarray, at_ms: np.ndarray) -> SideOutcomes:
    return SideOutcomes(
        state=np.full(net.size, SCORED, dtype=np.int8),
        win=net > 0,
        net_frac=net,
        cost_frac=np.full(net.size, 0.0016),
        barrier_frac=np.full(net.size, 0.01),
        end_ms=at_ms + 4 * HOUR_MS,
    )


def market(seed: int, *, teller: int | None) -> tuple[Evaluations, HorizonOutcomes]:
    """Eight noisy factors; `teller` is the one whose v tells what the next hours bring."""
    rng = np.random.default_rng(seed)
    at_ms = np.arange(HOURS, dtype=np.int64) * HOUR_MS
    v = np.clip(rng.normal(0, 0.9, (HOURS, len(FACTOR_ORDER))), -1, 1)
    drift = rng.normal(0, 0.006, HOURS)
    if teller is not None:
        drift += 0.012 * v[:, teller]
    codes = np.zeros(HOURS, dtype=np.int8)
    evaluations = Evaluations(
        symbols=("BTC",),
        versions=("1.1.0",),
        at_ms=at_ms,
        coin=np.zeros(HOURS, dtype=np.int64),
        tier=codes + 1,
        score=np.full(HOURS, 50.0),
        coverage=np.ones(HOURS),
        direction=codes,
        level=codes,
        v=v,
        volatility=codes,
        trend=codes,
    )
    outcomes = HorizonOutcomes("4h", 4 * HOUR_MS, side(drift - 0.0016, at_ms), side(-drift - 0.0016, at_ms))
    return evaluations, outcomes


def test_weights_that_would_have_been_better_are_found_and_said_to_be() -> None:
    teller = FACTOR_ORDER.index(CONFIG_SMALLEST)
    found = choose_weights(*market(5, teller=teller), CONFIG)
    default = default_variant(CONFIG).weights[teller]
    assert all(fold.chosen.weights[teller] > default for fold in found.folds)
    assert found.beats_default
    assert found.net_frac > found.default_net_frac


CONFIG_SMALLEST = min(FACTOR_ORDER, key=lambda name: CONFIG.weights[name])


def test_where_nothing_tells_anything_no_weights_beat_the_default() -> None:
    beaten = [choose_weights(*market(seed, teller=None), CONFIG).beats_default for seed in range(8)]
    assert sum(beaten) <= 1


def test_what_happens_after_a_fold_changes_nothing_in_it() -> None:
    evaluations, outcomes = market(11, teller=2)
    whole = choose_weights(evaluations, outcomes, CONFIG)
    cut_ms = whole.folds[3].from_ms
    # From here on it pays to go against what had told the way, and by much.
    turned = -0.5 * evaluations.v[:, 2]
    changed = [
        replace(one, net_frac=np.where(one.end_ms > cut_ms, net, one.net_frac))
        for one, net in ((outcomes.long, turned), (outcomes.short, -turned))
    ]
    other = choose_weights(evaluations, HorizonOutcomes("4h", 4 * HOUR_MS, *changed), CONFIG)
    assert chosen(other)[:4] == chosen(whole)[:4]
    assert chosen(other)[4:] != chosen(whole)[4:]


def chosen(report: WeightsReport) -> list[str]:
    return [fold.chosen.name for fold in report.folds]


def test_only_scored_trades_earn() -> None:
    evaluations, outcomes = market(2, teller=None)
    outcomes.long.state[0] = OPEN
    position = np.zeros(HOURS, dtype=np.int8)
    position[:3] = LONG, LONG, SHORT
    pay = earned(position, outcomes)
    assert pay[0] == 0.0
    assert pay[1] == outcomes.long.net_frac[1]
    assert pay[2] == outcomes.short.net_frac[2]
    assert not pay[3:].any()
    assert (position[3:] == NEUTRAL).all()
    assert len(evaluations) == HOURS
