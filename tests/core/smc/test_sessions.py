"""Sessions in their venues' own time, on both sides of the changes of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from app.core.smc.sessions import SESSIONS, Session, SessionTracker, session_columns, window_of
from tests.core.smc.test_periods import bars_at, ms
from tests.smc_facts import differences

BY_NAME = {session.name: session for session in SESSIONS}
QUARTER_MS = 900_000


def hours(name: str, day: date) -> tuple[str, str]:
    """Window of a local date as UTC clock times."""
    start, end = window_of(BY_NAME[name], day)
    return (
        f"{datetime.fromtimestamp(start / 1000, UTC):%d %H:%M}",
        f"{datetime.fromtimestamp(end / 1000, UTC):%d %H:%M}",
    )


@pytest.mark.parametrize(
    ("name", "day", "start", "end"),
    [
        ("london", date(2026, 3, 27), "27 08:00", "27 16:30"),
        ("london", date(2026, 3, 30), "30 07:00", "30 15:30"),
        ("tokyo", date(2026, 7, 1), "01 00:00", "01 09:00"),
        ("new_york", date(2026, 3, 6), "06 14:30", "06 21:00"),
        ("new_york", date(2026, 3, 9), "09 13:30", "09 20:00"),  # the clocks of New York change first
        ("asia_kill_zone", date(2026, 1, 15), "16 01:00", "16 05:00"),
        ("new_york_kill_zone", date(2026, 7, 1), "01 11:00", "01 14:00"),
        ("london_kill_zone", date(2026, 11, 1), "01 07:00", "01 10:00"),
        ("london_close_kill_zone", date(2026, 7, 1), "01 14:00", "01 16:00"),
    ],
)
def test_windows_follow_daylight_saving(name: str, day: date, start: str, end: str) -> None:
    assert hours(name, day) == (start, end)


def test_the_end_is_outside_and_an_occurrence_keeps_to_itself() -> None:
    opens = [ms(2026, 3, 26) + k * QUARTER_MS for k in range(3 * 96)]
    bars = bars_at(opens, QUARTER_MS)
    london = session_columns(bars, BY_NAME["london"])
    first, last = opens.index(ms(2026, 3, 26, 8)), opens.index(ms(2026, 3, 26, 16, 15))
    assert (london.is_active[first - 1], london.is_active[first]) == (False, True)
    assert (london.is_active[last], london.is_active[last + 1]) == (True, False)
    assert london.start_ms[last] == ms(2026, 3, 26, 8)
    assert london.high[last] == bars.high[first : last + 1].max()
    assert london.low[first + 3] == bars.low[first : first + 4].min()
    second = opens.index(ms(2026, 3, 27, 8))
    assert london.high[second] == bars.high[second]
    assert np.isnan(london.high[last + 1])


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_both_forms_agree_over_a_change_of_the_clocks(session: Session) -> None:
    rng = np.random.default_rng(4)
    opens = [ms(2026, 3, 5) + k * QUARTER_MS for k in range(26 * 96) if rng.integers(0, 4)]
    bars = bars_at(opens, QUARTER_MS)
    columns = session_columns(bars, session)
    tracker = SessionTracker(session)
    rows = [tracker.update(*row) for row in zip(opens, bars.high.tolist(), bars.low.tolist(), strict=True)]
    again = type(columns)(*(np.array(column) for column in zip(*rows, strict=True)))
    assert differences(columns, again) == []
    assert 0 < columns.is_active.sum() < len(opens)
