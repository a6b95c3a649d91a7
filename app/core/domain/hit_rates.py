"""A table of how often price levels were reached, by how far away they were. Standard library only."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HitRates:
    """Hit rates of one horizon. distance_atr ascends; n: windows behind each rate."""

    horizon_h: float
    distance_atr: tuple[float, ...]
    rate: tuple[float, ...]
    n: tuple[int, ...]

    def at(self, distance_atr: float) -> tuple[float, int] | None:
        """(rate, windows of the sparser knot beside it); None beyond the table."""
        if distance_atr <= 0:
            return 1.0, min(self.n)
        place = bisect_left(self.distance_atr, distance_atr)
        if place == len(self.distance_atr):
            return None
        left, before = (self.distance_atr[place - 1], self.rate[place - 1]) if place else (0.0, 1.0)
        right, after = self.distance_atr[place], self.rate[place]
        share = (distance_atr - left) / (right - left)
        return before + share * (after - before), min(self.n[max(place - 1, 0)], self.n[place])
