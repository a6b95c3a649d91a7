"""Market sentiment of one coin, as it is answered. Standard library and domain only."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.signal import FactorScore


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
