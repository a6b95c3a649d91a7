"""What weights a walk-forward would have chosen, and whether they would have beaten the default.

Proposes, never changes: the weights that answer are configuration. Pure; called by `python -m app.backtest
weights`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.core.backtest.variants import Variant, positions_of, weight_candidates
from app.core.backtest.walk_forward import walk_forward
from app.core.calibration.blocks import FEW_BLOCKS
from app.core.calibration.scores import block_bootstrap
from app.core.domain.engine_config import EngineConfig
from app.core.domain.track_record import Mean
from app.core.record.columns import LONG, SCORED, SHORT, Codes, Evaluations, Flags, Floats, HorizonOutcomes
from app.core.record.trades import block_length_ms

# Fewer trades on the past choose by luck.
MIN_TRADES = 30


@dataclass(frozen=True, slots=True)
class ChosenFold:
    """One fold. chosen: the best on the past by net return per evaluation; net returns are sums over the
    fold's evaluations, of one unit of stake a trade, after costs."""

    from_ms: int
    to_ms: int
    chosen: Variant
    train_trades: int
    trades: int
    net_frac: float
    default_trades: int
    default_net_frac: float


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """candidates: how many were offered to each fold. per_evaluation: net return of what was chosen less that
    of the default, per evaluation after the first third, None from fewer than 20 blocks of time;
    beats_default: its whole interval lies above 0."""

    horizon: str
    candidates: int
    folds: tuple[ChosenFold, ...]
    trades: int
    net_frac: float
    default_trades: int
    default_net_frac: float
    per_evaluation: Mean | None
    beats_default: bool


def choose_weights(
    evaluations: Evaluations, outcomes: HorizonOutcomes, config: EngineConfig
) -> WeightsReport:
    """Let every fold choose among the same candidates on its past."""
    candidates = weight_candidates(config)
    taken = positions_of(candidates, evaluations, config)
    pays = np.stack([earned(position, outcomes) for position in taken], axis=1)
    trades = np.stack([is_scored(position, outcomes) for position in taken], axis=1)
    end_ms = np.maximum(outcomes.long.end_ms, outcomes.short.end_ms)
    folds: list[ChosenFold] = []
    chosen_pay = np.zeros(len(evaluations))
    judged = np.zeros(len(evaluations), dtype=np.bool_)
    for fold in walk_forward(evaluations.at_ms, end_ms, outcomes.length_ms):
        best = _best(pays[fold.train], trades[fold.train])
        chosen_pay[fold.test] = pays[fold.test, best]
        judged |= fold.test
        folds.append(
            ChosenFold(
                from_ms=fold.from_ms,
                to_ms=fold.to_ms,
                chosen=candidates[best],
                train_trades=int(trades[fold.train, best].sum()),
                trades=int(trades[fold.test, best].sum()),
                net_frac=float(pays[fold.test, best].sum()),
                default_trades=int(trades[fold.test, 0].sum()),
                default_net_frac=float(pays[fold.test, 0].sum()),
            )
        )
    difference = _difference(chosen_pay - pays[:, 0], judged, evaluations, block_length_ms(outcomes))
    return WeightsReport(
        horizon=outcomes.horizon,
        candidates=len(candidates),
        folds=tuple(folds),
        trades=sum(fold.trades for fold in folds),
        net_frac=sum(fold.net_frac for fold in folds),
        default_trades=sum(fold.default_trades for fold in folds),
        default_net_frac=sum(fold.default_net_frac for fold in folds),
        per_evaluation=difference,
        beats_default=difference is not None and difference.low > 0.0,
    )


def is_scored(position: Codes, outcomes: HorizonOutcomes) -> Flags:
    """Which evaluations are trades of this position that have an end."""
    long = (position == LONG) & (outcomes.long.state == SCORED)
    found: Flags = long | ((position == SHORT) & (outcomes.short.state == SCORED))
    return found


def earned(position: Codes, outcomes: HorizonOutcomes) -> Floats:
    """Net return of each evaluation's trade; 0 where there is none, or none that can be scored."""
    long = (position == LONG) & (outcomes.long.state == SCORED)
    short = (position == SHORT) & (outcomes.short.state == SCORED)
    return np.where(long, outcomes.long.net_frac, np.where(short, outcomes.short.net_frac, 0.0))


def _best(pays: Floats, trades: Flags) -> int:
    """Column with the highest net return; the default (the first) where nothing was traded often enough."""
    enough = trades.sum(axis=0) >= MIN_TRADES
    if not enough.any():
        return 0
    return int(np.argmax(np.where(enough, pays.sum(axis=0), -np.inf)))


def _difference(
    per_evaluation: Floats, judged: Flags, evaluations: Evaluations, block_ms: int
) -> Mean | None:
    if np.unique(evaluations.at_ms[judged] // block_ms).size < FEW_BLOCKS:
        return None
    return block_bootstrap(per_evaluation[judged], evaluations.at_ms[judged], block_ms)
