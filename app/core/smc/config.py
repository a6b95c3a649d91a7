"""What can be set in the Smart Money engine. Defaults are those of the definitions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import InvariantViolation


class BlockBreak(StrEnum):
    """What breaks an order block: a wick beyond it, or a candle's body."""

    WICK = "wick"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class SmcConfig:
    """left, right: bars beside a swing; it is known `right` bars later. max_age_bars: gaps and blocks end
    when they are older. equal_atr: how far (in ATR) equal highs or lows may lie apart. late_bars: bars after
    a run in which a close back inside still makes it a sweep."""

    left: int = 5
    right: int = 5
    max_age_bars: int = 500
    equal_atr: float = 0.1
    late_bars: int = 3
    block_break: BlockBreak = BlockBreak.WICK

    def __post_init__(self) -> None:
        if min(self.left, self.right, self.max_age_bars, self.late_bars) < 1 or self.equal_atr < 0:
            raise InvariantViolation("the Smart Money engine: bars and ages from 1, tolerance from 0")


DEFAULT_CONFIG = SmcConfig()
