"""How long a condition has held: one episode of a detector that watches sums instead of a state machine.

An episode begins with the event that made the condition true and keeps the strongest reading it saw, so what
is said at the end is its peak. Used by `order_flow` and `bursts`.
"""

from __future__ import annotations

from typing import NamedTuple

from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.flow.market import confidence


class Reading(NamedTuple):
    """What a detector reads when its condition holds. share: of the dominant side; threshold_usd: of the tier
    (its cascade threshold)."""

    usd: float
    share: float
    threshold_usd: float
    window_s: int
    direction: Direction
    side: LiquidatedSide | None
    percentile: float | None
    evidence: tuple[tuple[str, float], ...]

    @property
    def confidence(self) -> float:
        return confidence(self.usd / self.threshold_usd, self.share)


class Stretch:
    """One episode. last_ms: when the condition held last."""

    __slots__ = ("_kind", "_symbol", "best", "last_ms", "started_ms")

    def __init__(self, kind: AlertKind, symbol: str, ts_ms: int, reading: Reading) -> None:
        self._kind, self._symbol = kind, symbol
        self.started_ms = self.last_ms = ts_ms
        self.best = reading

    def hold(self, ts_ms: int, reading: Reading) -> None:
        """It holds still. The stronger reading stays: by confidence, then by size."""
        self.last_ms = max(self.last_ms, ts_ms)
        if (reading.confidence, reading.usd) >= (self.best.confidence, self.best.usd):
            self.best = reading

    def finding(self, *, burst: str, price: float | None, is_final: bool) -> Finding:
        best = self.best
        return Finding(
            kind=self._kind,
            symbol=self._symbol,
            direction=best.direction,
            episode=f"{self._kind}:{self._symbol}:{self.started_ms}",
            burst=burst,
            started_ms=self.started_ms,
            ts_event_ms=self.last_ms,
            usd=best.usd,
            ratio=best.usd / best.threshold_usd,
            window_s=best.window_s,
            price=price,
            confidence=best.confidence,
            side=best.side,
            percentile=best.percentile,
            is_final=is_final,
            evidence=best.evidence,
        )
