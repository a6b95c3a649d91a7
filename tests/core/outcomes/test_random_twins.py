"""Random twins of a trade: the same rules at drawn moments of the same day, alike for the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.domain.signal import Direction
from app.core.outcomes.baseline import Twins, chance_of, draw_twins
from app.core.outcomes.first_touch import PathBar, Plan

MIN = 60_000
DAY = 1440 * MIN
DAY_0 = 20_000 * DAY


def minutes(first: int, last: int) -> list[PathBar]:
    """A price that swings by 2 % once an hour, minute by minute."""

    def at(n: int) -> float:
        return 100 + 2 * math.sin(2 * math.pi * n / 60)

    return [
        PathBar(
            DAY_0 + n * MIN,
            DAY_0 + (n + 1) * MIN,
            at(n),
            max(at(n), at(n + 1)),
            min(at(n), at(n + 1)),
            at(n + 1),
        )
        for n in range(first, last)
    ]


LONG = Plan(Direction.LONG, DAY_0 + 600 * MIN, 100.0, 99.0, 101.0)


def twins(path: list[PathBar], draws: int = 300, seed: int = 3, plan: Plan = LONG) -> Twins:
    return draw_twins(plan, path, horizon="1h", tier=1, draws=draws, rng=np.random.default_rng(seed))


def test_twins_are_drawn_from_the_whole_day_and_by_the_seed() -> None:
    path = minutes(-60, 1600)
    found = twins(path)
    assert found == twins(path)
    assert found.unscorable == 0
    assert len(found.wins) == 300
    # Half of the moments of an even swing rise first.
    assert sum(found.wins) / 300 == pytest.approx(0.5, abs=0.08)
    assert {round(net, 4) for net, won in zip(found.net_frac, found.wins, strict=True) if won} == {0.0084}


def test_other_days_are_not_drawn_from() -> None:
    """Prices of the day before and after only: nothing can be entered on the trade's own day."""
    path = [*minutes(-600, -10), *minutes(1440, 2000)]
    assert twins(path).wins == ()
    assert twins(path).unscorable == 300


def test_moments_without_prices_are_counted_and_not_guessed() -> None:
    found = twins([*minutes(0, 720), *minutes(1000, 1600)])
    assert 30 < found.unscorable < 120
    assert len(found.wins) + found.unscorable == 300


def test_a_short_twin_is_the_mirror_of_a_long_one() -> None:
    """Mirrored in logarithms, for distances are shares of the entry: 10,000 / price."""
    short = Plan(Direction.SHORT, LONG.entered_ms, 100.0, 1e4 / 99.0, 1e4 / 101.0)
    upside_down = [
        PathBar(bar.start_ms, bar.end_ms, 1e4 / bar.open, 1e4 / bar.low, 1e4 / bar.high, 1e4 / bar.close)
        for bar in minutes(0, 1600)
    ]
    long = twins(minutes(0, 1600))
    mirrored = twins(upside_down, plan=short)
    assert long.wins == mirrored.wins
    assert 100 < sum(long.wins) < 200


def test_chance_is_one_twin_for_each_trade() -> None:
    rng = np.random.default_rng(1)
    one = Twins((1, 0), (0.01, -0.01), 0)
    found = chance_of([one], rng)
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)
    many = chance_of([one] * 100, rng)
    assert many is not None
    assert many.mean == 0.5
    assert (many.low, many.high) == (pytest.approx(0.40, abs=0.02), pytest.approx(0.60, abs=0.02))
    assert chance_of([], rng) is None
    assert chance_of([one, Twins((), (), 9)], rng) is None
