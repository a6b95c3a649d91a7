"""Inside the hour: one-minute bars of a synthetic coin that add up to its hourly bars exactly.

Owns the bridge from an hour's open to its close within its high and low, and the price at any moment.
Made per UTC day and kept for a few days; a day's minutes never change. Called by world and world_events.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from app.core.domain.market import DAY_MS
from app.sim.bars import MINUTE_MS
from app.sim.market import Floats
from app.sim.world_coins import CoinModel
from app.sim.world_hours import CoinHours
from app.sim.world_tide import EPOCH_MS, generator

_KEEP_DAYS = 32  # 1000 bars of 30 minutes are 21 days
_STEPS = np.arange(61) / 60
# The expected range of a 60-step bridge is about 1.25 sqrt(60) steps; the rest of the hour's range is wicks.
_RANGE_STEPS = 1.4 * np.sqrt(60)


@dataclass(frozen=True, slots=True)
class MinuteBars:
    """Minute columns; flow: share of the hour's volume that fell into the minute."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    flow: Floats


def day_of(ts_ms: int) -> int:
    """Day of the world that holds `ts_ms`."""
    return (ts_ms - EPOCH_MS) // DAY_MS


class CoinMinutes:
    """Minutes of one coin, a day at a time."""

    def __init__(self, model: CoinModel, hours: CoinHours, seed: int) -> None:
        self._model, self._hours, self._seed = model, hours, seed
        self._days: OrderedDict[int, MinuteBars] = OrderedDict()

    def day(self, day: int) -> MinuteBars:
        """The 1440 minutes of a day of the world (all of them; callers cut at now)."""
        bars = self._days.get(day)
        if bars is None:
            bars = self._days[day] = self._make(day)
            if len(self._days) > _KEEP_DAYS:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(day)
        return bars

    def price_at(self, ts_ms: int) -> float:
        """Price at one moment: on the line from the minute's open to its close, on the price step."""
        bars, minute, part = self._locate(ts_ms)
        here = bars.open[minute] + (bars.close[minute] - bars.open[minute]) * part
        return round(float(here), self._model.decimals)

    def flow_so_far(self, ts_ms: int) -> float:
        """Share of the hour's volume of the minute at `ts_ms` that has traded by then."""
        bars, minute, part = self._locate(ts_ms)
        return float(bars.flow[minute]) * part

    def _locate(self, ts_ms: int) -> tuple[MinuteBars, int, float]:
        minute, rest = divmod((ts_ms - EPOCH_MS) % DAY_MS, MINUTE_MS)
        return self.day(day_of(ts_ms)), minute, rest / MINUTE_MS

    def _make(self, day: int) -> MinuteBars:
        hours = self._hours.until(day * 24 + 23)
        rows = slice(day * 24, day * 24 + 24)
        open_, high, low, close = (
            column[rows, None] for column in (hours.open, hours.high, hours.low, hours.close)
        )
        rng = generator(self._seed, self._model.key, 2, day)
        path = self._bridge(rng, open_, high, low, close)
        starts, ends = path[:, :-1], path[:, 1:]
        wick = (high - low) / _RANGE_STEPS * 0.4 * np.abs(rng.normal(size=(2, 24, 60)))
        tops = np.minimum(np.round(np.maximum(starts, ends) + wick[0], self._model.decimals), high)
        bottoms = np.maximum(np.round(np.minimum(starts, ends) - wick[1], self._model.decimals), low)
        # The minute that came nearest to the hour's extreme is the one that made it.
        every = np.arange(24)
        tops[every, tops.argmax(axis=1)] = high[:, 0]
        bottoms[every, bottoms.argmin(axis=1)] = low[:, 0]
        weight = (0.3 + rng.exponential(size=(24, 60))) * (
            1 + (tops - bottoms) / np.maximum(high - low, 1e-300)
        )
        flow = weight / weight.sum(axis=1, keepdims=True)
        return MinuteBars(*(np.ascontiguousarray(x).ravel() for x in (starts, tops, bottoms, ends, flow)))

    def _bridge(
        self, rng: np.random.Generator, open_: Floats, high: Floats, low: Floats, close: Floats
    ) -> Floats:
        walk = np.concatenate([np.zeros((24, 1)), rng.normal(size=(24, 60)).cumsum(axis=1)], axis=1)
        bridge = walk - walk[:, -1:] * _STEPS
        line = open_ + (close - open_) * _STEPS
        path = np.clip(line + bridge * (high - low) / _RANGE_STEPS, low, high)
        path = np.round(path, self._model.decimals)
        path[:, 0], path[:, -1] = open_[:, 0], close[:, 0]
        return np.asarray(path)
