"""When a service under load is as usual again: the judgement of BENCH=overload."""

from __future__ import annotations

from typing import Any

from bench.overload import recovery_s

QUIET = [9.0, 0.0, 0.0, 12.0]
REFUSED = [9.0, 1.0, 0.0, 12.0]
LOST = [9.0, 0.0, 1.0, 12.0]


def phase(*bins: list[float]) -> dict[str, Any]:
    """Quarter seconds: admitted, refused, lost, p99 in ms."""
    return {
        "seconds": len(bins) / 4,
        "course": [[number / 4, *one] for number, one in enumerate(bins)],
    }


def test_it_is_at_once_where_nobody_was_refused() -> None:
    assert recovery_s(phase(*[QUIET] * 40), phase(QUIET)) == 0


def test_it_is_after_the_last_refusal_and_the_last_question_without_an_answer() -> None:
    assert recovery_s(phase(REFUSED, QUIET, REFUSED, *[QUIET] * 30)) == 0.75
    assert recovery_s(phase(QUIET, LOST, *[QUIET] * 30)) == 0.5


def test_phases_are_one_course() -> None:
    assert recovery_s(phase(*[QUIET] * 20), phase(QUIET, REFUSED, QUIET)) == 5.5
