"""The record of a setup and the points it moves a confidence by."""

from __future__ import annotations

import pytest

from app.core.alerting.record import look_up, record_shift, shrunken_win_rate
from app.core.domain.flow import AlertKind
from app.core.domain.outcomes import setup_of
from app.core.domain.signal import Direction


@pytest.mark.parametrize(
    ("scored", "wins", "shift"),
    [(60, 33, 0.75), (60, 27, -0.75), (180, 0, -9.0), (180, 180, 9.0), (30, 15, 0.0), (29, 20, 0.0)],
)
def test_the_worked_numbers(scored: int, wins: int, shift: float) -> None:
    assert record_shift(scored=scored, wins=wins) == pytest.approx(shift)


def test_the_rate_is_shrunk_towards_one_half() -> None:
    assert shrunken_win_rate(scored=60, wins=33) == 0.5375
    assert shrunken_win_rate(scored=0, wins=0) == 0.5


def test_no_record_moves_a_confidence_by_more_than_ten_points() -> None:
    shifts = [record_shift(scored=n, wins=wins) for n in (30, 1_000, 10**9) for wins in (0, n)]
    assert all(-10 <= shift <= 10 for shift in shifts)
    assert shifts[0] < 0 < shifts[1]


def test_a_setup_is_kind_direction_and_tier() -> None:
    assert setup_of("STOP_HUNT", "LONG", 1) == "STOP_HUNT:LONG:1"


def test_the_record_is_asked_by_setup_and_shown_with_its_shift() -> None:
    record = look_up({"STOP_HUNT:SHORT:3": (60, 33)}.get, AlertKind.STOP_HUNT, Direction.SHORT, 3)
    assert record is not None
    assert (record.setup, record.scored, record.wins, record.shift) == (
        "STOP_HUNT:SHORT:3",
        60,
        33,
        pytest.approx(0.75),
    )


def test_without_a_direction_or_a_count_there_is_no_record() -> None:
    def always(_setup: str) -> tuple[int, int]:
        return (100, 90)

    assert look_up(always, AlertKind.STOP_HUNT, Direction.NEUTRAL, 1) is None
    assert look_up(lambda _setup: None, AlertKind.STOP_HUNT, Direction.LONG, 1) is None
