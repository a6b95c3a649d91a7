"""Outlier flags: worked number, nothing about the future, nothing flagged without a history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.outliers import MIN_MOVES, outlier_flags


def walk(last_move: float) -> list[float]:
    values = [100.0]
    for n in range(40):
        values.append(values[-1] + (1.0 if n % 2 == 0 else -1.0))
    return [*values, values[-1] + last_move]


@pytest.mark.parametrize(("move", "flagged"), [(7.0, True), (-7.0, True), (5.0, False)])
def test_a_move_beyond_six_sigma_of_those_before_it_is_flagged(move: float, flagged: bool) -> None:
    flags = outlier_flags(walk(move), is_relative=False)
    assert flags[-1] is flagged
    assert not any(flags[:-1])


def test_relative_moves_are_log_returns() -> None:
    values = [100.0 * 1.001 ** (n % 2) for n in range(60)]
    assert outlier_flags([*values, values[-1] * 1.2], is_relative=True)[-1]
    assert not outlier_flags([*values, values[-1] * 1.003], is_relative=True)[-1]


def test_too_short_a_history_and_one_that_never_moved_flag_nothing() -> None:
    assert not any(outlier_flags([*range(MIN_MOVES), 1e9], is_relative=False))
    assert not any(outlier_flags([0.0001] * 99 + [0.002], is_relative=False))
    assert outlier_flags([], is_relative=True) == ()


@given(
    values=st.lists(st.floats(1e-8, 1e12), min_size=1, max_size=80),
    cut=st.integers(1, 80),
    is_relative=st.booleans(),
)
def test_flags_never_know_the_future(values: list[float], cut: int, is_relative: bool) -> None:
    whole = outlier_flags(values, is_relative=is_relative)
    assert outlier_flags(values[:cut], is_relative=is_relative) == whole[:cut]
