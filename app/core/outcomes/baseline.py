"""What chance would have earned: the same trade at random moments of the same day, in the same coin.

A setup says something only if it does better than its own random twins: same direction, same relative
distances of stop and target, same costs and rules, only the moment is drawn. Seeded, pure; called by the
study.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.core.domain.market import DAY_MS
from app.core.domain.outcomes import HORIZONS_MS
from app.core.outcomes.first_touch import Ending, PathBar, Plan, find_entry, follow, settle

_NULL_DRAWS = 4_000


class Twins(NamedTuple):
    """Random twins of one trade. wins: 1 or 0 of each that can be scored; net_frac: their net returns;
    unscorable: draws that hit a stretch without prices."""

    wins: tuple[int, ...]
    net_frac: tuple[float, ...]
    unscorable: int


def draw_twins(
    plan: Plan,
    path: Sequence[PathBar],
    *,
    horizon: str,
    tier: int,
    draws: int,
    rng: np.random.Generator,
) -> Twins:
    """`draws` twins on the path that scored the trade itself, at moments uniform over its UTC day.

    Funding is left out of twins: the few stamps of a day fall on them by chance.
    """
    day_ms = plan.entered_ms // DAY_MS * DAY_MS
    wins: list[int] = []
    nets: list[float] = []
    for at_ms in (day_ms + rng.integers(0, DAY_MS, draws)).tolist():
        twin = _twin(plan, path, at_ms, horizon)
        if twin is None:
            continue
        other, ending = twin
        result = settle(other, ending, tier=tier, settlements=None)
        wins.append(int(result.is_win))
        nets.append(result.net_frac)
    return Twins(tuple(wins), tuple(nets), draws - len(wins))


def _twin(plan: Plan, path: Sequence[PathBar], at_ms: int, horizon: str) -> tuple[Plan, Ending] | None:
    length_ms = HORIZONS_MS[horizon]
    first = bisect_left(path, at_ms, key=lambda bar: bar.start_ms)
    entry = find_entry(path[first : first + 2], at_ms)
    if entry is None:
        return None
    scale = entry.open / plan.entry
    twin = replace(
        plan,
        entered_ms=entry.start_ms,
        entry=entry.open,
        stop=plan.stop * scale,
        target=plan.target * scale,
    )
    due_ms = twin.entered_ms + length_ms
    last = bisect_right(path, due_ms, key=lambda bar: bar.start_ms)
    ends = follow(twin, path[first:last], known_until_ms=due_ms, horizons_ms={horizon: length_ms})
    ending = ends.get(horizon)
    return (twin, ending) if isinstance(ending, Ending) else None


class Chance(NamedTuple):
    """Share of wins that chance gives to as many trades: mean, and where 95 % of draws fall."""

    mean: float
    low: float
    high: float


def chance_of(twins: Sequence[Twins], rng: np.random.Generator) -> Chance | None:
    """One twin drawn for each trade, four thousand times over; None when a trade has no twin.

    Worked number: one trade with two twins, one of which won: mean 0.5, from 0 to 1.
    """
    if not twins or any(not one.wins for one in twins):
        return None
    shares = np.zeros(_NULL_DRAWS)
    for one in twins:
        shares += np.array(one.wins)[rng.integers(0, len(one.wins), _NULL_DRAWS)]
    shares /= len(twins)
    low, high = np.percentile(shares, (2.5, 97.5))
    return Chance(float(np.mean([np.mean(one.wins) for one in twins])), float(low), float(high))
