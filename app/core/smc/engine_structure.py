"""Pivots, breaks of structure and ranges of the bar-by-bar engine."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

from app.core.smc.bars import NEVER
from app.core.smc.columns import Grower, Tables
from app.core.smc.engine_zones import Zones

if TYPE_CHECKING:
    from app.core.smc.engine import History


class _Machine:
    """Trend and the two levels that can break, in one mode."""

    __slots__ = ("_table", "high", "low", "trend")

    def __init__(self, table: Grower) -> None:
        self._table = table
        self.trend = 0
        self.high: tuple[float, int] | None = None  # level and position
        self.low: tuple[float, int] | None = None

    def note(self, at: int, direction: int, broken: tuple[float, int], close: float, atr: float) -> None:
        """One break; the level is spent by the caller."""
        level, swing_i = broken
        margin = (close - level) * direction / atr if atr > 0 else nan
        self._table.add(direction, level, swing_i, at, self.trend == -direction, self.trend == 0, margin)
        self.trend = direction


class Structure:
    """Folds swings into pivots and breaks their levels."""

    def __init__(self, history: History, tables: Tables, zones: Zones) -> None:
        self._history = history
        self._zones = zones
        self._pivots, self._ranges = tables.pivots, tables.ranges
        self._closes, self._wicks = _Machine(tables.breaks), _Machine(tables.wick_breaks)
        self._last_dir, self._last_level = 0, 0.0
        # Newest pivot level of each side, what traded beyond it since, and the leg they make.
        self._high = self._low = self._widest = self._lowest = nan
        self._deepest = nan

    def break_levels(self, at: int) -> None:
        """Breaks at this bar of levels known before it."""
        h, machine = self._history, self._closes
        close = h.close[at]
        if machine.high is not None and close > machine.high[0]:
            self._close_break(at, 1, machine.high)
            machine.high = None
        elif machine.low is not None and close < machine.low[0]:
            self._close_break(at, -1, machine.low)
            machine.low = None
        self._break_by_wick(at)

    def _close_break(self, at: int, direction: int, broken: tuple[float, int]) -> None:
        h = self._history
        self._closes.note(at, direction, broken, h.close[at], h.atr[at])
        self._zones.add_block(at, direction, broken[1])

    def _break_by_wick(self, at: int) -> None:
        h, machine = self._history, self._wicks
        up = machine.high if machine.high is not None and h.high[at] > machine.high[0] else None
        down = machine.low if machine.low is not None and h.low[at] < machine.low[0] else None
        if up is not None and (down is None or h.close[at] >= h.open[at]):
            machine.note(at, 1, up, h.close[at], h.atr[at])
        elif down is not None:
            machine.note(at, -1, down, h.close[at], h.atr[at])
        if up is not None:
            machine.high = None
        if down is not None:
            machine.low = None

    def fold(self, level: float, direction: int, i: int, at: int) -> None:
        """Take a swing into the structure; its level can break from the next bar on."""
        if direction == self._last_dir:
            if level * direction <= self._last_level * direction:
                return
            self._pivots.columns["superseded_at"][-1] = at
        self._pivots.add(i, direction, level, at, NEVER)
        self._last_dir, self._last_level = direction, level
        h = self._history
        for machine in (self._closes, self._wicks):
            if direction > 0:
                machine.high = (level, i)
            else:
                machine.low = (level, i)
        if direction > 0:
            self._high, self._widest = level, max(h.high[i : at + 1])
            self._deepest = -min(h.low[i + 1 : at + 1])
        else:
            self._low, self._lowest = level, min(h.low[i : at + 1])
            self._deepest = max(h.high[i + 1 : at + 1])

    def measure(self, at: int) -> None:
        """One row of ranges."""
        h = self._history
        high, low = h.high[at], h.low[at]
        self._widest = self._widest if self._widest > high or self._widest != self._widest else high
        self._lowest = self._lowest if self._lowest < low or self._lowest != self._lowest else low
        width = self._widest - self._lowest
        pos = (h.close[at] - self._lowest) / width if width > 0 else nan
        leg, current, deepest = self._leg(high, low)
        self._ranges.add(self._widest, self._lowest, pos, self._pivots.rows, leg, current, deepest)

    def _leg(self, high: float, low: float) -> tuple[int, float, float]:
        direction = self._last_dir
        if direction == 0:
            return 0, nan, nan
        against = -low if direction > 0 else high
        self._deepest = max(self._deepest, against)
        end = self._high if direction > 0 else -self._low
        start = self._low if direction > 0 else -self._high
        length = end - start
        if not length > 0:
            return 0, nan, nan
        deepest = 100.0 * (end + self._deepest) / length
        if deepest > 100.0:
            return 0, nan, nan
        return direction, 100.0 * (end + against) / length, deepest
