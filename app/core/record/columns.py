"""Evaluations and what became of them, as columns: the one shape that live records and backtests share.

Owns nothing but shapes. Rows are in order of (at_ms, symbol). A side's outcomes are known for every
evaluation, NEUTRAL ones too: baselines need what a trade would have earned whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.core.domain.signal import ConfidenceLevel, FactorName

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Codes: TypeAlias = NDArray[np.int8]
Flags: TypeAlias = NDArray[np.bool_]

LONG: Final = 1
NEUTRAL: Final = 0
SHORT: Final = -1
UNKNOWN: Final = -9  # regimes only: there was not enough history to tell

LEVELS: Final = (ConfidenceLevel.LOW, ConfidenceLevel.MEDIUM, ConfidenceLevel.HIGH)
VOLATILITIES: Final[Mapping[int, str]] = {0: "low", 1: "middle", 2: "high", UNKNOWN: "unknown"}
TRENDS: Final[Mapping[int, str]] = {1: "up", 0: "none", -1: "down", UNKNOWN: "unknown"}
FACTOR_ORDER: Final = tuple(FactorName)

OPEN: Final = 0
UNSCORABLE: Final = 1
SCORED: Final = 2


@dataclass(frozen=True, slots=True)
class Evaluations:
    """One row per scheduled evaluation.

    coin: index into `symbols`. direction: LONG, NEUTRAL or SHORT as answered in balanced mode. level: index
    into LEVELS. v: one column per factor in FACTOR_ORDER, -1..1, NaN where the factor did not count.
    volatility, trend: codes of VOLATILITIES and TRENDS. versions: engine versions that occur.
    """

    symbols: tuple[str, ...]
    versions: tuple[str, ...]
    at_ms: Ints
    coin: Ints
    tier: Codes
    score: Floats
    coverage: Floats
    direction: Codes
    level: Codes
    v: Floats
    volatility: Codes
    trend: Codes

    def __len__(self) -> int:
        return self.at_ms.size

    def where(self, kept: Flags) -> Evaluations:
        """The chosen rows."""
        columns = {
            field.name: getattr(self, field.name)[kept]
            for field in fields(self)
            if field.name not in ("symbols", "versions")
        }
        return Evaluations(self.symbols, self.versions, **columns)


@dataclass(frozen=True, slots=True)
class SideOutcomes:
    """What taking ONE side came to at ONE horizon, one row per evaluation.

    state: OPEN, UNSCORABLE or SCORED; everything else means something only where SCORED. win: the target
    came first, or time ran out, and more was earned than the costs. net_frac: after costs and funding, of the
    entry's notional. cost_frac: what was taken off. barrier_frac: distance of the barriers over the entry
    price. end_ms: when it was over.
    """

    state: Codes
    win: Flags
    net_frac: Floats
    cost_frac: Floats
    barrier_frac: Floats
    end_ms: Ints

    def where(self, kept: Flags) -> SideOutcomes:
        """The chosen rows."""
        return SideOutcomes(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class HorizonOutcomes:
    """Both sides at one horizon of `length_ms`."""

    horizon: str
    length_ms: int
    long: SideOutcomes
    short: SideOutcomes

    def where(self, kept: Flags) -> HorizonOutcomes:
        """The chosen rows."""
        return HorizonOutcomes(self.horizon, self.length_ms, self.long.where(kept), self.short.where(kept))
