"""Rank against one's own earlier history: worked numbers, windows, and live = rolling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.factors.ranking import Ranking, history_starts, share_below

ONE_TO_HUNDRED = np.arange(1.0, 101.0)
SIGNED = Ranking(signed=True)
CONTRARIAN = Ranking(signed=False, direction=-1)
FOLLOWED = Ranking(signed=False, direction=1)
VALUES = st.lists(st.sampled_from([-3.0, -1.5, -1.0, 0.0, 0.5, 1.0, 2.0, 7.0]), min_size=2, max_size=60)


def test_signed_worked_number() -> None:
    sizes = ONE_TO_HUNDRED * np.where(np.arange(100) % 2, 1.0, -1.0)
    assert SIGNED.v_last(np.append(sizes, 75.5), 0) == pytest.approx(0.75)
    assert SIGNED.v_last(np.append(sizes, -75.5), 0) == pytest.approx(-0.75)


def test_level_worked_number() -> None:
    assert CONTRARIAN.v_last(np.append(ONE_TO_HUNDRED, 97.5), 0) == pytest.approx(-0.94)
    assert FOLLOWED.v_last(np.append(ONE_TO_HUNDRED, 97.5), 0) == pytest.approx(0.94)


def test_ties_count_half() -> None:
    assert share_below(np.array([1.0, 2.0, 2.0, 3.0]), 2.0) == 0.5
    assert FOLLOWED.v_last(np.full(101, 5.0), 0) == 0.0


def test_no_signed_evidence_is_neutral_whatever_the_history() -> None:
    assert SIGNED.v_last(np.append(ONE_TO_HUNDRED, 0.0), 0) == 0.0


def test_the_window_is_thirty_days_strictly_before_now() -> None:
    hours = np.arange(1_000) * HOUR_MS
    starts = history_starts(hours, 30 * DAY_MS, 100)
    assert 999 - starts[-1] == 720
    assert starts[50] == 0


def test_a_slow_series_reaches_back_for_a_hundred_points() -> None:
    days = np.arange(400) * DAY_MS
    assert 399 - history_starts(days, 30 * DAY_MS, 100)[-1] == 100
    assert 399 - history_starts(days, 365 * DAY_MS, 100)[-1] == 365


def test_gaps_do_not_stretch_a_full_window() -> None:
    hours = np.arange(1_000) * HOUR_MS
    kept = np.delete(hours, slice(600, 700))
    start = history_starts(kept, 30 * DAY_MS, 100)[-1]
    assert kept[start] == hours[999] - 30 * DAY_MS


@given(VALUES, st.integers(1, 30), st.integers(1, 20), st.sampled_from([SIGNED, CONTRARIAN, FOLLOWED]))
def test_the_rolling_rank_is_the_live_rank_at_every_point(
    values: list[float], window_h: int, min_points: int, ranking: Ranking
) -> None:
    x = np.array(values)
    starts = history_starts(np.arange(x.size) * HOUR_MS, window_h * HOUR_MS, min_points)
    column = ranking.v_column(x, starts)
    assert np.isnan(column[0])
    for index in range(1, x.size):
        assert column[index] == pytest.approx(ranking.v_last(x[: index + 1], int(starts[index])), abs=1e-12)


@given(VALUES, st.floats(-10, 10), st.floats(0, 5))
def test_v_is_monotone_in_the_evidence(values: list[float], x: float, more: float) -> None:
    history = np.array(values)
    lower, higher = np.append(history, x), np.append(history, x + more)
    assert SIGNED.v_last(lower, 0) <= SIGNED.v_last(higher, 0)
    assert FOLLOWED.v_last(lower, 0) <= FOLLOWED.v_last(higher, 0)
    assert CONTRARIAN.v_last(lower, 0) >= CONTRARIAN.v_last(higher, 0)


@given(VALUES)
def test_the_mirrored_history_gives_the_mirrored_v(values: list[float]) -> None:
    x = np.array(values)
    for ranking in (SIGNED, CONTRARIAN, FOLLOWED):
        v = ranking.v_last(x, 0)
        assert -1.0 <= v <= 1.0
        assert ranking.v_last(-x, 0) == pytest.approx(-v, abs=1e-12)
