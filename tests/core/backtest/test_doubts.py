"""Trades in doubt are counted: one bar with both barriers, funding that nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.backtest.doubts import count_ambiguous, is_ambiguous, is_funding_known
from app.core.backtest.price_path import PricePath, Settlements, trade_both_sides
from app.core.domain.market import HOUR_MS
from app.core.record.columns import LONG, NEUTRAL, SCORED, SHORT, HorizonOutcomes

MINUTE_MS = 60_000
BOTH, JUMPED, STILL = (100, 101.5, 98.5, 100), (97, 97.2, 96.9, 97), (100, 100.1, 99.9, 100)
UP, DOWN = (100, 101.2, 99.9, 101), (100, 100.1, 98.8, 99)
LENGTH = 20


def taken(*second: tuple[float, float, float, float]) -> HorizonOutcomes:
    """Trades at 100 with barriers at 99 and 101, one after the other, each decided by its second bar."""
    rows = [bar for one in second for bar in (STILL, one, *[STILL] * (LENGTH - 2))]
    columns = np.array([*rows, *[STILL] * LENGTH], dtype=np.float64).T
    path = PricePath(MINUTE_MS, np.arange(columns.shape[1], dtype=np.int64) * MINUTE_MS, *columns)
    at_ms = np.arange(len(second), dtype=np.int64) * LENGTH * MINUTE_MS
    found = trade_both_sides(path, at_ms, np.ones(at_ms.size), tier=1)
    return next(one for one in found if one.horizon == "15m")


@pytest.mark.parametrize(
    ("bar", "wanted"), [(BOTH, True), (JUMPED, False), (STILL, False), (UP, False), (DOWN, False)]
)
def test_only_a_bar_with_both_barriers_leaves_a_trade_undecided(
    bar: tuple[float, float, float, float], wanted: bool
) -> None:
    found = taken(bar)
    assert found.long.state[0] == SCORED
    assert is_ambiguous(found).tolist() == [wanted]


def test_their_share_is_of_the_scored_trades() -> None:
    """Of four scored evaluations two are ambiguous, of the engine's two trades one."""
    direction = np.array([LONG, NEUTRAL, SHORT, NEUTRAL], dtype=np.int8)
    found = count_ambiguous(taken(BOTH, BOTH, UP, DOWN), direction)
    assert (found.horizon, found.engine_frac, found.all_frac) == ("15m", 0.5, 0.5)
    assert count_ambiguous(taken(STILL), np.zeros(1, np.int8)).engine_frac is None


@given(st.integers(0, 2**31))
def test_a_trade_is_ambiguous_where_its_first_touch_touches_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    open_ = 100.0 + rng.normal(0, 0.3, 60)
    high, low = open_ + rng.exponential(0.6, 60), open_ - rng.exponential(0.6, 60)
    path = PricePath(MINUTE_MS, np.arange(60, dtype=np.int64) * MINUTE_MS, open_, high, low, open_)
    found = next(
        one for one in trade_both_sides(path, np.array([0]), np.array([1.0]), tier=1) if one.horizon == "15m"
    )
    up, down = high[:15] >= open_[0] + 1.0, low[:15] <= open_[0] - 1.0
    first = np.flatnonzero(up | down)
    wanted = bool(first.size and up[first[0]] and down[first[0]])
    assert is_ambiguous(found).tolist() == [wanted]


def test_funding_is_known_until_the_next_settlement_would_have_been_due() -> None:
    """Every 8 h until 16:00: a trade that ends at 23:59 is known, one that ends at 24:00 is not."""
    settlements = Settlements(np.array([0, 8, 16]) * HOUR_MS + 3, np.zeros(3))
    from_ms = np.array([12, 12, 23, -9, -7]) * HOUR_MS
    to_ms = np.array([24 * HOUR_MS - MINUTE_MS, 24 * HOUR_MS, 30 * HOUR_MS, HOUR_MS, HOUR_MS])
    assert is_funding_known(settlements, from_ms, to_ms).tolist() == [True, False, False, False, True]


def test_a_hole_in_the_settlements_is_as_unknown_as_their_end() -> None:
    """Every 8 h, and the ones of 08:00, 32:00 and 40:00 are missing."""
    settlements = Settlements(np.array([-16, -8, 0, 16, 24, 48, 56, 64, 72]) * HOUR_MS, np.zeros(9))
    spans = {
        (0, 7): True,
        (0, 8): False,
        (7, 9): False,
        (8, 24): True,
        (24, 31): True,
        (24, 32): False,
        (33, 39): False,
        (39, 41): False,
        (40, 72): True,
        (1, 60): False,
    }
    from_ms, to_ms = np.array(list(spans)).T * HOUR_MS
    assert is_funding_known(settlements, from_ms, to_ms).tolist() == list(spans.values())


def test_without_settlements_no_funding_is_known() -> None:
    one = np.array([HOUR_MS])
    none = Settlements(np.empty(0, np.int64), np.empty(0))
    assert not is_funding_known(None, one, one).any()
    assert not is_funding_known(none, one, one).any()
