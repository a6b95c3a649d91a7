"""Market sentiment of one coin, as it is answered, and the words of the market-wide index.

Standard library and domain only.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.signal import FactorScore

# Classes of the fear & greed index by its own publisher, upper ends inclusive.
_FEAR_CLASSES = ((24, "extreme_fear"), (44, "fear"), (55, "neutral"), (74, "greed"), (100, "extreme_greed"))


def fear_class(value: float) -> str:
    """The index in words: 24 -> `extreme_fear`, 25 -> `fear`, 50 -> `neutral`."""
    return next(name for end, name in _FEAR_CLASSES if round(value) <= end)


@dataclass(frozen=True, slots=True)
class Sentiment:
    """score: 0 bearish, 50 neutral, 100 bullish. parts: (factor, weight of 100). coverage: share with
    data."""

    score: float
    parts: tuple[tuple[FactorScore, float], ...]
    coverage: float

    @property
    def label(self) -> str:
        """In words: 45 to 55 is neutral, under 35 bearish, from 65 bullish, between them it leans."""
        for below, label in ((35.0, "bearish"), (45.0, "leaning bearish"), (55.0, "neutral")):
            if self.score < below:
                return label
        return "leaning bullish" if self.score < 65.0 else "bullish"


@dataclass(frozen=True, slots=True)
class SentimentAnswer:
    """The sentiment with the frame it was asked for."""

    sentiment: Sentiment
    liquidity: LiquidityAnswer
