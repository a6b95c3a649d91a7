"""Other weights on the same factor columns: what each says, and how many were ever tried.

Every rule that was looked at counts, because the best of many worthless rules looks good: the number goes
into the deflated Sharpe ratio of every record. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.domain.engine_config import EngineConfig, Thresholds
from app.core.domain.signal import FactorName, Mode
from app.core.record.columns import FACTOR_ORDER, LONG, NEUTRAL, SHORT, Codes, Evaluations, Floats

# Engine 1.0.0 answered before 1.1.0 and was measured on the same recordings.
EARLIER_ENGINES = 1
# Always long and always short ask no factor; a coin thrown is no variant.
_MARKET_RULES = 2
SENSITIVITY = (0.5, 1.5)
DRAWN_WEIGHTS = 200
_SEED = 20_261_126


@dataclass(frozen=True, slots=True)
class Variant:
    """Weights by factor (they sum to 100) under a name."""

    name: str
    weights: tuple[float, ...]


def score_with(weights: Floats, v: Floats, ok: Floats) -> tuple[Floats, Floats]:
    """(score 0-100, coverage 0..1) under other weights (in FACTOR_ORDER, sum 100).

    v: 0 where a factor did not count (it scores neutral at its full weight, as in the engine); ok: 1 where it
    did, else 0.
    """
    return np.clip(50.0 + 0.5 * (v @ weights), 0.0, 100.0), ok @ weights / 100.0


def positions(score: Floats, coverage: Floats, pair: Thresholds, min_coverage_frac: float) -> Codes:
    """LONG, NEUTRAL or SHORT; under the least coverage NEUTRAL whatever the score."""
    found = np.where(score >= pair.long, LONG, np.where(score <= pair.short, SHORT, NEUTRAL))
    return np.where(coverage >= min_coverage_frac, found, NEUTRAL).astype(np.int8)


def position_of(variant: Variant, evaluations: Evaluations, config: EngineConfig) -> Codes:
    """What the variant would have said in balanced mode."""
    return positions_of([variant], evaluations, config)[0]


def positions_of(variants: Sequence[Variant], evaluations: Evaluations, config: EngineConfig) -> list[Codes]:
    """The same of many variants."""
    ok = np.isfinite(evaluations.v)
    v, counted = np.where(ok, evaluations.v, 0.0), ok.astype(np.float64)
    pair, least = config.thresholds[Mode.BALANCED], config.least_coverage_frac
    return [positions(*score_with(np.array(one.weights), v, counted), pair, least) for one in variants]


def default_variant(config: EngineConfig) -> Variant:
    return Variant("default", _ordered(config.weights))


def without(config: EngineConfig, name: FactorName) -> Variant:
    """The engine without one factor; the other weights keep their proportions.

    Worked number: without liquidations (20) funding's 15 becomes 15 * 100 / 80 = 18.75.
    """
    return _scaled(f"without {name.value}", config.weights, name, 0.0)


def sensitivity(config: EngineConfig) -> tuple[Variant, ...]:
    """Each weight halved, and half as much again; the others keep their proportions."""
    return tuple(
        _scaled(f"{name.value} x {factor:g}", config.weights, name, factor)
        for name in FACTOR_ORDER
        for factor in SENSITIVITY
    )


def drawn_weights(config: EngineConfig) -> tuple[Variant, ...]:
    """Weights drawn around the default (Dirichlet, seeded): the same ones in every run."""
    base = np.array(_ordered(config.weights)) / 100.0
    rng = np.random.default_rng(_SEED)
    # Eight pseudo-counts in all: most draws keep the order of magnitude, some drop a factor.
    drawn = 100.0 * rng.dirichlet(np.maximum(base, 0.01) * 8.0, DRAWN_WEIGHTS)
    return tuple(Variant(f"drawn {index}", tuple(row)) for index, row in enumerate(drawn.tolist(), start=1))


def weight_candidates(config: EngineConfig) -> tuple[Variant, ...]:
    """What the walk-forward may choose from, the default first."""
    equal = Variant("equal", (100.0 / len(FACTOR_ORDER),) * len(FACTOR_ORDER))
    left_out = tuple(without(config, name) for name in FACTOR_ORDER if config.weights[name] < 100.0)
    return (default_variant(config), equal, *left_out, *sensitivity(config), *drawn_weights(config))


def ever_tried(config: EngineConfig) -> int:
    """Rules ever measured on the same recordings: engines, modes, market rules, each factor alone, and every
    set of weights that a choice was offered.

    Worked number: 1 earlier engine + 3 modes + 2 + 8 + 1 equal + 8 left out + 16 + 200 drawn = 239.
    """
    alone = len(FACTOR_ORDER)
    others = len(weight_candidates(config)) - 1
    return EARLIER_ENGINES + len(Mode) + _MARKET_RULES + alone + others


def _scaled(name: str, weights: Mapping[FactorName, float], changed: FactorName, factor: float) -> Variant:
    raw = [weights[one] * (factor if one is changed else 1.0) for one in FACTOR_ORDER]
    total = sum(raw)
    return Variant(name, tuple(100.0 * one / total for one in raw))


def _ordered(weights: Mapping[FactorName, float]) -> tuple[float, ...]:
    return tuple(weights[name] for name in FACTOR_ORDER)
