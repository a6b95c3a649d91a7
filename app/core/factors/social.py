"""Social: LunarCrush galaxy score against the coin's own usual level. Followed.

x = score 0-100. 50 is not its middle (large coins usually sit at 70-80), so there is no absolute scale:
without 100 earlier points the factor is missing and says how much history it has.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import Evidence, Factor, level_evidence
from app.core.factors.ranking import Ranking


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    return level_evidence(context, config, Capability.SOCIAL, "galaxy_score")


def words(x: float, sign: int, _parts: Mapping[str, float]) -> tuple[str, str]:
    meaning = {1: "livelier than usual", 0: "as usual", -1: "quieter than usual"}[sign]
    return f"galaxy score {x:.1f}", meaning


SOCIAL = Factor(
    name=FactorName.SOCIAL,
    unit="score 0-100",
    ranking=Ranking(signed=False, direction=1),
    evidence=evidence,
    absolute=None,
    words=words,
)
