"""A price path as columns, and every trade on it at once: first touch, holes, time-outs and costs.

The rules are those of `core.outcomes.first_touch` (one trade, bar by bar), which a test holds this to, but
for two: a trade is scored once its whole horizon is over, and a hole anywhere in that horizon makes it
unscorable, touched or not. Live nobody sees the holes that come after a touch; here they are known, and to
keep the quick trades of torn horizons alone would flatter. Both sides share their barriers: one ATR(1h) above
and below the entry. Pure; called by the backtest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.core.domain.outcomes import HORIZONS_MS
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.outcomes.costs import round_trip_frac
from app.core.outcomes.first_touch import MAX_ENTRY_WAIT_MS, max_hole_ms
from app.core.record.columns import (
    OPEN,
    SCORED,
    UNSCORABLE,
    Flags,
    Floats,
    HorizonOutcomes,
    Ints,
    SideOutcomes,
)
from app.core.smc.bars import NEVER
from app.core.smc.crossing import Maxima


@dataclass(frozen=True, slots=True)
class PricePath:
    """Bars of one exchange, strictly later one after the other, holes allowed. Prices in USD."""

    interval_ms: int
    start_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return self.start_ms.size

    @property
    def end_ms(self) -> Ints:
        return self.start_ms + self.interval_ms


@dataclass(frozen=True, slots=True)
class Settlements:
    """Funding that was settled: moments, and rates of each period as fractions; positive: longs pay."""

    at_ms: Ints
    rate_frac: Floats


class Entries(NamedTuple):
    """Where each evaluation would have been entered.

    row: bar of the path whose open is the entry, -1 where none comes soon enough; is_awaited: the path ends
    before one could.
    """

    row: Ints
    price: Floats
    is_awaited: Flags


def find_entries(path: PricePath, at_ms: Ints) -> Entries:
    """The first bar that begins at the evaluation or later, five minutes later at most.

    The evaluation knows bars closed by `at_ms`; the open of the bar that begins there was traded after it.
    """
    row = np.searchsorted(path.start_ms, at_ms, side="left").astype(np.int64)
    is_awaited = row == len(path)
    held = np.minimum(row, len(path) - 1)
    is_soon = ~is_awaited & (path.start_ms[held] - at_ms <= MAX_ENTRY_WAIT_MS)
    return Entries(np.where(is_soon, row, -1), np.where(is_soon, path.open[held], np.nan), is_awaited)


def trade_both_sides(
    path: PricePath,
    at_ms: Ints,
    atr_usd: Floats,
    *,
    tier: int,
    settlements: Settlements | None = None,
    cost_factor: float = 1.0,
    horizons_ms: Mapping[str, int] = HORIZONS_MS,
) -> tuple[HorizonOutcomes, ...]:
    """What a LONG and a SHORT of every evaluation came to, per horizon, shortest first.

    at_ms: ascending. atr_usd: ATR(1h) known at each, NaN where it is not (then the trade is unscorable).
    cost_factor: multiplies fees, spread and slippage, for the question what dearer trading would leave.

    Raises:
        InvariantViolation: a path without bars.
    """
    if not len(path):
        raise InvariantViolation("there are no prices to follow trades on")
    entries = find_entries(path, at_ms)
    touches = _Touches.find(path, entries, atr_usd, max(horizons_ms.values()))
    trader = _Trader(path, entries, touches, cost_factor * round_trip_frac(tier), settlements)
    ordered = sorted(horizons_ms.items(), key=lambda item: item[1])
    return tuple(trader.horizon(name, length_ms) for name, length_ms in ordered)


@dataclass(frozen=True, slots=True)
class _Touches:
    """First bar at or beyond each barrier, NEVER for none; is_usable: there is an entry with barriers."""

    is_usable: Flags
    atr_usd: Floats
    up: Ints
    down: Ints

    @classmethod
    def find(cls, path: PricePath, entries: Entries, atr_usd: Floats, longest_ms: int) -> _Touches:
        with np.errstate(invalid="ignore"):
            is_usable = (entries.row >= 0) & (atr_usd > 0) & (atr_usd < entries.price)
        start, entry, atr = entries.row[is_usable], entries.price[is_usable], atr_usd[is_usable]
        within = longest_ms // path.interval_ms + 1
        up, down = (np.full(entries.row.size, NEVER, dtype=np.int64) for _ in range(2))
        if start.size:
            up[is_usable] = Maxima(path.high).first_above(start, entry + atr, or_equal=True, within=within)
            down[is_usable] = Maxima(-path.low).first_above(start, atr - entry, or_equal=True, within=within)
        return cls(is_usable, atr_usd, up, down)


class _Ends(NamedTuple):
    """How the trades of one horizon ended, the same for both sides. row: bar of the touch, or the last one
    within the horizon; exit at `at_ms`."""

    is_touched: Flags
    is_timeout: Flags
    is_open: Flags
    row: Ints
    at_ms: Ints


class _Trader:
    def __init__(
        self,
        path: PricePath,
        entries: Entries,
        touches: _Touches,
        cost_frac: float,
        settlements: Settlements | None,
    ) -> None:
        self._path = path
        self._entries = entries
        self._touches = touches
        self._cost_frac = cost_frac
        self._settlements = settlements
        self._end_ms = path.end_ms
        self._gap_ms = path.start_ms[1:] - self._end_ms[:-1]
        self._row = np.maximum(entries.row, 0)
        self._entered_ms = path.start_ms[self._row]

    def horizon(self, name: str, length_ms: int) -> HorizonOutcomes:
        ends = self._ends(length_ms)
        sides = [self._side(ends, direction) for direction in (Direction.LONG, Direction.SHORT)]
        return HorizonOutcomes(name, length_ms, *sides)

    def _ends(self, length_ms: int) -> _Ends:
        touches, hole_ms = self._touches, max_hole_ms(length_ms)
        due_ms = self._entered_ms + length_ms
        last = np.searchsorted(self._end_ms, due_ms, side="right").astype(np.int64) - 1
        first = np.minimum(touches.up, touches.down)
        has_bars = last >= self._row
        last_ms = np.where(has_bars, self._end_ms[last], self._entered_ms)
        # A horizon that is not over is open, touched or not: the quick ones alone are no fair sample. Nor are
        # they where a hole swallowed the slow ones.
        is_over = due_ms <= self._end_ms[-1]
        is_torn = (self._next_hole(hole_ms) <= last) | (due_ms - last_ms > hole_ms)
        is_whole = touches.is_usable & is_over & ~is_torn
        is_touched = is_whole & (first <= last)
        row = np.where(is_touched, np.minimum(first, len(self._path) - 1), np.where(has_bars, last, -1))
        is_open = (touches.is_usable & ~is_over) | self._entries.is_awaited
        at_ms = np.where(is_touched, self._end_ms[row], due_ms)
        return _Ends(is_touched, is_whole & ~is_touched, is_open, row, at_ms)

    def _next_hole(self, hole_ms: int) -> Ints:
        """The first bar behind a hole after each entry; one bar past the end for none."""
        holes = np.append(np.flatnonzero(self._gap_ms > hole_ms) + 1, len(self._path))
        found: Ints = holes[np.searchsorted(holes[:-1], self._row, side="right")]
        return found

    def _side(self, ends: _Ends, direction: Direction) -> SideOutcomes:
        sign = 1.0 if direction is Direction.LONG else -1.0
        touches, entry = self._touches, self._entries.price
        target, stop = (touches.up, touches.down) if sign > 0 else (touches.down, touches.up)
        # A bar that touches both counts as the stop: nobody knows which came first.
        is_target = ends.is_touched & (target != NEVER) & ((stop == NEVER) | (target < stop))
        stop_usd = entry - sign * touches.atr_usd
        at_open = self._path.open[ends.row]
        # A bar that opens behind the stop was not sold at the stop.
        stopped = np.minimum(at_open * sign, stop_usd * sign) * sign
        timed_out = np.where(ends.row >= 0, self._path.close[ends.row], entry)
        exit_usd = np.where(
            ends.is_touched, np.where(is_target, entry + sign * touches.atr_usd, stopped), timed_out
        )
        cost = self._cost_frac + sign * self._paid_by_longs(ends.at_ms)
        net = sign * (exit_usd - entry) / entry - cost
        is_scored = ends.is_touched | ends.is_timeout
        state = np.where(is_scored, SCORED, np.where(ends.is_open, OPEN, UNSCORABLE)).astype(np.int8)
        return SideOutcomes(
            state=state,
            win=is_scored & (net > 0) & (is_target | ends.is_timeout),
            net_frac=np.where(is_scored, net, np.nan),
            cost_frac=np.where(is_scored, cost, np.nan),
            barrier_frac=np.where(is_scored, touches.atr_usd / entry, np.nan),
            end_ms=np.where(is_scored, ends.at_ms, self._entered_ms),
        )

    def _paid_by_longs(self, until_ms: Ints) -> Floats:
        """Funding settled after the entry and up to the end; 0 where no settlement is known."""
        known = self._settlements
        if known is None or not known.at_ms.size:
            return np.zeros(until_ms.size)
        total = np.append(0.0, np.cumsum(known.rate_frac))
        first = np.searchsorted(known.at_ms, self._entered_ms, side="right")
        paid: Floats = total[np.searchsorted(known.at_ms, until_ms, side="right")] - total[first]
        return paid
