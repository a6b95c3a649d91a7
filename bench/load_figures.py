"""What a phase of load came to: counts by status, latencies of admitted and refused apart, and its course.

A latency runs from the moment a question was due, not from when it could be sent: a server that stalls is
charged for the questions that waited meanwhile.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load_wire import Answer

REFUSALS = frozenset({429, 503})
BIN_S = 0.25


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least `share` of all at or under it; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread_ms(values_s: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    ordered = sorted(values_s)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {name: round(1000 * percentile(ordered, share), 3) for name, share in shares.items()}


@dataclass(slots=True)
class Bin:
    """A quarter of a second of the schedule: what became of the questions due in it."""

    admitted_s: list[float] = field(default_factory=list)
    refused: int = 0
    lost: int = 0


@dataclass(slots=True)
class Tally:
    """One phase. rate_per_s 0: a closed loop."""

    rate_per_s: float
    seconds: float
    statuses: Counter[str] = field(default_factory=Counter)
    admitted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    by_label_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits_s: Counter[int] = field(default_factory=Counter)
    without_wait: int = 0
    not_problems: int = 0
    lost: int = 0
    late_s: list[float] = field(default_factory=list)
    bins: defaultdict[int, Bin] = field(default_factory=lambda: defaultdict(Bin))

    def add(self, answer: Answer | None, label: str, due_in_s: float, took_s: float) -> None:
        """One question, due so long after the phase began; None: never answered."""
        course = self.bins[int(due_in_s / BIN_S)]
        if answer is None:
            self.lost += 1
            course.lost += 1
            return
        self.statuses[str(answer.status)] += 1
        if answer.status in REFUSALS:
            self.refused_s.append(took_s)
            course.refused += 1
            self._add_refusal(answer)
        else:
            self.admitted_s.append(took_s)
            self.by_label_s[label].append(took_s)
            course.admitted_s.append(took_s)

    def _add_refusal(self, answer: Answer) -> None:
        if answer.retry_after_s is None:
            self.without_wait += 1
        else:
            self.waits_s[answer.retry_after_s] += 1
        self.not_problems += not answer.is_problem

    def figures(self) -> dict[str, Any]:
        """Everything as JSON; the course as [second, admitted, refused, lost, p99 of admitted ms]."""
        labels = sorted(self.by_label_s.items())
        return {
            "ratePerS": self.rate_per_s,
            "seconds": self.seconds,
            "statuses": dict(sorted(self.statuses.items())),
            "lost": self.lost,
            "admitted": self._side(self.admitted_s),
            "refused": self._side(self.refused_s),
            "byLabel": {label: self._side(values) for label, values in labels},
            "refusedWithoutRetryAfter": self.without_wait,
            "refusedNotProblem": self.not_problems,
            "retryAfterS": {str(wait): count for wait, count in sorted(self.waits_s.items())},
            "generatorLateMs": spread_ms(self.late_s),
            "course": [self._course(number) for number in range(max(self.bins, default=-1) + 1)],
        }

    def _side(self, values_s: list[float]) -> dict[str, float]:
        return {"count": len(values_s), "perS": round(len(values_s) / self.seconds, 2)} | {
            f"{name}Ms": value for name, value in spread_ms(values_s).items()
        }

    def _course(self, number: int) -> list[float]:
        one = self.bins[number]
        p99_ms = round(1000 * percentile(sorted(one.admitted_s), 0.99), 3) if one.admitted_s else 0.0
        return [number * BIN_S, len(one.admitted_s), one.refused, one.lost, p99_ms]
