"""Gaps and order blocks of the bar-by-bar engine: how they come, age, and react to price."""

from __future__ import annotations

from collections import deque
from math import nan
from typing import TYPE_CHECKING

from app.core.smc.bars import NEVER
from app.core.smc.columns import Tables
from app.core.smc.config import BlockBreak, SmcConfig
from app.core.smc.watches import Side, Stage, Watch, reached

if TYPE_CHECKING:
    from app.core.smc.engine import History


class Zones:
    """Owns the watches of both sides; `react` says what a reached level means."""

    def __init__(self, history: History, tables: Tables, config: SmcConfig) -> None:
        self._history = history
        self._gaps, self._blocks = tables.gaps, tables.blocks
        self._max_age = config.max_age_bars
        self._by_body = config.block_break is BlockBreak.BODY
        self.sides = {1: Side(), -1: Side()}
        # (last bar of its life, is it a block, row): in order, because all live equally long.
        self._ages: deque[tuple[int, bool, int]] = deque()

    def expire(self, at: int) -> None:
        """End what is too old at this bar, before price can reach it."""
        ages = self._ages
        while ages and ages[0][0] < at:
            _, is_block, row = ages.popleft()
            ended = (self._blocks if is_block else self._gaps).columns["ended_at"]
            if ended[row] == NEVER:
                ended[row] = at

    def find_gap(self, at: int) -> None:
        """A gap around the bar before, known now."""
        if at < 2:
            return
        h, i = self._history, at - 1
        if h.close[i] > h.open[i] and h.high[at - 2] < h.low[at]:
            self._add_gap(at, 1, h.low[at], h.high[at - 2])
        elif h.close[i] < h.open[i] and h.low[at - 2] > h.high[at]:
            self._add_gap(at, -1, h.low[at - 2], h.high[at])

    def _add_gap(self, at: int, direction: int, top: float, bottom: float) -> None:
        atr = self._history.atr[at]
        size = (top - bottom) / atr if atr > 0 else nan
        row = self._gaps.add(at - 1, direction, top, bottom, at, size, NEVER, NEVER, NEVER, NEVER, NEVER)
        self._ages.append((at + self._max_age, False, row))
        near = top if direction > 0 else bottom
        self.sides[-direction].on_trade(-direction * near, Stage.GAP_TOUCHED, row, strict=False)

    def add_block(self, at: int, direction: int, swing_i: int) -> None:
        """The block behind a break of structure at this bar."""
        h = self._history
        values = [-low for low in h.low[swing_i + 1 : at]] if direction > 0 else h.high[swing_i + 1 : at]
        i = at - 1
        if values:
            i = at - 1 - values[::-1].index(max(values))
        top, bottom = h.high[i], h.low[i]
        two, third = h.volume[at] + h.volume[at - 1], h.volume[at - 2]
        volume, larger = two + third, two if two > third else third
        mean, atr = 3.0 * h.volume_mean[at], h.atr[at]
        far = bottom if direction > 0 else top
        displacement = (h.close[at] - far) * direction / atr if atr > 0 else nan
        balance = 100.0 * min(two, third) / larger if larger > 0 else nan
        relative = volume / mean if mean > 0 else nan
        row = self._blocks.add(
            *(i, direction, top, bottom, at, volume, balance, displacement, relative),
            *(NEVER, NEVER, NEVER, NEVER),
        )
        self._ages.append((at + self._max_age, True, row))
        near = top if direction > 0 else bottom
        self.sides[-direction].on_trade(-direction * near, Stage.BLOCK_TOUCHED, row, strict=False)

    def react(self, at: int, watch: Watch) -> tuple[int, float, Stage, int] | None:
        """Note what was reached and wait for what comes next of it.

        Returns a watch to be set only after this bar: (side, height, stage, row).
        """
        _, _, stage, row = watch
        if stage < Stage.BLOCK_TOUCHED:
            self._react_gap(at, Stage(stage), row)
            return None
        return self._react_block(at, Stage(stage), row)

    def _react_gap(self, at: int, stage: Stage, row: int) -> None:
        columns = self._gaps.columns
        if columns["ended_at"][row] != NEVER:
            return
        direction = columns["dir"][row]
        top, bottom = columns["top"][row], columns["bottom"][row]
        side, far = self.sides[-direction], bottom if direction > 0 else top
        if stage is Stage.GAP_TOUCHED:
            columns["touched_at"][row] = at
            side.on_trade(-direction * ((top + bottom) / 2), Stage.GAP_MID, row, strict=False)
        elif stage is Stage.GAP_MID:
            columns["mid_at"][row] = at
            side.on_trade(-direction * far, Stage.GAP_FILLED, row, strict=False)
        elif stage is Stage.GAP_FILLED:
            columns["filled_at"][row] = at
            side.on_close(-direction * far, Stage.GAP_INVERTED, row)
        elif stage is Stage.GAP_INVERTED:
            columns["inverted_at"][row] = at
            near = top if direction > 0 else bottom
            self.sides[direction].on_close(direction * near, Stage.GAP_ENDED, row)
        else:
            columns["ended_at"][row] = at

    def _react_block(self, at: int, stage: Stage, row: int) -> tuple[int, float, Stage, int] | None:
        columns = self._blocks.columns
        if columns["ended_at"][row] != NEVER:
            return None
        direction = columns["dir"][row]
        top, bottom = columns["top"][row], columns["bottom"][row]
        side, far = self.sides[-direction], bottom if direction > 0 else top
        if stage is Stage.BLOCK_TOUCHED:
            columns["touched_at"][row] = at
            side.on_trade(-direction * ((top + bottom) / 2), Stage.BLOCK_MITIGATED, row, strict=False)
        elif stage is Stage.BLOCK_MITIGATED:
            columns["mitigated_at"][row] = at
            if self._by_body:
                side.on_body(-direction * far, Stage.BLOCK_BROKEN, row)
            else:
                side.on_trade(-direction * far, Stage.BLOCK_BROKEN, row, strict=True)
        elif stage is Stage.BLOCK_BROKEN:
            columns["broken_at"][row] = at
            near = top if direction > 0 else bottom
            return direction, direction * near, Stage.BLOCK_ENDED, row
        else:
            columns["ended_at"][row] = at
        return None


__all__ = ["Zones", "reached"]
