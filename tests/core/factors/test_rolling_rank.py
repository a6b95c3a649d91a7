"""Counting what lies below, all windows at once, equals counting them one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.core.factors.rolling_rank import count_below

VALUES = st.lists(st.sampled_from([-3.0, -1.5, -0.0, 0.0, 0.5, 1.0, 2.0, 7.0]), max_size=80)


def test_worked_number() -> None:
    below, equal = count_below(np.array([3.0, 1.0, 2.0, 2.0]), np.zeros(4, np.int64))
    assert below.tolist() == [0, 0, 1, 1]
    assert equal.tolist() == [0, 0, 0, 1]


def test_nothing_is_counted_in_nothing() -> None:
    below, equal = count_below(np.empty(0), np.empty(0, np.int64))
    assert below.size == equal.size == 0


@given(VALUES, st.data())
def test_every_window_counts_as_by_hand(values: list[float], data: st.DataObject) -> None:
    starts = np.array([data.draw(st.integers(0, index)) for index in range(len(values))], dtype=np.int64)
    below, equal = count_below(np.array(values), starts)
    for index, value in enumerate(values):
        window = values[starts[index] : index]
        assert below[index] == sum(one < value for one in window)
        assert equal[index] == sum(one == value for one in window)


@given(st.integers(0, 2**32 - 1))
def test_many_different_values_count_as_by_hand(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=300)
    starts = np.maximum(np.arange(300) - 120, 0)
    below, equal = count_below(values, starts)
    by_hand = [int((values[start:index] < values[index]).sum()) for index, start in enumerate(starts)]
    assert below.tolist() == by_hand
    assert not equal.any()
