"""Long/short: share of all accounts that are long. Contrarian: the crowd is read as wrong at its extremes.

x = long account share as a fraction (never a ratio). Ranked as a level.
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
    return level_evidence(context, config, Capability.ACCOUNT_RATIO, "long_account_share_frac")


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """-clip((p - 0.5) / 0.2). Worked number: 0.716 -> v -1, score 0."""
    return -clip_unit((x - 0.5) / scales.share_width_frac)


def words(x: float, sign: int, _parts: Mapping[str, float]) -> tuple[str, str]:
    # Ranked against itself, a coin can be unusually long and still have most accounts short.
    few = "few longs" if x < 0.5 else "fewer longs than usual"
    many = "crowded" if x > 0.5 else "more longs than usual"
    return f"{format_percent(x)} of accounts long", {1: few, 0: "ordinary", -1: many}[sign]


LONG_SHORT = Factor(
    name=FactorName.LONG_SHORT,
    unit="fraction of accounts",
    ranking=Ranking(signed=False, direction=-1),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
