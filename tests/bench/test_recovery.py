"""When a service under load is as usual again: the judgement of BENCH=overload."""

from __future__ import annotations

from bench.overload import recovery_s

QUIET = [9.0, 0.0, 0.0, 12.0]


def phase(*bins: list[float]) -> dict[str, list[list[float]]]:
    """Quarter seconds: admitted, refused, lost, p99 in ms."""
    return {"course": [[number / 4, *one] for number, one in enumerate(bins)]}


def test_it_is_at_once_where_nothing_was_different() -> None:
    assert recovery_s(phase(*[QUIET] * 40), 40) == 0


def test_it_is_after_the_last_refusal_and_the_last_question_without_an_answer() -> None:
    refused, lost = [9.0, 1.0, 0.0, 12.0], [9.0, 0.0, 1.0, 12.0]
    assert recovery_s(phase(refused, QUIET, refused, *[QUIET] * 30), 40) == 0.75
    assert recovery_s(phase(QUIET, lost, *[QUIET] * 30), 40) == 0.5
    assert recovery_s(phase(*[QUIET] * 10, [0.0, 0.0, 0.0, 0.0], QUIET), 40) == 2.75


def test_slow_answers_count_but_for_one_quarter_second_in_twenty() -> None:
    slow = [9.0, 0.0, 0.0, 90.0]
    assert recovery_s(phase(slow, slow, *[QUIET] * 18, slow, *[QUIET] * 20), 40) == 0.25
    assert recovery_s(phase(*[slow] * 20), 40) == 5.0
