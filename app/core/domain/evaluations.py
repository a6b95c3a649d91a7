"""Scheduled evaluations as the record reads them: one per coin and full UTC hour, and what became of hours.

Only these count: signals made on request choose their moments. Times are UTC epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class HourState(StrEnum):
    """How far one coin's evaluation of one hour came."""

    CLAIMED = "claimed"  # somebody began; stays so when that process died
    MADE = "made"
    FAILED = "failed"


class EvaluationFailure(StrEnum):
    """Why an hour that somebody tried has no evaluation."""

    NO_PRICE = "no_price"
    STALE_PRICE = "stale_price"
    LATE = "late"  # made when the moment of its hour was over


class Moment(NamedTuple):
    """When an evaluation counts for its hour: from from_ms on and before until_ms."""

    from_ms: int
    until_ms: int

    def holds(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms < self.until_ms


class EvaluationRef(NamedTuple):
    """An evaluation whose trades nobody follows yet. id: of the stored signal; made_ms: when the answer
    was there, so that nobody entered before."""

    id: str
    symbol: str
    made_ms: int


class EvaluationRow(NamedTuple):
    """One scheduled evaluation, in balanced mode.

    score: 0-100; coverage: 0..1; level: of confidence (low, medium, high); v: per factor in the order of
    `FactorName`, -1 bearish .. +1 bullish, NaN where the factor did not count.
    """

    id: str
    symbol: str
    as_of_ms: int
    direction: str
    score: float
    coverage: float
    level: str
    engine_version: str
    v: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HourCount:
    """Hours of one coin from the first that anybody tried to the last.

    expected: all hours between both, both included; made: those with an evaluation; failed: by reason. What
    of `expected` is neither was missed: nobody ran, or who ran died.
    """

    symbol: str
    expected: int
    made: int
    failed: Mapping[str, int]
