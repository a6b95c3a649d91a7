"""How fast a chat may be written to: windows that slide, holds, and who waits how long."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.clock import ManualClock
from app.services.streaming.pacing import TELEGRAM_PACE, Limit, Pace, Pacer

GROUP, PERSON = "telegram:-100", "telegram:7"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def pacer(clock: ManualClock, pace: Pace = TELEGRAM_PACE) -> Pacer:
    return Pacer({"telegram": pace}, monotonic=clock.monotonic_s)


def test_a_chat_that_was_written_to_waits_a_second_and_the_others_do_not(clock: ManualClock) -> None:
    paced = pacer(clock)
    paced.took(PERSON, is_edit=False)
    assert paced.held() == [PERSON]
    assert paced.held_for_s(GROUP) == 0
    assert paced.next_s() == pytest.approx(1.05)
    clock.tick(1.06)
    assert (paced.held(), paced.next_s()) == ([], None)


def test_thirty_a_second_hold_the_whole_bot(clock: ManualClock) -> None:
    paced = pacer(clock)
    for number in range(30):
        assert "telegram" not in paced.held()
        paced.took(f"telegram:{number}", is_edit=False)
    assert "telegram" in paced.held()
    assert paced.held_for_s("telegram:99") == pytest.approx(1.05)


def test_a_hold_lasts_as_long_as_its_longest(clock: ManualClock) -> None:
    paced = pacer(clock)
    paced.hold("telegram", for_s=35)
    paced.hold("telegram", for_s=1)
    clock.tick(34.9)
    assert paced.held() == ["telegram"]
    paced.hold(PERSON, for_s=math.inf)
    clock.tick(1_000_000)
    assert (paced.held(), paced.next_s(), paced.held_for_s(PERSON)) == ([PERSON], None, math.inf)


def test_edits_wait_for_edits_and_not_for_messages(clock: ManualClock) -> None:
    paced = pacer(clock)
    paced.took(GROUP, is_edit=False)
    assert paced.edit_wait_s(GROUP) == 0
    paced.took(GROUP, is_edit=True)
    clock.tick(1.06)
    assert paced.held() == []
    assert paced.edit_wait_s(GROUP) == pytest.approx(1.94)


def test_a_scheme_without_pace_never_waits(clock: ManualClock) -> None:
    paced = pacer(clock)
    for _ in range(100):
        paced.took("webhook", is_edit=False)
    assert (paced.held(), paced.is_paced("webhook"), paced.is_paced(PERSON)) == ([], False, True)


def test_what_is_over_is_forgotten(clock: ManualClock) -> None:
    paced = pacer(clock)
    for number in range(2_000):
        paced.took(f"telegram:-{number}", is_edit=False)
        clock.tick(1)
    # The windows of the last minute, and up to as many as are never looked at.
    assert len(paced._windows) <= 600


@given(
    waits=st.lists(st.floats(0, 4), min_size=1, max_size=80),
    most=st.integers(1, 5),
    window_s=st.floats(0.5, 10),
)
def test_no_window_ever_sees_more_than_its_limit(waits: list[float], most: int, window_s: float) -> None:
    clock = ManualClock()
    free = Limit(1_000, 0.0)
    paced = pacer(clock, Pace(Limit(most, window_s), free, free, free))
    sent: list[float] = []
    for wait_s in waits:
        clock.tick(wait_s)
        if not paced.held():
            paced.took(PERSON, is_edit=False)
            sent.append(clock.monotonic_s())
    for at_s in sent:
        assert sum(at_s <= other < at_s + window_s for other in sent) <= most
