"""Gaps between stored bars: counted per exchange and scope, in any order of rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.history import Gap, find_gaps
from app.core.domain.market import HOUR_MS
from tests.stored_facts import candle, ratio


def test_hours_that_are_not_stored_are_one_gap_with_their_number() -> None:
    rows = [candle(HOUR_MS * n) for n in (5, 1, 2)]
    assert find_gaps(rows, HOUR_MS) == (Gap("Binance", 2 * HOUR_MS, 5 * HOUR_MS, 2),)


def test_each_exchange_and_scope_has_its_own_bars() -> None:
    rows = [candle(HOUR_MS), candle(2 * HOUR_MS, exchange="OKX"), candle(3 * HOUR_MS)]
    assert find_gaps(rows, HOUR_MS) == (Gap("Binance", HOUR_MS, 3 * HOUR_MS, 1),)
    mixed = [ratio(HOUR_MS), ratio(2 * HOUR_MS, "top_position"), ratio(3 * HOUR_MS)]
    assert [gap.bars for gap in find_gaps(mixed, HOUR_MS)] == [1]


@given(hours=st.sets(st.integers(1, 60), min_size=1))
def test_rows_and_gaps_together_are_every_bar(hours: set[int]) -> None:
    gaps = find_gaps([candle(HOUR_MS * n) for n in hours], HOUR_MS)
    assert len(hours) + sum(gap.bars for gap in gaps) == max(hours) - min(hours) + 1
