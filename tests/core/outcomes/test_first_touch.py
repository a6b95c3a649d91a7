"""First touch of target or stop: every rule by number, mirrored, and without the future."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import TradeLevels
from app.core.domain.outcomes import HORIZONS_MS, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.outcomes.first_touch import (
    MAX_ENTRY_WAIT_MS,
    Ending,
    PathBar,
    Plan,
    Walk,
    barriers_of,
    find_entry,
    follow,
    max_hole_ms,
    plan_trade,
    settle,
    tick,
)

MIN = 60_000
T0 = 1_000 * 60 * MIN
LONG = Plan(Direction.LONG, T0, 100.0, 99.0, 101.0)
SHORT = Plan(Direction.SHORT, T0, 100.0, 101.0, 99.0)
OTHER = {Direction.LONG: Direction.SHORT, Direction.SHORT: Direction.LONG}


def minute(n: int, low: float, high: float, *, open_: float | None = None, close: float = 100.0) -> PathBar:
    """The n-th minute after the entry."""
    opened = 100.0 if open_ is None else open_
    return PathBar(T0 + n * MIN, T0 + (n + 1) * MIN, opened, high, low, close)


def quiet(first: int, last: int, close: float = 100.0) -> list[PathBar]:
    return [minute(n, 99.5, 100.5, close=close) for n in range(first, last)]


def ended(plan: Plan, path: list[PathBar], horizon: str = "15m") -> Ending:
    end = follow(plan, path, known_until_ms=T0 + HORIZONS_MS[horizon])[horizon]
    assert isinstance(end, Ending)
    return end


def net(plan: Plan, path: list[PathBar], horizon: str = "15m", tier: int = 1) -> tuple[float, bool]:
    result = settle(plan, ended(plan, path, horizon), tier=tier, settlements=None)
    return result.net_frac, result.is_win


def test_the_target_first_is_a_win_after_costs() -> None:
    path = [*quiet(0, 3), minute(3, 99.5, 101.2), minute(4, 90.0, 101.0)]
    assert ended(LONG, path) == Ending(
        Touch.TARGET, T0 + 4 * MIN, 101.0, pytest.approx(0.01), pytest.approx(-0.005)
    )
    assert net(LONG, path) == (pytest.approx(0.0084), True)
    assert net(LONG, path, tier=3) == (pytest.approx(0.0072), True)


def test_the_stop_first_is_a_loss_whatever_comes_later() -> None:
    path = [minute(0, 98.9, 100.6), minute(1, 99.0, 110.0)]
    assert ended(LONG, path).touch is Touch.STOP
    assert net(LONG, path) == (pytest.approx(-0.0116), False)
    assert ended(LONG, path).mfe_frac == 0.0  # the high of the bar may have come after the stop


def test_a_bar_that_touches_both_is_a_loss_at_the_stop() -> None:
    path = [minute(0, 98.0, 102.0)]
    assert ended(LONG, path)[:3] == (Touch.BOTH, T0 + MIN, 99.0)
    assert ended(SHORT, path)[:3] == (Touch.BOTH, T0 + MIN, 101.0)
    assert net(LONG, path) == (pytest.approx(-0.0116), False)


def test_a_bar_that_opens_behind_the_stop_was_not_sold_at_the_stop() -> None:
    path = [minute(0, 97.0, 98.5, open_=98.0)]
    assert ended(LONG, path).exit_price == 98.0
    assert net(LONG, path)[0] == pytest.approx(-0.0216)
    # The target is a limit order: a bar that opens beyond it pays no more than the target.
    assert ended(LONG, [minute(0, 101.5, 103.0, open_=102.0)]).exit_price == 101.0


@pytest.mark.parametrize("close, is_win", [(100.1, False), (100.2, True), (99.9, False)])
def test_a_time_out_wins_only_with_more_than_its_costs(close: float, is_win: bool) -> None:
    path = quiet(0, 15, close)
    assert ended(LONG, path)[:3] == (Touch.TIMEOUT, T0 + 15 * MIN, close)
    assert net(LONG, path) == (pytest.approx((close - 100) / 100 - 0.0016), is_win)


def test_a_target_nearer_than_the_costs_is_no_win() -> None:
    near = Plan(Direction.LONG, T0, 100.0, 99.9, 100.1)
    path = [minute(0, 99.95, 100.2)]
    assert ended(near, path).touch is Touch.TARGET
    assert net(near, path) == (pytest.approx(-0.0006), False)


def test_funding_is_charged_at_the_stamps_between_entry_and_exit() -> None:
    end = ended(LONG, quiet(0, 15, 101.0 - 0.5))
    paid = settle(LONG, end, tier=1, settlements=[(T0, 0.5), (T0 + 5 * MIN, 0.001), (T0 + 16 * MIN, 0.5)])
    assert paid.funding_frac == pytest.approx(0.001)
    assert paid.net_frac == pytest.approx(0.005 - 0.0016 - 0.001)
    unknown = settle(LONG, end, tier=1, settlements=None)
    assert (unknown.funding_frac, unknown.net_frac) == (None, pytest.approx(0.005 - 0.0016))


def test_excursions_are_signed_to_the_direction() -> None:
    path = [minute(0, 99.4, 100.8), *quiet(1, 15)]
    assert ended(LONG, path)[3:] == (pytest.approx(0.008), pytest.approx(-0.006))
    assert ended(SHORT, path)[3:] == (pytest.approx(0.006), pytest.approx(-0.008))


def test_each_horizon_ends_at_its_own_time() -> None:
    path = [*quiet(0, 20, 100.3), minute(20, 98.0, 100.0), *quiet(21, 70)]
    ends = follow(LONG, path, known_until_ms=T0 + 70 * MIN)
    assert {name: end.touch for name, end in ends.items() if isinstance(end, Ending)} == {
        "15m": Touch.TIMEOUT,
        "1h": Touch.STOP,
        "4h": Touch.STOP,
        "24h": Touch.STOP,
    }
    assert set(follow(LONG, quiet(0, 70), known_until_ms=T0 + 70 * MIN)) == {"15m", "1h"}


def test_the_end_of_the_horizon_is_inside_and_a_bar_over_it_is_not() -> None:
    at_the_end = tick(T0 + 15 * MIN, 101.0)
    just_after = tick(T0 + 15 * MIN + 1, 101.0)
    assert ended(LONG, [*quiet(0, 15), at_the_end]).touch is Touch.TARGET
    assert ended(LONG, [*quiet(0, 15), just_after]).touch is Touch.TIMEOUT
    across = PathBar(T0 + 14 * MIN, T0 + 15 * MIN + 1, 100, 105, 100, 105)
    assert ended(LONG, [*quiet(0, 14), across])[:3] == (Touch.TIMEOUT, T0 + 15 * MIN, 100.0)


def test_a_hole_is_unscorable_unless_the_touch_came_before_it() -> None:
    assert max_hole_ms(HORIZONS_MS["15m"]) == 75_000
    assert max_hole_ms(HORIZONS_MS["24h"]) == 300_000
    until = T0 + 60 * MIN
    holed = [*quiet(0, 5), *quiet(7, 60)]  # two minutes: too much for 15 min, not for an hour
    ends = follow(LONG, holed, known_until_ms=until)
    assert ends["15m"] is Unscorable.HOLES
    assert isinstance(ends["1h"], Ending)
    early = [minute(0, 99.5, 101.0), *holed[1:]]
    assert ended(LONG, early).touch is Touch.TARGET
    assert follow(LONG, quiet(0, 5), known_until_ms=until) == {
        "15m": Unscorable.HOLES,
        "1h": Unscorable.HOLES,
    }
    # A touch after the hole is not known to have been the first.
    late = [*quiet(0, 5), minute(7, 99.5, 101.0)]
    assert follow(LONG, late, known_until_ms=until)["15m"] is Unscorable.HOLES


def test_a_walk_says_nothing_of_what_is_still_running() -> None:
    walk = Walk(LONG)
    for bar in quiet(0, 10):
        walk.feed(bar)
    assert walk.endings == {}
    walk.advance(T0 + 15 * MIN)
    assert walk.endings == {"15m": Unscorable.HOLES}  # ten minutes seen, the last five not
    assert not walk.is_over


def test_barriers_are_the_alerts_own_else_one_atr_on_both_sides() -> None:
    levels = TradeLevels(100.0, 98.0, (103.0, 110.0))
    own = plan_trade(Direction.LONG, entered_ms=T0, entry=100.4, barriers=barriers_of(levels), atr_usd=1.0)
    assert own == Plan(Direction.LONG, T0, 100.4, 98.0, 103.0)
    assert barriers_of(None) is None
    assert barriers_of(TradeLevels(100.0, 98.0, ())) is None
    by_atr = plan_trade(Direction.SHORT, entered_ms=T0, entry=100.0, barriers=None, atr_usd=1.5)
    assert by_atr == Plan(Direction.SHORT, T0, 100.0, 101.5, 98.5)
    for atr in (None, 0.0, 100.0):
        found = plan_trade(Direction.LONG, entered_ms=T0, entry=100.0, barriers=None, atr_usd=atr)
        assert found is Unscorable.NO_BARRIERS


def test_levels_on_the_wrong_side_and_neutral_alerts_are_refused_loudly() -> None:
    wrong = TradeLevels(100.0, 103.0, (98.0,))
    with pytest.raises(InvariantViolation, match="wrong sides"):
        plan_trade(Direction.LONG, entered_ms=T0, entry=100.0, barriers=barriers_of(wrong), atr_usd=None)
    with pytest.raises(InvariantViolation, match="neutral"):
        plan_trade(Direction.NEUTRAL, entered_ms=T0, entry=100.0, barriers=None, atr_usd=1.0)


def test_an_entry_behind_the_stop_is_lost_and_one_behind_the_target_was_missed() -> None:
    levels = TradeLevels(100.0, 98.0, (103.0,))
    late = plan_trade(Direction.LONG, entered_ms=T0, entry=103.0, barriers=barriers_of(levels), atr_usd=None)
    assert late is Unscorable.MISSED
    behind = plan_trade(Direction.LONG, entered_ms=T0, entry=97.5, barriers=barriers_of(levels), atr_usd=None)
    assert isinstance(behind, Plan)
    walk = Walk(behind)
    assert walk.is_over
    end = walk.endings["24h"]
    assert isinstance(end, Ending)
    assert end[:3] == (Touch.STOP, T0, 97.5)
    assert settle(behind, end, tier=1, settlements=None).net_frac == pytest.approx(-0.0016)


def test_the_entry_is_the_first_price_after_the_alert_not_its_own() -> None:
    made = T0 + 1_000
    path = [tick(T0, 99.0), tick(made, 99.5), tick(made + 1, 100.0), tick(made + 2, 101.0)]
    assert find_entry(path, made) == tick(made + 1, 100.0)
    # A bar that began before the alert holds prices from before it.
    bars = [PathBar(T0, T0 + MIN, 98, 99, 97, 98), PathBar(T0 + MIN, T0 + 2 * MIN, 100, 101, 99, 100)]
    assert find_entry(bars, made) == bars[1]
    assert find_entry(bars, T0 + MIN - 1) == bars[1]
    assert find_entry(bars, T0 + MIN) is None  # its first trade may be the one that made the alert
    assert find_entry([tick(made + MAX_ENTRY_WAIT_MS + 1, 100.0)], made) is None
    assert find_entry([], made) is None


def prices_of(seed: int, count: int = 120) -> list[float]:
    draw = random.Random(seed)
    price, found = 100.0, []
    for _ in range(count):
        price += draw.uniform(-0.4, 0.4)
        found.append(price)
    return found


@given(st.integers(0, 10_000), st.integers(5, 40))
def test_upside_down_a_short_earns_what_the_long_earned(seed: int, barrier_tenths: int) -> None:
    """Mirrored at the entry (2 * 100 - price): fractions of the entry's notional come out the same."""
    away = barrier_tenths / 10
    long = Plan(Direction.LONG, T0, 100.0, 100 - away, 100 + away)
    short = Plan(Direction.SHORT, T0, 100.0, 100 + away, 100 - away)
    prices = prices_of(seed)
    up = [tick(T0 + (n + 1) * 10_000, price) for n, price in enumerate(prices)]
    down = [tick(T0 + (n + 1) * 10_000, 200 - price) for n, price in enumerate(prices)]
    until = T0 + 20 * MIN
    one = follow(long, up, known_until_ms=until)["15m"]
    other = follow(short, down, known_until_ms=until)["15m"]
    assert isinstance(one, Ending)
    assert isinstance(other, Ending)
    assert (one.touch, one.at_ms) == (other.touch, other.at_ms)
    assert one.mfe_frac == pytest.approx(other.mfe_frac)
    assert one.mae_frac == pytest.approx(other.mae_frac)
    mine, mirrored = (
        settle(plan, end, tier=2, settlements=None) for plan, end in ((long, one), (short, other))
    )
    assert mine.net_frac == pytest.approx(mirrored.net_frac)
    assert mine.is_win == mirrored.is_win


@given(st.integers(0, 10_000), st.integers(1, 119))
def test_what_is_not_yet_known_changes_nothing_that_is(seed: int, cut: int) -> None:
    """The path cut off at any moment gives the same ends for every horizon that was over by then."""
    path = [tick(T0 + (n + 1) * 30_000, price) for n, price in enumerate(prices_of(seed))]
    until = path[cut - 1].end_ms
    whole = follow(LONG, path, known_until_ms=until)
    assert follow(LONG, path[:cut], known_until_ms=until) == whole
    later = follow(LONG, path, known_until_ms=path[-1].end_ms)
    assert {name: later[name] for name in whole} == whole


@given(st.integers(0, 10_000))
def test_what_was_before_the_entry_changes_nothing(seed: int) -> None:
    path = [tick(T0 + (n + 1) * 30_000, price) for n, price in enumerate(prices_of(seed))]
    wild = [tick(T0 - MIN, 1.0), tick(T0 - 1, 1_000.0), PathBar(T0 - MIN, T0 + MIN, 100, 900, 1, 100)]
    until = path[-1].end_ms
    assert follow(LONG, [*wild, *path], known_until_ms=until) == follow(LONG, path, known_until_ms=until)
