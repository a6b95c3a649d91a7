"""What a run of answers looked like: score distribution, shares per mode, missing inputs, rank correlation.

Pure arithmetic over answers already collected; the replay command collects and writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True, slots=True)
class AnsweredStep:
    """One answer at one market time.

    directions: direction per mode name. score: 0-100. coverage: 0..1. missing: names of factors that did not
    count. price_usd: the price the answer carried.
    """

    as_of_ms: int
    score: float
    coverage: float
    price_usd: float
    directions: Mapping[str, str]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares are fractions of the answered steps; percentiles and sd are in score points.

    rank_correlation: Spearman between score and the return over the next n steps; None with fewer than 30
    pairs or when either side never moves.
    """

    steps: int
    score_sd: float
    score_mean: float
    score_percentiles: Mapping[int, float]
    shares: Mapping[str, Mapping[str, float]]
    coverage_steps: Mapping[float, int]
    missing_steps: Mapping[str, int]
    rank_correlation: Mapping[int, float | None]


def build_distribution(steps: Sequence[AnsweredStep], horizons: Sequence[int] = (1, 4, 24)) -> Distribution:
    """Summarise answered steps that are evenly spaced in market time.

    Raises:
        ValueError: no steps.
    """
    if not steps:
        raise ValueError("nothing was answered, so there is no distribution")
    scores = np.array([step.score for step in steps])
    prices = np.array([step.price_usd for step in steps])
    modes = steps[0].directions.keys()
    return Distribution(
        steps=len(steps),
        score_sd=float(scores.std()),
        score_mean=float(scores.mean()),
        score_percentiles={p: float(np.percentile(scores, p)) for p in PERCENTILES},
        shares={mode: _shares([step.directions[mode] for step in steps]) for mode in modes},
        coverage_steps=dict(Counter(round(step.coverage, 2) for step in steps).most_common()),
        missing_steps=dict(Counter(name for step in steps for name in step.missing).most_common()),
        rank_correlation={n: _rank_correlation_ahead(scores, prices, n) for n in horizons},
    )


def _shares(directions: Sequence[str]) -> dict[str, float]:
    counts = Counter(directions)
    return {name: counts[name] / len(directions) for name in ("LONG", "NEUTRAL", "SHORT")}


def _rank_correlation_ahead(
    scores: NDArray[np.float64], prices: NDArray[np.float64], steps_ahead: int
) -> float | None:
    if len(scores) - steps_ahead < 30:
        return None
    returns = np.log(prices[steps_ahead:] / prices[:-steps_ahead])
    return spearman(scores[:-steps_ahead], returns)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation with ties averaged; None when one side is constant.

    Worked number: a = 1, 2, 3, 4 and b = 10, 30, 20, 40 -> 0.8.
    """
    ranks_a, ranks_b = _average_ranks(a), _average_ranks(b)
    if ranks_a.std() == 0 or ranks_b.std() == 0:
        return None
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def _average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    ranks: NDArray[np.float64] = (below + not_above) / 2.0
    return ranks
