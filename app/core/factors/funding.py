"""Funding: what longs pay shorts, per eight hours. Contrarian: crowded longs are read as bearish.

x = f8, the last closed funding rate as a fraction per 8 h (positive: longs pay). Ranked as a level.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.context import Capability, EnhancedSignalContext
from app.core.domain.engine_config import AbsoluteScales, EngineConfig
from app.core.domain.formatting import format_signed_percent
from app.core.domain.quality import Missing
from app.core.domain.signal import FactorName
from app.core.factors.base import Evidence, Factor, clip_unit, level_evidence
from app.core.factors.ranking import Floats, Ranking

# The rate exchanges charge when perpetual and spot agree: interest of 0.01 % per 8 h.
BALANCED_FRAC = 0.0001


def evidence(context: EnhancedSignalContext, config: EngineConfig) -> Evidence | Missing:
    return level_evidence(context, config, Capability.FUNDING, "funding_8h_frac")


def absolute(x: Floats, scales: AbsoluteScales) -> Floats:
    """-clip((f8 - 0.0001) / 0.0004). Worked number: 0.0003 -> v -0.5, score 25."""
    return -clip_unit((x - scales.funding_centre_frac) / scales.funding_width_frac)


def words(x: float, sign: int, _parts: Mapping[str, float]) -> tuple[str, str]:
    return f"funding {format_signed_percent(x, 4)} per 8 h", {1: _relaxed(x), 0: "ordinary", -1: _crowded(x)}[
        sign
    ]


def _crowded(x: float) -> str:
    """High in its own history; longs are crowded only above the rate at which both sides are balanced."""
    if x > BALANCED_FRAC:
        return "longs are crowded"
    return "longs pay more than usual" if x > 0 else "shorts pay less than usual"


def _relaxed(x: float) -> str:
    return "shorts are crowded" if x < 0 else "longs pay less than usual"


FUNDING = Factor(
    name=FactorName.FUNDING,
    unit="fraction per 8 h",
    ranking=Ranking(signed=False, direction=-1),
    evidence=evidence,
    absolute=absolute,
    words=words,
)
