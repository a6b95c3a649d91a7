"""Fear & greed: the daily market-wide index. Contrarian: fear is read as bullish, greed as bearish.

x = index 0-100, ranked as a level within its own last 365 days (one value a day).
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import Evidence, Factor, clip_unit, level_evidence
from app.core.factors.ranking import Floats, Ranking


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    return level_evidence(context, config, Capability.FEAR_GREED, "fear_greed_index")


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """-(index - 50) / 50. Worked number: 20 -> v 0.6, score 80."""
    return -clip_unit((x - 50.0) / scales.fear_greed_width)


def words(x: float, sign: int, _parts: Mapping[str, float]) -> tuple[str, str]:
    meaning = {1: "more fear than usual", 0: "ordinary", -1: "more greed than usual"}[sign]
    return f"fear & greed index {x:.0f}", meaning


def _history_days(config: EngineConfig) -> float:
    return config.fear_greed_history_days


FEAR_GREED = Factor(
    name=FactorName.FEAR_GREED,
    unit="index 0-100",
    ranking=Ranking(signed=False, direction=-1),
    evidence=evidence,
    absolute=absolute,
    words=words,
    history_days=_history_days,
)
