"""Market sentiment: the engine's sub-scores of five inputs, their weights brought to 100. Pure."""

from __future__ import annotations

import math

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.sentiment import Sentiment
from app.core.domain.signal import FactorName, FactorStatus
from app.core.factors.registry import FACTORS
from app.core.factors.scoring import score_factor

INPUTS = (
    FactorName.FUNDING,
    FactorName.OI_TREND,
    FactorName.LONG_SHORT,
    FactorName.LIQUIDATIONS,
    FactorName.FEAR_GREED,
)


def measure_sentiment(context: EnhancedSignalContext, config: EngineConfig) -> Sentiment:
    """A missing input counts 50 at its weight. Worked number: funding 80 (weight 15) and 50 elsewhere (50 of
    65) -> 50 + 30 * 15/65 = 56.923077."""
    factors = [score_factor(factor, context, config) for factor in FACTORS if factor.name in INPUTS]
    total = math.fsum(factor.weight for factor in factors)
    parts = tuple((factor, 100.0 * factor.weight / total) for factor in factors)
    return Sentiment(
        score=min(100.0, math.fsum(factor.score * weight for factor, weight in parts) / 100.0),
        parts=parts,
        coverage=math.fsum(weight for factor, weight in parts if factor.status is FactorStatus.OK) / 100.0,
    )
