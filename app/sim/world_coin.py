"""One coin of the synthetic world as seen at a moment: closed rows, the forming one, levels and events.

Owns the cut at now inside one coin; `world` shapes the result into the market's answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.bars import MINUTE_MS, Span
from app.sim.market import Floats, Int64s
from app.sim.world_coins import EXCHANGES, CoinModel
from app.sim.world_events import CoinEvents, Orders
from app.sim.world_hours import CoinHours, Hours
from app.sim.world_minutes import CoinMinutes, MinuteBars, day_of
from app.sim.world_tide import EPOCH_MS, Tide, hour_of

_Event = tuple[int, int, int, float, float]  # time ms, side, exchange index, price USD, USD


@dataclass(frozen=True, slots=True)
class Rows:
    """Price rows to build bars from. hour: row in `Hours`; flow: share of that hour's volume in the row."""

    open_ms: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    hour: Int64s
    flow: Floats


class CoinWorld:
    """Hours, minutes and events of one coin."""

    def __init__(self, model: CoinModel, tide: Tide, seed: int) -> None:
        self.model = model
        self._hours = CoinHours(model, tide, seed)
        self.minutes = CoinMinutes(model, self._hours, seed)
        self._events = CoinEvents(model, self._hours, self.minutes, seed)

    def hours(self, until_ms: int) -> Hours:
        return self._hours.until(hour_of(until_ms))

    def rows(self, span: Span) -> Rows:
        """Rows of hours, or of minutes for bars below an hour; the last one stops at now."""
        if span.interval_ms < HOUR_MS:
            return self._minute_rows(span.first_ms, span.data_end_ms)
        hours = self.hours(span.now_ms)
        first, stop = hour_of(span.first_ms), hour_of(span.data_end_ms)
        index = np.arange(first, stop, dtype=np.int64)
        closed = Rows(
            EPOCH_MS + index * HOUR_MS,
            hours.open[first:stop],
            hours.high[first:stop],
            hours.low[first:stop],
            hours.close[first:stop],
            index,
            np.ones(index.size),
        )
        if span.data_end_ms % HOUR_MS == 0:
            return closed
        # Only now can fall inside an hour: the forming hour is made of its minutes so far.
        part = self._minute_rows(EPOCH_MS + stop * HOUR_MS, span.data_end_ms)
        forming = Rows(
            part.open_ms[:1],
            part.open[:1],
            part.high.max(keepdims=True),
            part.low.min(keepdims=True),
            part.close[-1:],
            part.hour[:1],
            part.flow.sum(keepdims=True),
        )
        return _join([closed, forming])

    def _minute_rows(self, start_ms: int, end_ms: int) -> Rows:
        days = range(day_of(start_ms), day_of(end_ms - 1) + 1)
        bars = [self.minutes.day(day) for day in days]
        offset = (start_ms - EPOCH_MS - days[0] * DAY_MS) // MINUTE_MS
        whole, rest = divmod(end_ms - start_ms, MINUTE_MS)
        count = whole + (rest > 0)
        columns = [
            np.concatenate([getattr(day, name) for day in bars])[offset : offset + count]
            for name in MinuteBars.__slots__
        ]
        open_, high, low, close, flow = columns
        open_ms = start_ms + np.arange(count, dtype=np.int64) * MINUTE_MS
        if rest:
            close[-1] = self.minutes.price_at(end_ms)
            high[-1], low[-1] = max(open_[-1], close[-1]), min(open_[-1], close[-1])
            flow[-1] = self.minutes.flow_so_far(end_ms)
        return Rows(open_ms, open_, high, low, close, (open_ms - EPOCH_MS) // HOUR_MS, flow)

    def level(self, span: Span, name: str) -> Floats:
        """Column `name` of `Hours` at the end of each bar, or at now in the forming one."""
        return self.level_at(np.minimum(span.opens() + span.interval_ms, span.now_ms), name)

    def level_at(self, at_ms: Int64s, name: str) -> Floats:
        """A level moves in a straight line from one hour's close to the next."""
        if at_ms.size == 0:
            return np.empty(0)
        column: Floats = getattr(self.hours(int(at_ms[-1])), name)
        hour = (at_ms - EPOCH_MS) // HOUR_MS
        part = (at_ms - EPOCH_MS) % HOUR_MS / HOUR_MS
        before = column[np.maximum(hour - 1, 0)]
        return np.asarray(before + (column[hour] - before) * part)

    def liquidated(self, span: Span, exchanges: tuple[str, ...], share: float) -> tuple[Floats, Floats]:
        """(long USD, short USD) per bar: closed hours from their columns, the rest from single orders."""
        opens = span.opens()
        sums = np.zeros((2, opens.size))
        from_ms = span.first_ms
        if span.interval_ms >= HOUR_MS:
            from_ms = max(span.first_ms, span.data_end_ms - span.data_end_ms % HOUR_MS)
            hours, first, stop = self.hours(span.now_ms), hour_of(span.first_ms), hour_of(from_ms)
            bar = (np.arange(stop - first) * HOUR_MS) // span.interval_ms
            for side, column in enumerate((hours.long_usd, hours.short_usd)):
                sums[side] += np.bincount(bar, column[first:stop] * share, opens.size)
        wanted = np.array(["All" in exchanges or name in exchanges for name in EXCHANGES])
        for orders in self._days_of(from_ms, span.data_end_ms):
            rows = orders.between(from_ms, span.data_end_ms)
            keep = wanted[orders.exchange[rows]]
            bar = (orders.ts_ms[rows][keep] - span.first_ms) // span.interval_ms
            for side in (0, 1):
                usd = np.where(orders.side[rows][keep] == side, orders.usd[rows][keep], 0.0)
                sums[side] += np.bincount(bar, usd, opens.size)
        return sums[0], sums[1]

    def forced_orders(self, start_ms: int, end_ms: int) -> Iterator[_Event]:
        for orders in self._days_of(start_ms, end_ms):
            yield from _events(orders, start_ms, end_ms)

    def _days_of(self, start_ms: int, end_ms: int) -> Iterator[Orders]:
        start_ms = max(start_ms, EPOCH_MS)
        if start_ms < end_ms:
            yield from map(self._events.liquidations, range(day_of(start_ms), day_of(end_ms - 1) + 1))

    def trades(self, start_ms: int, end_ms: int) -> Iterator[_Event]:
        start_ms = max(start_ms, EPOCH_MS)
        if start_ms < end_ms:
            for hour in range(hour_of(start_ms), hour_of(end_ms - 1) + 1):
                yield from _events(self._events.trades(hour), start_ms, end_ms)


def _events(orders: Orders, start_ms: int, end_ms: int) -> Iterator[_Event]:
    rows = orders.between(start_ms, end_ms)
    columns = (orders.ts_ms, orders.side, orders.exchange, orders.price_usd, orders.usd)
    return zip(*(column[rows].tolist() for column in columns), strict=True)


def _join(parts: list[Rows]) -> Rows:
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__))
