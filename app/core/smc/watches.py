"""Levels that wait for price, of one side: two heaps, one for what traded, one for what closed.

Part of the bar-by-bar engine. Heights grow away from price, so that the lower side is the same on negated
prices. A watch is (height, strict, stage, row): strict 0 is reached at the level, 1 only beyond it.
"""

from __future__ import annotations

from enum import IntEnum
from heapq import heappop, heappush
from typing import TypeAlias

Watch: TypeAlias = tuple[float, int, int, int]


class Stage(IntEnum):
    """What happens to which table when a watched level is reached."""

    SWING_TAKEN = 0
    GAP_TOUCHED = 1
    GAP_MID = 2
    GAP_FILLED = 3
    GAP_INVERTED = 4
    GAP_ENDED = 5
    BLOCK_TOUCHED = 6
    BLOCK_MITIGATED = 7
    BLOCK_BROKEN = 8
    BLOCK_ENDED = 9
    SWEEP_INVALID = 10


class Side:
    """Watches above price (or below it, on negated prices)."""

    __slots__ = ("bodies", "closes", "trades")

    def __init__(self) -> None:
        self.trades: list[Watch] = []
        self.closes: list[Watch] = []
        self.bodies: list[Watch] = []

    def on_trade(self, height: float, stage: Stage, row: int, *, strict: bool) -> None:
        """Wait for a trade at (or beyond) a height."""
        heappush(self.trades, (height, int(strict), stage, row))

    def on_close(self, height: float, stage: Stage, row: int) -> None:
        """Wait for a close beyond a height."""
        heappush(self.closes, (height, 1, stage, row))

    def on_body(self, height: float, stage: Stage, row: int) -> None:
        """Wait for a candle's body beyond a height."""
        heappush(self.bodies, (height, 1, stage, row))


def reached(heap: list[Watch], height: float) -> Watch | None:
    """Take out one watch that `height` reaches, None when there is none (left)."""
    if heap and (heap[0][0] < height or (heap[0][0] == height and heap[0][1] == 0)):
        return heappop(heap)
    return None
