"""The Smart Money engine bar by bar: `update(candle)` in a few microseconds, the same result as `run_smc`.

Every life cycle is a level that waits for price (`watches`); nothing is searched for. Order within a bar:
what ends by age, what price reaches, breaks of structure with the pivots of the bars before, new gaps, new
swings.
Holds the whole history it was given: an engine is for one run of candles, not for ever.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from app.core.errors import InvariantViolation
from app.core.smc.bars import ATR_BARS, VOLUME_BARS, mean_of, next_atr
from app.core.smc.columns import Tables
from app.core.smc.config import DEFAULT_CONFIG, BlockBreak, SmcConfig
from app.core.smc.engine_levels import Levels
from app.core.smc.engine_structure import Structure
from app.core.smc.engine_zones import Zones
from app.core.smc.records import SmcRun


class Candle(NamedTuple):
    """One closed candle; volume NaN where unknown."""

    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class History:
    """Columns so far, with ATR and mean volume of every bar."""

    def __init__(self) -> None:
        self.high: list[float] = []
        self.low: list[float] = []
        self.open: list[float] = []
        self.close: list[float] = []
        self.volume: list[float] = []
        self.atr: list[float] = []
        self.volume_mean: list[float] = []
        self._ranges: list[float] = []
        self._volume_sums = [0.0]

    def add(self, candle: Candle) -> None:
        _, open_, high, low, close, volume = candle
        true_range = high - low
        if self.close:
            before = self.close[-1]
            true_range = max(true_range, abs(high - before), abs(low - before))
        self.atr.append(self._next_atr(true_range))
        sums = self._volume_sums
        sums.append(sums[-1] + volume)
        many = len(sums) > VOLUME_BARS
        self.volume_mean.append((sums[-1] - sums[-1 - VOLUME_BARS]) / VOLUME_BARS if many else nan)
        self.open.append(open_)
        self.high.append(high)
        self.low.append(low)
        self.close.append(close)
        self.volume.append(volume)

    def _next_atr(self, true_range: float) -> float:
        done = len(self.atr)
        if done >= ATR_BARS:
            return next_atr(self.atr[-1], true_range)
        self._ranges.append(true_range)
        return mean_of(self._ranges) if done == ATR_BARS - 1 else nan


class SmcEngine:
    """Feed closed candles in order; read `run()` at any time."""

    def __init__(self, config: SmcConfig = DEFAULT_CONFIG) -> None:
        self._config = config
        self._history = History()
        self._tables = Tables()
        self._zones = Zones(self._history, self._tables, config)
        self._levels = Levels(self._history, self._tables, config, self._zones)
        self._structure = Structure(self._history, self._tables, self._zones)
        self._last_ms: int | None = None

    def update(self, candle: Candle) -> None:
        """Take the next closed candle.

        Raises:
            InvariantViolation: not later than the one before, or a price that is not finite or outside of
                high and low. The engine is as it was before.
        """
        self._check(candle)
        history = self._history
        history.add(candle)
        at = len(history.close) - 1
        self._zones.expire(at)
        self._levels.cross(at)
        self._structure.break_levels(at)
        self._zones.find_gap(at)
        if at >= self._config.left + self._config.right:
            i = at - self._config.right
            for swing, direction in self._levels.find_swings(i, at):
                self._structure.fold(swing, direction, i, at)
        self._structure.measure(at)

    def run(self) -> SmcRun:
        """Everything found so far, in the form of `run_smc`."""
        tables = self._tables
        return SmcRun(
            bars=len(self._history.close),
            swings=tables.swings.table(),
            pivots=tables.pivots.table(),
            breaks=tables.breaks.table(),
            wick_breaks=tables.wick_breaks.table(),
            gaps=tables.gaps.table(),
            blocks=tables.blocks.table(),
            pools=self._levels.pools(),
            sweeps=tables.sweeps.table(),
            ranges=tables.ranges.table(),
        )

    def _check(self, candle: Candle) -> None:
        close_ms, open_, high, low, close, _ = candle
        if self._last_ms is not None and close_ms <= self._last_ms:
            raise InvariantViolation("a candle came twice or out of order")
        total = open_ + high + low + close
        if total - total != 0.0 or high < open_ or high < close or low > open_ or low > close:
            raise InvariantViolation("a candle has a price that is not finite or outside of its high and low")
        self._last_ms = close_ms


__all__ = ["BlockBreak", "Candle", "SmcEngine"]
