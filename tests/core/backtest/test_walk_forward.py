"""Nothing that was still going on when a fold begins, nor within a horizon before it, is learnt from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.core.backtest.walk_forward import FOLDS, walk_forward
from app.core.domain.market import HOUR_MS

LENGTH_MS = 4 * HOUR_MS


@given(st.integers(0, 2**31), st.integers(1, 400))
def test_the_past_of_a_fold_was_over_a_horizon_before_it(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    at_ms = np.sort(rng.integers(0, 1_000, rows)) * HOUR_MS
    end_ms = at_ms + rng.integers(0, LENGTH_MS + 1, rows)
    judged = np.zeros(rows, dtype=int)
    for fold in walk_forward(at_ms, end_ms, LENGTH_MS):
        judged += fold.test
        assert (end_ms[fold.train] + LENGTH_MS <= fold.from_ms).all()
        assert (at_ms[fold.test] >= fold.from_ms).all()
        assert not (fold.train & fold.test).any()
    assert judged.max(initial=0) <= 1
    assert judged[-1] == 1


def test_six_folds_after_the_first_third() -> None:
    at_ms = np.arange(900, dtype=np.int64) * HOUR_MS
    folds = list(walk_forward(at_ms, at_ms + LENGTH_MS, LENGTH_MS))
    assert len(folds) == FOLDS
    assert all(abs(int(fold.test.sum()) - 100) <= 1 for fold in folds)
    assert 299 * HOUR_MS < folds[0].from_ms < 300 * HOUR_MS
    # The trade of hour 291 is over at 295, more than four hours before the fold begins; that of 292 is not.
    assert np.flatnonzero(folds[0].train).max() == 291


def test_without_rows_there_are_no_folds() -> None:
    assert list(walk_forward(np.empty(0, np.int64), np.empty(0, np.int64), LENGTH_MS)) == []
