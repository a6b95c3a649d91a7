"""How loud an alert is: urgent ones pass quiet hours and the hourly cap, so there must be few.

Pure; called by `desk`. Within one episode an alert only gets louder.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.core.domain.alerts import Severity
from app.core.domain.flow import AlertKind, Phase, TradeLevels

# Five times the tier's threshold: $10M of BTC, $1M of SOL, $250K of a small coin in half a minute.
URGENT_RATIO = 5.0

# Circumstances rather than events: worth reading, nothing to be woken for.
_INFO = frozenset({AlertKind.VOLUME_SPIKE, AlertKind.FUNDING_EXTREME, AlertKind.OI_SPIKE, AlertKind.HEATMAP})
RANK: Mapping[Severity, int] = {Severity.INFO: 0, Severity.WATCH: 1, Severity.URGENT: 2}


def severity_of(
    kind: AlertKind,
    *,
    ratio: float,
    phase: Phase | None,
    levels: TradeLevels | None,
    urgent_ratio: float = URGENT_RATIO,
) -> Severity:
    """URGENT: a cascade of `urgent_ratio` thresholds or more, or a reclaimed one with levels to act on.

    INFO: volume spike, funding, open interest, heatmap. Everything else is WATCH.
    """
    if kind is AlertKind.STOP_HUNT:
        is_actionable = phase is Phase.RECLAIM and levels is not None
        return Severity.URGENT if ratio >= urgent_ratio or is_actionable else Severity.WATCH
    return Severity.INFO if kind in _INFO else Severity.WATCH


def louder(one: Severity, other: Severity) -> Severity:
    return one if RANK[one] >= RANK[other] else other
