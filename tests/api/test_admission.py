"""The controller on paper: what it bounds, when it begins and ends, and that nobody is starved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.admission import (
    BEARABLE_S,
    MOST,
    PATIENCE_S,
    PROBES,
    PROBES_AGAIN_SHEDDING,
    PROBES_SHEDDING,
    TARGET_S,
    Admission,
    Guest,
)
from tests.api.simulated_loop import CAPACITY_PER_S, Loop, between

KINDS = st.sampled_from(list(Guest))
# (who came, seconds of answering, seconds of reading, seconds of doing nothing)
ROUNDS = st.lists(
    st.tuples(st.lists(KINDS, max_size=700), st.floats(0, 2), st.floats(0, 0.5), st.floats(0, 5)), max_size=12
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def round(
        self, admission: Admission, guests: list[Guest], answering_s: float = 0.0, reading_s: float = 0.0
    ) -> list[bool]:
        """Answer what was let in before, read `guests` meanwhile; who of them was let in."""
        admission.begin(self.now_s, self.now_s)
        self.now_s += answering_s
        admission.read(self.now_s)
        verdicts = [admission.admit(guest) for guest in guests]
        self.now_s += reading_s
        admission.end(self.now_s, self.now_s)
        return verdicts


def shedding(admission: Admission, clock: Clock, rounds: int = 40) -> None:
    for _ in range(rounds):
        clock.round(admission, [Guest.KNOWN] * 200, answering_s=0.05)
    assert admission.is_shedding


def percentile_ms(values: list[float], share: float) -> float:
    return 1000 * values[int(share * (len(values) - 1))]


def at(before: float, during: float) -> Callable[[float], float]:
    """A load in multiples of what the process can do: `during` from second 2 to 6."""
    return lambda now_s: CAPACITY_PER_S * (during if 2 <= now_s < 6 else before)


class TestBounds:
    @settings(max_examples=40)
    @given(ROUNDS)
    def test_no_round_holds_more_than_its_bound_whatever_happened_before(self, rounds: object) -> None:
        admission, clock = Admission(), Clock()
        for guests, answering_s, reading_s, idle_s in rounds:  # type: ignore[attr-defined]
            limit, was_shedding = admission.limit, admission.is_shedding
            guests = [guest for guest in guests if guest is not Guest.PROBE_AGAIN]
            verdicts = clock.round(admission, guests, answering_s, reading_s)
            probes = [is_in for guest, is_in in zip(guests, verdicts, strict=True) if guest is Guest.PROBE]
            assert 1 <= limit <= MOST
            assert sum(verdicts) - sum(probes) <= limit
            assert sum(probes) == min(len(probes), PROBES_SHEDDING if was_shedding else PROBES)
            clock.now_s += idle_s

    @settings(max_examples=40)
    @given(ROUNDS)
    def test_every_question_is_let_in_or_counted_as_refused(self, rounds: object) -> None:
        told: list[int] = []
        admission, clock = Admission(observe=told.append), Clock()
        refused = 0
        for guests, answering_s, reading_s, _ in rounds:  # type: ignore[attr-defined]
            refused += clock.round(admission, guests, answering_s, reading_s).count(False)
        admission.begin(clock.now_s, clock.now_s)
        assert admission.refused == sum(told) == refused

    @settings(max_examples=40)
    @given(ROUNDS)
    def test_every_state_is_left_when_nobody_waits(self, rounds: object) -> None:
        admission, clock = Admission(), Clock()
        for guests, answering_s, reading_s, _ in rounds:  # type: ignore[attr-defined]
            clock.round(admission, guests, answering_s, reading_s)
        for _ in range(30):
            clock.round(admission, [])
        assert admission.limit == MOST
        assert not admission.is_shedding


class TestWhenItBegins:
    def test_a_burst_is_let_in(self) -> None:
        admission, clock = Admission(), Clock()
        verdicts = clock.round(admission, [Guest.STRANGER] * 300)
        clock.round(admission, [Guest.STRANGER] * 20, answering_s=0.06)
        assert all(verdicts)
        assert not admission.is_shedding

    def test_many_short_rounds_without_a_pause_are_no_overload(self) -> None:
        admission, clock = Admission(), Clock()
        for _ in range(1000):
            assert all(clock.round(admission, [Guest.KNOWN] * 50, answering_s=BEARABLE_S * 0.9))
        assert not admission.is_shedding

    def test_long_rounds_with_pauses_are_no_overload(self) -> None:
        admission, clock = Admission(), Clock()
        for _ in range(100):
            clock.round(admission, [Guest.KNOWN], answering_s=PATIENCE_S * 0.9)
            clock.round(admission, [])
        assert not admission.is_shedding

    def test_long_rounds_without_a_pause_are(self) -> None:
        admission, clock = Admission(), Clock()
        while not admission.is_shedding:
            clock.round(admission, [Guest.KNOWN] * 100, answering_s=BEARABLE_S * 1.5)
            assert clock.now_s < 2 * PATIENCE_S

    def test_few_questions_are_no_overload_whatever_else_makes_a_round_long_now_and_then(self) -> None:
        admission, clock = Admission(), Clock()
        for number in range(3000):
            spent_s = 0.0012 + (0.03 if number % 50 == 49 else 0)
            assert all(clock.round(admission, [Guest.KNOWN] * 6, answering_s=spent_s))
        assert not admission.is_shedding

    def test_costly_questions_are_overload_however_few(self) -> None:
        admission, clock = Admission(), Clock()
        for _ in range(10):
            clock.round(admission, [Guest.KNOWN] * 3, answering_s=0.05)
        assert admission.is_shedding

    def test_time_that_a_neighbour_took_is_not_work(self) -> None:
        admission, now_s, worked_s = Admission(), 0.0, 0.0
        for _ in range(100):
            admission.begin(now_s, worked_s)
            now_s, worked_s = now_s + 0.1, worked_s + 0.001
            admission.read(worked_s)
            admission.admit(Guest.KNOWN)
            admission.end(now_s, worked_s)
        assert not admission.is_shedding


class TestWhoComesFirst:
    def test_probes_are_answered_however_full_it_is(self) -> None:
        admission, clock = Admission(), Clock()
        shedding(admission, clock)
        verdicts = clock.round(admission, [Guest.STRANGER] * 500 + [Guest.PROBE] * 5, answering_s=0.05)
        assert verdicts[-5:] == [True] * 5

    def test_strangers_leave_half_of_the_places_to_those_who_are_known(self) -> None:
        admission, clock = Admission(target_s=0.1), Clock()
        while not admission.is_shedding:
            clock.round(admission, [Guest.KNOWN] * 200, answering_s=0.2)
        for _ in range(4):
            limit = admission.limit
            verdicts = clock.round(admission, [Guest.STRANGER] * 500 + [Guest.KNOWN] * 500, answering_s=0.2)
            assert sum(verdicts[:500]) in {limit // 2, limit - limit // 2}
            assert sum(verdicts) == limit

    def test_strangers_and_the_known_take_turns_when_there_is_only_one_place(self) -> None:
        admission, clock = Admission(), Clock()
        shedding(admission, clock, rounds=15)
        assert admission.limit == 1
        crowd = [Guest.STRANGER] * 50 + [Guest.KNOWN]
        fates = [clock.round(admission, crowd, answering_s=0.05) for _ in range(4)]
        assert [fate[0] for fate in fates] in ([True, False] * 2, [False, True] * 2)
        assert [fate[-1] for fate in fates] == [not fate[0] for fate in fates]

    def test_probes_that_come_fast_share_two_places_and_leave_those_of_the_others(self) -> None:
        admission, clock = Admission(), Clock()
        shedding(admission, clock)
        verdicts = clock.round(admission, [Guest.PROBE_AGAIN] * 500 + [Guest.PROBE] * 5, answering_s=0.05)
        assert sum(verdicts[:500]) == PROBES_AGAIN_SHEDDING
        assert verdicts[-5:] == [True] * 5

    def test_the_time_of_probes_takes_no_places_from_questions(self) -> None:
        admission, clock = Admission(), Clock()
        shedding(admission, clock, rounds=8)
        for _ in range(20):
            asked = 6 * [Guest.PROBE] + 500 * [Guest.KNOWN]
            clock.round(admission, asked, answering_s=0.0002 * (6 + admission.limit))
        assert admission.limit >= 4


@pytest.fixture(scope="module")
def flooded() -> Loop:
    """Two seconds as usual, four with three times what the process can do, two as usual."""
    loop = Loop(Admission(), at(0.7, 3.0))
    loop.run(8)
    return loop


class TestUnderLoad:
    def test_seven_tenths_of_what_it_can_do_are_never_refused(self, flooded: Loop) -> None:
        assert between(flooded.refused, 0, 2) == []

    def test_what_is_let_in_is_answered_as_fast_as_ever(self, flooded: Loop) -> None:
        usual, admitted = between(flooded.answered, 0.5, 2), between(flooded.answered, 2.3, 6)
        assert percentile_ms(admitted, 0.99) < 2 * percentile_ms(usual, 0.99)
        assert between(flooded.answered, 2, 6)[-1] < 2 * PATIENCE_S
        assert len(admitted) / 3.7 > 0.6 * CAPACITY_PER_S
        assert flooded.most_in_a_round <= MOST

    def test_the_rest_is_refused_at_once(self, flooded: Loop) -> None:
        refused = between(flooded.refused, 2.3, 6)
        assert len(refused) / 3.7 > 1.5 * CAPACITY_PER_S
        assert percentile_ms(refused, 0.99) < 10

    def test_everyone_is_answered_again_once_it_is_over(self, flooded: Loop) -> None:
        assert between(flooded.refused, 6.1, 8) == []
        assert not flooded.admission.is_shedding

    def test_a_fifth_more_than_it_can_do_costs_little_more_than_that_fifth(self) -> None:
        loop = Loop(Admission(), at(0.7, 1.2))
        loop.run(5)
        assert len(between(loop.answered, 2, 5)) / 3 > 0.8 * CAPACITY_PER_S
        assert percentile_ms(between(loop.answered, 3, 5), 0.99) < 60

    def test_more_refusals_than_there_is_time_for_leave_a_part_to_answers(self) -> None:
        loop = Loop(Admission(), at(0.7, 7.0))
        loop.run(4)
        ended = [due_s for due_s, took_s in loop.answered if due_s + took_s > 2.3]
        assert len(ended) / 1.7 > 0.2 * CAPACITY_PER_S

    def test_a_flood_of_an_hour_is_not_let_in_by_trials(self) -> None:
        loop = Loop(Admission(), at(0.7, 3.0))
        loop.run(2)
        loop.rate_at = at(3.0, 3.0)
        loop.run(20)
        usual, admitted = between(loop.answered, 0.5, 2), between(loop.answered, 2.5, 20)
        assert percentile_ms(admitted, 0.99) < 2 * percentile_ms(usual, 0.99)

    def test_callers_who_are_known_are_preferred_and_probes_all_answered(self) -> None:
        kinds = [Guest.STRANGER] * 80 + [Guest.KNOWN] * 19 + [Guest.PROBE]
        loop = Loop(Admission(target_s=10 * TARGET_S), at(3.0, 3.0), guest=lambda draw: draw.choice(kinds))
        loop.run(3)  # the first fifth of a second is let in
        share = {
            kind: loop.fates[kind, True] / (loop.fates[kind, True] + loop.fates[kind, False])
            for kind in set(kinds)
        }
        assert share[Guest.PROBE] > 0.9  # rounds of 10 ms hold more than their places now and then
        assert share[Guest.KNOWN] > 1.5 * share[Guest.STRANGER] > 0


class TestCallersWithoutAPause:
    """Who ask again as soon as they were answered, after a flood that began the refusing."""

    ANSWER_S, REFUSE_S = 0.0002, 0.000015

    def rounds(self, admission: Admission, clock: Clock, callers: int, until_s: float, guest: Guest) -> int:
        """How many were refused."""
        refused = 0
        let_in = 0
        while clock.now_s < until_s:
            admission.begin(clock.now_s, clock.now_s)
            clock.now_s += let_in * self.ANSWER_S
            admission.read(clock.now_s)
            let_in = sum(admission.admit(guest) for _ in range(callers))
            clock.now_s += 1e-5 + (callers - let_in) * self.REFUSE_S
            admission.end(clock.now_s, clock.now_s)
            refused += callers - let_in
        return refused

    @pytest.mark.parametrize("guest", [Guest.STRANGER, Guest.KNOWN])
    @pytest.mark.parametrize("callers", [2, 6, 8, 20, 60])
    def test_are_not_refused_for_ever(self, callers: int, guest: Guest) -> None:
        admission, clock = Admission(), Clock()
        assert self.rounds(admission, clock, callers, 2, guest) == 0
        assert self.rounds(admission, clock, 400, 9, Guest.KNOWN) > 10_000
        assert admission.is_shedding
        self.rounds(admission, clock, callers, 14, guest)
        assert self.rounds(admission, clock, callers, 30, guest) == 0
        assert not admission.is_shedding

    def test_are_refused_in_part_while_their_queue_would_be_too_long(self) -> None:
        admission, clock = Admission(), Clock()
        self.rounds(admission, clock, 400, 5, Guest.KNOWN)
        assert self.rounds(admission, clock, 200, 30, Guest.KNOWN) > 10_000
        assert admission.is_shedding
