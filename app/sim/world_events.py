"""Single liquidations and trades of one synthetic coin.

Owns how an hour's liquidated USD splits into forced orders, so that orders summed per hour, side and
exchange give back the hourly column. Trades are a plausible sample, not the whole volume. Made per day
(liquidations) or hour (trades), always the same; callers cut at now. Called by world only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.bars import MINUTE_MS
from app.sim.market import Floats, Int64s
from app.sim.world_coins import EXCHANGES, CoinModel, exchange_shares
from app.sim.world_hours import CoinHours
from app.sim.world_minutes import CoinMinutes, MinuteBars
from app.sim.world_tide import EPOCH_MS, generator

_CELLS = (24, 2, len(EXCHANGES))  # hour, side (0 longs, 1 shorts), exchange
_ORDERS_PER_CELL = 24
_TYPICAL_ORDER_USD = 20_000


@dataclass(frozen=True, slots=True)
class Orders:
    """Events sorted by time. side: liquidations 0 long, 1 short; trades 0 buy, 1 sell. exchange: index."""

    ts_ms: Int64s
    side: NDArray[np.int64]
    exchange: NDArray[np.int64]
    price_usd: Floats
    usd: Floats

    def between(self, start_ms: int, end_ms: int) -> slice:
        first, stop = np.searchsorted(self.ts_ms, [start_ms, end_ms])
        return slice(int(first), int(stop))


class CoinEvents:
    """Forced orders and trades of one coin."""

    def __init__(self, model: CoinModel, hours: CoinHours, minutes: CoinMinutes, seed: int) -> None:
        self._model, self._hours, self._minutes, self._seed = model, hours, minutes, seed
        self.liquidations: Callable[[int], Orders] = lru_cache(maxsize=32)(self._liquidations)
        self.trades: Callable[[int], Orders] = lru_cache(maxsize=26)(self._trades)

    def _liquidations(self, day: int) -> Orders:
        """Every forced order of one day of the world."""
        rng = generator(self._seed, self._model.key, 3, day)
        hours = self._hours.until(day * 24 + 23)
        rows = slice(day * 24, day * 24 + 24)
        sides = np.stack([hours.long_usd[rows], hours.short_usd[rows]], axis=1)
        cells = (sides[:, :, None] * exchange_shares(self._model.coin.base)).ravel()
        # More USD means more orders and larger ones: both grow with the root.
        counts = 1 + np.minimum(np.sqrt(cells / _TYPICAL_ORDER_USD), _ORDERS_PER_CELL).astype(np.int64)
        counts[cells == 0] = 0  # the exchange does not list the coin
        cell = np.repeat(np.arange(cells.size), counts)
        weight = np.exp(1.2 * rng.normal(size=cell.size))
        usd = weight * (cells[cell] / np.bincount(cell, weight, cells.size)[cell])
        hour, side, exchange = np.unravel_index(cell, _CELLS)
        bars = self._minutes.day(day)
        minute = _pick_minutes(rng, bars, hour, side)
        part = rng.random(cell.size)
        ts_ms = EPOCH_MS + day * DAY_MS + minute * MINUTE_MS + (part * MINUTE_MS).astype(np.int64)
        # A forced sell fills a little below the market, a forced buy above it.
        slip = (2 * side - 1) * 0.0008 * rng.random(cell.size)
        price = self._price(bars, minute, part, slip)
        return _sorted(Orders(ts_ms, side, exchange, price, usd))

    def _trades(self, hour: int) -> Orders:
        """A sample of one hour's trades: many small ones, a few very large."""
        rng = generator(self._seed, self._model.key, 4, hour)
        hours = self._hours.until(hour)
        bought, sold = hours.buy_usd[hour], hours.sell_usd[hour]
        count = int(np.clip(np.sqrt((bought + sold) / 1000), 60, 1500))
        offset = np.sort(rng.integers(0, HOUR_MS, count))
        minute = (hour % 24) * 60 + offset // MINUTE_MS
        side = (rng.random(count) >= bought / (bought + sold)).astype(np.int64)
        exchange = rng.choice(len(EXCHANGES), count, p=exchange_shares(self._model.coin.base))
        price = self._price(
            self._minutes.day(hour // 24), minute, offset % MINUTE_MS / MINUTE_MS, (1 - 2 * side) * 2e-5
        )
        typical_usd = np.clip((bought + sold) / 2e5, 50, 4000)
        usd = np.minimum(typical_usd * np.exp(1.7 * rng.normal(size=count)), 0.05 * (bought + sold))
        return Orders(EPOCH_MS + hour * HOUR_MS + offset, side, exchange, price, usd)

    def _price(self, bars: MinuteBars, minute: Int64s, part: Floats, slip_frac: Floats) -> Floats:
        here = bars.open[minute] + (bars.close[minute] - bars.open[minute]) * part
        step = self._model.coin.tick
        return np.maximum(np.round(here * (1 + slip_frac), self._model.decimals), step)


def _pick_minutes(
    rng: np.random.Generator, bars: MinuteBars, hour: NDArray[np.int64], side: NDArray[np.int64]
) -> Int64s:
    """Minute of the day of each order: longs die in falling minutes, shorts in rising ones."""
    move = np.log(bars.close / bars.open).reshape(24, 60)
    sides = np.maximum(np.stack([-move, move], axis=1), 0) + 1e-5
    odds = sides**1.5
    upto = (odds / odds.sum(axis=2, keepdims=True)).cumsum(axis=2)
    row = hour * 2 + side
    # One sorted search for all cells: cell k owns the stretch (k, k + 1).
    ladder = (upto + np.arange(48).reshape(24, 2, 1)).ravel()
    found = np.searchsorted(ladder, row + rng.random(row.size) * (1 - 1e-9)) - row * 60
    return np.asarray(hour * 60 + np.clip(found, 0, 59))


def _sorted(orders: Orders) -> Orders:
    order = np.argsort(orders.ts_ms, kind="stable")
    return Orders(
        orders.ts_ms[order],
        orders.side[order],
        orders.exchange[order],
        orders.price_usd[order],
        orders.usd[order],
    )
