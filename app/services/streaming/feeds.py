"""Which upstream a finding comes from, for the line of an alert that names its source."""

from __future__ import annotations

from app.core.domain.flow import AlertKind, Finding
from app.core.flow.engine import FlowEngine

# Large positions are CoinGlass's list of Hyperliquid's, polled and not streamed.
_WHALES = ("coinglass",)


def feeds_of(engine: FlowEngine, finding: Finding, now_ms: int) -> tuple[str, ...]:
    """The stream that the coin's events came from; () while none is known."""
    if finding.kind is AlertKind.WHALE_POSITION:
        return _WHALES
    snapshot = engine.snapshot(finding.symbol, now_ms)
    return (snapshot.source,) if snapshot is not None and snapshot.source else ()
