"""What use cases need from whoever draws pictures, as protocols. `services.charts` implements them."""

from __future__ import annotations

from typing import Protocol

from app.core.domain.heatmap import HeatmapAnswer
from app.core.domain.liquidity_answer import LiquidityAnswer


class HeatmapPainter(Protocol):
    """Draws a heatmap; never blocks the event loop."""

    async def paint(self, answer: HeatmapAnswer) -> bytes:
        """A PNG of bounded size. An answer without a grid becomes a picture that says so."""
        ...


class ZonePainter(Protocol):
    """Draws candles with zones and clusters; never blocks the event loop."""

    async def paint(self, answer: LiquidityAnswer) -> bytes:
        """A PNG of bounded size. Without candles it becomes a picture that says so."""
        ...
