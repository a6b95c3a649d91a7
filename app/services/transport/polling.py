"""Which resource to ask for next, and how fresh a budget can keep them at best. Pure arithmetic.

The rule: of the resources that may be asked, the one with the largest weight times squared age. Whoever
waits until weight x age^2 passes a common threshold is asked every sqrt(threshold / weight) seconds, so rates
follow the square root of demand, which minimises the demand-weighted mean age for a given number of calls.
Called by `planner`; nothing here knows a clock or a provider.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Demand fades by half in this time: what nobody asks for any more soon costs nothing.
HALF_LIFE_S = 600.0


@dataclass(slots=True)
class Demand:
    """How often something was asked for lately: every question counts 1 and fades.

    Worked number: 4 questions now are 2.0 after ten minutes and 1.0 after twenty.
    """

    value: float = 0.0
    at_s: float = 0.0

    def read(self, now_s: float) -> float:
        half_lives = max(0.0, now_s - self.at_s) / HALF_LIFE_S
        return self.value * math.pow(0.5, half_lives)

    def add(self, count: float, now_s: float) -> None:
        self.value = self.read(now_s) + count
        self.at_s = now_s


def urgency(weight: float, age_s: float) -> float:
    """Weight times squared age: what is gained by asking now.

    Worked numbers: weight 4 after 10 s is as urgent as weight 1 after 20 s: 400.
    """
    return weight * age_s * age_s


def ideal_periods_s(
    weights: Sequence[float], min_periods_s: Sequence[float], calls_per_s: float
) -> list[float]:
    """Seconds between calls per resource that minimise sum(weight x period / 2) within `calls_per_s`.

    Periods are proportional to 1 / sqrt(weight) and never below the provider's own renewal. A weight of 0 is
    never asked (infinity). Worked numbers: weights 4 and 1, no minimum, 0.3 calls a second -> 5 and 10 s.
    """
    periods = [math.inf] * len(weights)
    free = [index for index, weight in enumerate(weights) if weight > 0]
    left = calls_per_s
    while free and left > 0:
        total = sum(math.sqrt(weights[index]) for index in free)
        scale = total / left
        capped = [index for index in free if scale / math.sqrt(weights[index]) < min_periods_s[index]]
        if not capped:
            for index in free:
                periods[index] = scale / math.sqrt(weights[index])
            break
        for index in capped:
            periods[index] = min_periods_s[index]
            left -= 1 / min_periods_s[index]
        free = [index for index in free if index not in set(capped)]
    return periods


def mean_age_s(weights: Iterable[float], ages_s: Iterable[float]) -> float | None:
    """Demand-weighted mean; None without demand."""
    rows = list(zip(weights, ages_s, strict=True))
    weight = sum(row[0] for row in rows)
    return sum(w * age for w, age in rows) / weight if weight > 0 else None
