"""Swings, pools and sweeps of the bar-by-bar engine, and the crossing of every watched level."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import nan
from typing import TYPE_CHECKING

from app.core.smc.bars import NEVER
from app.core.smc.columns import Tables
from app.core.smc.config import SmcConfig
from app.core.smc.engine_zones import Zones
from app.core.smc.pools import PoolBook
from app.core.smc.records import LevelKind, Pools, SweepKind
from app.core.smc.sweeps import HUNT_REJECTION, HUNT_VOLUME
from app.core.smc.watches import Side, Stage, Watch, reached

if TYPE_CHECKING:
    from app.core.smc.engine import History


class _Peaks:
    """Bars that nothing later has reached, oldest and highest first: who was last above a height?"""

    __slots__ = ("_bars", "_heights")

    def __init__(self) -> None:
        self._heights: list[float] = []  # negated, so that they ascend
        self._bars: list[int] = []

    def add(self, height: float, at: int) -> None:
        heights, bars = self._heights, self._bars
        while heights and -heights[-1] <= height:
            heights.pop()
            bars.pop()
        heights.append(-height)
        bars.append(at)

    def last_above(self, height: float) -> int:
        """The last bar above a height, -1 for none."""
        found = bisect_left(self._heights, -height)
        return self._bars[found - 1] if found else -1


class Levels:
    """Owns swings, pools and sweeps, and asks the zones what a reached level means to them."""

    def __init__(self, history: History, tables: Tables, config: SmcConfig, zones: Zones) -> None:
        self._history = history
        self._config = config
        self._zones = zones
        self._swings, self._sweeps = tables.swings, tables.sweeps
        self._peaks = {1: _Peaks(), -1: _Peaks()}
        self._book = PoolBook()
        self._by_edge: dict[int, list[int]] = {}  # swing -> the pools whose edge it is
        # Runs that may still come back: (last bar, direction, height, kind, ref, crossed at).
        self._runs: list[tuple[int, int, float, int, int, int]] = []

    def cross(self, at: int) -> None:
        """Everything this bar reaches, on both sides."""
        h = self._history
        found: list[tuple[int, ...]] = []
        self._come_back(at, found)
        later: list[tuple[int, float, Stage, int]] = []
        high, low, close = h.high[at], h.low[at], h.close[at]
        for direction, extreme, body in ((1, high, close), (-1, -low, -close)):
            side = self._zones.sides[direction]
            while (watch := reached(side.trades, extreme)) is not None:
                if watch[2] == Stage.SWING_TAKEN:
                    self._take(at, direction, watch, found)
                elif (waits := self._zones.react(at, watch)) is not None:
                    later.append(waits)
            if side.bodies:
                self._cross_bodies(at, direction, side, later)
            while (watch := reached(side.closes, body)) is not None:
                if watch[2] == Stage.SWEEP_INVALID:
                    self._sweeps.columns["invalidated_at"][watch[3]] = at
                else:
                    self._zones.react(at, watch)
        for direction, height, stage, row in later:
            self._zones.sides[direction].on_trade(height, stage, row, strict=True)
        if found:
            self._note_sweeps(at, found)
        self._peaks[1].add(high, at)
        self._peaks[-1].add(-low, at)

    def _cross_bodies(
        self, at: int, direction: int, side: Side, later: list[tuple[int, float, Stage, int]]
    ) -> None:
        h = self._history
        edge = max(h.open[at], h.close[at]) if direction > 0 else -min(h.open[at], h.close[at])
        while (watch := reached(side.bodies, edge)) is not None:
            if (waits := self._zones.react(at, watch)) is not None:
                later.append(waits)

    def find_swings(self, i: int, at: int) -> Iterator[tuple[float, int]]:
        """(level, direction) of the swings at bar `i` that become known at this bar, in structure's order."""
        h, left, right = self._history, self._config.left, self._config.right
        high, low = h.high[i], h.low[i]
        is_high = high > max(h.high[i - left : i]) and high >= max(h.high[i + 1 : i + right + 1])
        is_low = low < min(h.low[i - left : i]) and low <= min(h.low[i + 1 : i + right + 1])
        for direction in (-1, 1) if h.close[i] >= h.open[i] else (1, -1):
            if is_high and direction > 0:
                self._add_swing(i, at, 1, high)
                yield high, 1
            elif is_low and direction < 0:
                self._add_swing(i, at, -1, low)
                yield low, -1

    def pools(self) -> Pools:
        """The table of pools so far."""
        return self._book.table(self._swings.columns["taken_at"])

    def _add_swing(self, i: int, at: int, direction: int, level: float) -> None:
        row = self._swings.add(i, direction, level, at, NEVER)
        height = level * direction
        self._zones.sides[direction].on_trade(height, Stage.SWING_TAKEN, row, strict=True)
        pool = self._book.add_swing(
            *(row, i, direction, height),
            tolerance=self._config.equal_atr * self._history.atr[at],
            last_above=self._peaks[direction].last_above(height),
            known_at=at,
            taken=self._swings.columns["taken_at"],
        )
        if pool is not None:
            self._by_edge.setdefault(self._book.edge_swing[pool], []).append(pool)

    def _take(self, at: int, direction: int, watch: Watch, found: list[tuple[int, ...]]) -> None:
        height, _, _, swing = watch
        self._swings.columns["taken_at"][swing] = at
        crossed = [(int(LevelKind.SWING), swing)]
        superseded = self._book.superseded_at
        crossed += [(int(LevelKind.POOL), n) for n in self._by_edge.get(swing, ()) if superseded[n] >= at]
        is_run = self._history.close[at] * direction > height
        for kind, ref in crossed:
            found.append((kind, direction, ref, int(SweepKind.RUN if is_run else SweepKind.SWEEP), at))
            if is_run:
                last = at + self._config.late_bars
                self._runs.append((last, direction, height, kind, ref, at))

    def _come_back(self, at: int, found: list[tuple[int, ...]]) -> None:
        """Runs of the last bars that close back inside now, or can no longer."""
        if not self._runs:
            return
        close, kept = self._history.close[at], []
        for run in self._runs:
            last, direction, height, kind, ref, crossed_at = run
            if close * direction < height:
                found.append((kind, direction, ref, int(SweepKind.SWEEP_LATE), crossed_at))
            elif last > at:
                kept.append(run)
        self._runs = kept

    def _note_sweeps(self, at: int, found: list[tuple[int, ...]]) -> None:
        for kind, direction, ref, fate, crossed_at in sorted(found):
            level = self._swings.columns["level"][ref]
            if kind == LevelKind.POOL:
                level = self._book.edge[ref] * direction
            figures = self._figures(crossed_at, direction, level)
            is_hunt = fate == SweepKind.SWEEP and figures[1] >= HUNT_REJECTION and figures[2] >= HUNT_VOLUME
            row = self._sweeps.add(
                kind, ref, direction, level, fate, crossed_at, at, *figures, is_hunt, NEVER
            )
            if fate != SweepKind.RUN:
                h = self._history
                traded = h.high[crossed_at : at + 1] if direction > 0 else h.low[crossed_at : at + 1]
                extreme = max(traded) if direction > 0 else -min(traded)
                self._zones.sides[direction].on_close(extreme, Stage.SWEEP_INVALID, row)

    def _figures(self, at: int, direction: int, level: float) -> tuple[float, float, float]:
        """Penetration in ATR, rejection, volume over the mean before."""
        h = self._history
        extreme = h.high[at] if direction > 0 else h.low[at]
        spread, atr = h.high[at] - h.low[at], h.atr[at]
        before = h.volume_mean[at - 1] if at else nan
        return (
            (extreme - level) * direction / atr if atr > 0 else nan,
            (extreme - h.close[at]) * direction / spread if spread > 0 else 0.0,
            h.volume[at] / before if before > 0 else nan,
        )
