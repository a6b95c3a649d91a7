"""First touch of target or stop on a price path: how an alert's trade ended, at every horizon.

The rules are fixed: entry is the first price traded AFTER the alert was made (nothing before it is looked
at); barriers are the alert's own levels, else one ATR(1h) on both sides of the entry; what touches both in
one bar is a loss; a time-out is a loss unless its net return is above 0; what cannot be known is unscorable.
Pure; called by the tracker, the study and their tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from app.core.domain.flow import TradeLevels
from app.core.domain.outcomes import HORIZONS_MS, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.outcomes.costs import funding_frac, round_trip_frac

# Later than this after the alert nobody would still have entered.
MAX_ENTRY_WAIT_MS = 300_000
_MAX_HOLE_MS = 300_000


class PathBar(NamedTuple):
    """Prices traded from start_ms to end_ms, USD. A single trade is a bar of no length (`tick`)."""

    start_ms: int
    end_ms: int
    open: float
    high: float
    low: float
    close: float


def tick(ts_ms: int, price: float) -> PathBar:
    """One traded price."""
    return PathBar(ts_ms, ts_ms, price, price, price, price)


@dataclass(frozen=True, slots=True)
class Plan:
    """A trade to be followed. LONG: stop < target; the entry may lie behind the stop (then it is lost at
    once)."""

    direction: Direction
    entered_ms: int
    entry: float
    stop: float
    target: float

    @property
    def sign(self) -> float:
        """+1 for LONG, -1 for SHORT."""
        return 1.0 if self.direction is Direction.LONG else -1.0


def barriers_of(levels: TradeLevels | None) -> tuple[float, float] | None:
    """(stop, first target) of an alert's levels; their entry is not used, for it is what was really
    traded that counts."""
    return None if levels is None or not levels.targets else (levels.stop, levels.targets[0])


def plan_trade(
    direction: Direction,
    *,
    entered_ms: int,
    entry: float,
    barriers: tuple[float, float] | None,
    atr_usd: float | None,
) -> Plan | Unscorable:
    """The trade of an alert that was entered at this price.

    barriers: (stop, target) of the alert (`barriers_of`). atr_usd: ATR of 1 h known when the alert was made,
    for alerts without levels. An entry at or behind the stop is a plan (and a loss): leaving it out would
    flatter.

    Raises:
        InvariantViolation: a direction of NEUTRAL, or barriers on the wrong sides.
    """
    if direction is Direction.NEUTRAL:
        raise InvariantViolation("a neutral alert has no trade")
    sign = 1.0 if direction is Direction.LONG else -1.0
    if barriers is not None:
        stop, target = barriers
    elif atr_usd is not None and 0 < atr_usd < entry:
        stop, target = entry - sign * atr_usd, entry + sign * atr_usd
    else:
        return Unscorable.NO_BARRIERS
    if (target - stop) * sign <= 0:
        raise InvariantViolation(f"{direction}: stop {stop:g} and target {target:g} are on the wrong sides")
    if (target - entry) * sign <= 0:
        return Unscorable.MISSED
    return Plan(direction, entered_ms, entry, stop, target)


def find_entry(path: Sequence[PathBar], made_ms: int) -> PathBar | None:
    """The first prices that are wholly after the alert; their open is the entry. None: too late or none."""
    for bar in path:
        if bar.start_ms > made_ms:
            return bar if bar.start_ms - made_ms <= MAX_ENTRY_WAIT_MS else None
    return None


def max_hole_ms(horizon_ms: int) -> int:
    """Longest stretch without prices that a horizon bears: a twelfth of it, at most five minutes.

    Worked numbers: 15 min -> 75 s (a bar of one minute may be missing at an end), 1 h and longer -> 300 s.
    """
    return min(_MAX_HOLE_MS, horizon_ms // 12)


class Ending(NamedTuple):
    """How a trade ended. mfe_frac >= 0 and mae_frac <= 0: best and worst excursion, signed to the
    direction."""

    touch: Touch
    at_ms: int
    exit_price: float
    mfe_frac: float
    mae_frac: float


End: TypeAlias = Ending | Unscorable


class Walk:
    """One plan along its price path, fed in order of time.

    endings: what is known, by horizon; complete once every horizon is in it.
    """

    def __init__(self, plan: Plan, horizons_ms: Mapping[str, int] = HORIZONS_MS) -> None:
        self.plan = plan
        self.endings: dict[str, End] = {}
        self._left = dict(sorted(horizons_ms.items(), key=lambda item: item[1]))
        self._last_ms, self._last = plan.entered_ms, plan.entry
        self._mfe = self._mae = 0.0
        self.feed(tick(plan.entered_ms, plan.entry))

    @property
    def is_over(self) -> bool:
        return not self._left

    def feed(self, bar: PathBar) -> None:
        """The next prices. What begins before the entry, or before what was fed last, is ignored."""
        if bar.start_ms < self._last_ms or not self._left:
            return
        # A bar that reaches past the end of a horizon says nothing of it: its extremes may lie behind the
        # end.
        self.advance(bar.end_ms - 1)
        self._drop_holes(bar.start_ms)
        if self._left:
            self._look(bar)
            self._last_ms, self._last = bar.end_ms, bar.close

    def advance(self, now_ms: int) -> None:
        """Everything up to and including now_ms has been fed: end the horizons that are over."""
        for horizon, length_ms in list(self._left.items()):
            due_ms = self.plan.entered_ms + length_ms
            if due_ms <= now_ms:
                is_known = due_ms - self._last_ms <= max_hole_ms(length_ms)
                self._end(horizon, self._ending(Touch.TIMEOUT, due_ms, self._last) if is_known else None)

    def _drop_holes(self, until_ms: int) -> None:
        hole_ms = until_ms - self._last_ms
        for horizon, length_ms in list(self._left.items()):
            if hole_ms > max_hole_ms(length_ms):
                self._end(horizon, None)

    def _look(self, bar: PathBar) -> None:
        plan, sign = self.plan, self.plan.sign
        towards, against = (bar.high, bar.low) if sign > 0 else (bar.low, bar.high)
        is_target = (towards - plan.target) * sign >= 0
        is_stop = (against - plan.stop) * sign <= 0
        if is_stop:
            # A bar that opens behind the stop was not sold at the stop. What it gained before is not known
            # to have come first.
            exit_price = min(bar.open * sign, plan.stop * sign) * sign
            self._mae = min(self._mae, self._excursion(exit_price))
            self._end_all(Touch.BOTH if is_target else Touch.STOP, bar.end_ms, exit_price)
            return
        self._mae = min(self._mae, self._excursion(against))
        self._mfe = max(self._mfe, self._excursion(plan.target if is_target else towards))
        if is_target:
            self._end_all(Touch.TARGET, bar.end_ms, plan.target)

    def _excursion(self, price: float) -> float:
        return self.plan.sign * (price - self.plan.entry) / self.plan.entry

    def _ending(self, touch: Touch, at_ms: int, exit_price: float) -> Ending:
        return Ending(touch, at_ms, exit_price, self._mfe, self._mae)

    def _end_all(self, touch: Touch, at_ms: int, exit_price: float) -> None:
        for horizon in list(self._left):
            self._end(horizon, self._ending(touch, at_ms, exit_price))

    def _end(self, horizon: str, ending: Ending | None) -> None:
        del self._left[horizon]
        self.endings[horizon] = Unscorable.HOLES if ending is None else ending


def follow(
    plan: Plan,
    path: Iterable[PathBar],
    *,
    known_until_ms: int,
    horizons_ms: Mapping[str, int] = HORIZONS_MS,
) -> Mapping[str, End]:
    """How the trade ended at each horizon that was over by then; horizons still running are absent.

    path: in order of time. Bars that begin before the entry or end after known_until_ms are not looked at.
    """
    walk = Walk(plan, horizons_ms)
    for bar in path:
        if bar.end_ms > known_until_ms or walk.is_over:
            break
        walk.feed(bar)
    walk.advance(known_until_ms)
    return walk.endings


class Result(NamedTuple):
    """What a trade earned. net_frac: of the entry's notional, after costs; funding_frac: paid, None unknown
    (and then not charged)."""

    net_frac: float
    cost_frac: float
    funding_frac: float | None
    is_win: bool


def settle(
    plan: Plan, ending: Ending, *, tier: int, settlements: Sequence[tuple[int, float]] | None
) -> Result:
    """Take the costs off. settlements: real funding stamps of the venue, None where they are not known.

    A win touched the target first, or timed out, and earned more than its costs: a target so near that the
    fees eat it is none. Worked numbers (tier 1, costs 0.0016): LONG 100 -> target 101: +0.0084, a win; stop
    99: -0.0116; time-out at 100.1: -0.0006, a loss; SHORT at 100 -> 99: +0.0084.
    """
    gross = plan.sign * (ending.exit_price - plan.entry) / plan.entry
    cost = round_trip_frac(tier)
    paid = None
    if settlements is not None:
        paid = funding_frac(plan.direction, settlements, from_ms=plan.entered_ms, to_ms=ending.at_ms)
    net = gross - cost - (paid or 0.0)
    return Result(net, cost, paid, net > 0 and ending.touch in (Touch.TARGET, Touch.TIMEOUT))
