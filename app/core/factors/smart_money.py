"""Smart money: long share of the positions of top traders. Followed: large positions are read as informed.

x = long position share of top traders as a fraction (positions, not accounts). Ranked as a level.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.formatting import format_percent
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import Evidence, Factor, clip_unit, level_evidence
from app.core.factors.ranking import Floats, Ranking


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    return level_evidence(context, config, Capability.TOP_POSITION_RATIO, "top_long_position_share_frac")


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """clip((q - 0.5) / 0.2). Worked number: 0.6 -> v 0.5, score 75."""
    return clip_unit((x - 0.5) / scales.share_width_frac)


def words(x: float, sign: int, _parts: Mapping[str, float]) -> tuple[str, str]:
    up = "top traders lean long" if x > 0.5 else "less short than usual"
    down = "top traders lean short" if x < 0.5 else "less long than usual"
    return f"{format_percent(x)} of top-trader positions long", {1: up, 0: "ordinary", -1: down}[sign]


SMART_MONEY = Factor(
    name=FactorName.SMART_MONEY,
    unit="fraction of positions",
    ranking=Ranking(signed=False, direction=1),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
