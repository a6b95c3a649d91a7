"""Levels of the period before: worked dates, holes, and both forms."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvariantViolation
from app.core.smc.bars import Bars, bars_of_columns
from app.core.smc.periods import (
    Period,
    PreviousTracker,
    period_start_ms,
    previous_levels,
    standing_levels,
)
from tests.smc_facts import differences, head, walk_bars

HOUR_MS = 3_600_000


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


def bars_at(opens: list[int], interval_ms: int, seed: int = 1) -> Bars:
    walk = walk_bars(seed, len(opens))
    closes = np.array(opens, dtype=np.int64) + interval_ms
    return bars_of_columns(interval_ms, closes, walk.open, walk.high, walk.low, walk.close, walk.volume)


@pytest.mark.parametrize(
    ("period", "moment", "start"),
    [
        (Period.MINUTES_15, ms(2026, 3, 1, 12, 44), ms(2026, 3, 1, 12, 30)),
        (Period.HOURS_4, ms(2026, 3, 1, 12), ms(2026, 3, 1, 12)),
        (Period.DAY, ms(2026, 3, 1, 23, 59), ms(2026, 3, 1)),
        (Period.WEEK, ms(2026, 3, 1, 12), ms(2026, 2, 23)),  # a Sunday
        (Period.WEEK, ms(2026, 3, 2), ms(2026, 3, 2)),
        (Period.MONTH, ms(2024, 2, 29, 5), ms(2024, 2, 1)),
    ],
)
def test_periods_are_utc_and_weeks_begin_on_monday(period: Period, moment: int, start: int) -> None:
    assert period_start_ms(period, moment) == start


def test_the_first_bar_of_a_day_shows_the_day_that_has_just_ended() -> None:
    opens = [ms(2026, 3, 1) + hour * HOUR_MS for hour in range(50)]
    bars = bars_at(opens, HOUR_MS)
    levels = previous_levels(bars, Period.DAY)
    assert np.isnan(levels.high[:24]).all()
    assert set(levels.high[24:48]) == {bars.high[:24].max()}
    assert set(levels.low[48:]) == {bars.low[24:48].min()}
    assert not levels.is_partial[24:].any()


def test_a_day_with_a_hole_is_partial() -> None:
    opens = [ms(2026, 3, 1) + hour * HOUR_MS for hour in range(60) if hour != 5]
    levels = previous_levels(bars_at(opens, HOUR_MS), Period.DAY)
    assert levels.is_partial[23:47].all()
    assert not levels.is_partial[47:].any()


@given(
    st.integers(0, 10**6),
    st.sampled_from((Period.HOURS_4, Period.DAY, Period.WEEK, Period.MONTH)),
    st.integers(1, 9),
)
@settings(max_examples=40)
def test_both_forms_agree_and_equal_the_definition(seed: int, period: Period, every: int) -> None:
    rng = np.random.default_rng(seed)
    opens = [ms(2025, 12, 20) + hour * HOUR_MS for hour in range(1500) if rng.integers(0, every) == 0][:300]
    bars = bars_at(opens, HOUR_MS, seed)
    levels = previous_levels(bars, period)
    tracker = PreviousTracker(HOUR_MS, period)
    rows = [
        tracker.update(*row)
        for row in zip(opens, bars.high.tolist(), bars.low.tolist(), bars.close.tolist(), strict=True)
    ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert differences(levels, type(levels)(*columns)) == []
    starts = [period_start_ms(period, open_ms) for open_ms in opens]
    for t in rng.integers(0, len(opens), min(20, len(opens))).tolist():
        before = max((start for start in starts if start < starts[t]), default=None)
        own = [k for k in range(t + 1) if starts[k] == starts[t]]
        high = max((bars.high[k] for k in range(t) if starts[k] == before), default=np.nan)
        np.testing.assert_array_equal(levels.high[t], high)
        assert levels.broken_high[t] == any(bars.high[k] > high for k in own)
        assert levels.closed_above[t] == any(bars.close[k] > high for k in own)


def test_bars_longer_than_the_period_are_refused() -> None:
    with pytest.raises(InvariantViolation):
        previous_levels(bars_at([0], 4 * HOUR_MS), Period.HOUR)
    with pytest.raises(InvariantViolation):
        PreviousTracker(4 * HOUR_MS, Period.HOUR)


@pytest.mark.parametrize("period", [Period.HOURS_4, Period.DAY, Period.WEEK])
def test_what_stands_now_is_what_the_next_bar_will_be_told(period: Period) -> None:
    opens = [ms(2026, 2, 20) + hour * HOUR_MS for hour in range(400) if hour not in (77, 200)]
    bars = bars_at(opens, HOUR_MS)
    levels = previous_levels(bars, period)
    turns = 0
    for size in range(30, len(opens)):
        next_open = opens[size]
        if next_open != opens[size - 1] + HOUR_MS:
            continue  # nobody knows of the hole yet
        row = standing_levels(head(bars, size), period)
        begins = period_start_ms(period, next_open) == next_open
        turns += begins
        expected = levels.high[size], levels.low[size]
        if row is None:
            assert np.isnan(expected).all()
            continue
        assert (row.high, row.low) == expected
        assert row.is_partial == levels.is_partial[size]
        flags = (row.broken_high, row.broken_low, row.closed_above, row.closed_below)
        if begins:
            assert not any(flags)
        else:
            columns = (levels.broken_high, levels.broken_low, levels.closed_above, levels.closed_below)
            assert flags == tuple(column[size - 1] for column in columns)
    assert turns > 1
    assert standing_levels(head(bars, 0), period) is None
