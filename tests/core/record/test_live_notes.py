"""What the live record says of its gaps: whole sentences, in singular and plural, and none without a gap."""

from __future__ import annotations

import pytest

from app.core.domain.evaluations import HourCount
from app.core.record.gaps import REASONS
from app.core.record.live_notes import funding_notes, hours_notes, unscorable_notes, version_notes


def test_hours_without_an_evaluation_are_named() -> None:
    counts = [
        HourCount("BTC", 90, 85, {"no_price": 2, "late": 1}),
        HourCount("ETH", 10, 5, {"stale_price": 1}),
    ]
    assert hours_notes(counts) == (
        "Of 100 coin-hours that were due, 90 were evaluated, 3 had no usable price, 1 came too late and 6 "
        "were missed.",
    )
    assert hours_notes([]) == ()


def test_one_hour_is_told_in_the_singular() -> None:
    assert hours_notes([HourCount("BTC", 1, 1, {})]) == (
        "Of 1 coin-hour that was due, 1 was evaluated, 0 had no usable price, 0 came too late and 0 were "
        "missed.",
    )


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({}, ()),
        ({("1.0.0", "BTC"): 1}, ("1 evaluation of engine 1.0.0 is not counted here.",)),
        (
            {("1.0.0", "BTC"): 312, ("1.0.0", "ETH"): 1_000},
            ("1,312 evaluations of engine 1.0.0 are not counted here.",),
        ),
        (
            {("1.1.0", "BTC"): 2, ("1.0.0", "BTC"): 3},
            ("5 evaluations of engines 1.0.0 and 1.1.0 are not counted here.",),
        ),
    ],
)
def test_evaluations_of_other_engines_are_named(
    others: dict[tuple[str, str], int], said: tuple[str, ...]
) -> None:
    assert version_notes(others) == said


def test_many_engines_fit_one_sentence() -> None:
    (said,) = version_notes({(f"{n}.0.0", "BTC"): 1 for n in range(9)})
    assert said == (
        "9 evaluations of engines 0.0.0, 1.0.0, 2.0.0, 3.0.0, 4.0.0 and others are not counted here."
    )


def test_funding_that_is_not_known_is_not_said_to_be_none() -> None:
    assert funding_notes(12, 212) == (
        "Funding was not known for 12 of 212 scored trades and is not charged in them.",
    )
    assert funding_notes(1, 1) == ("Funding was not known for 1 of 1 scored trade and is not charged in it.",)
    assert funding_notes(0, 212) == ()


def test_the_most_frequent_reason_for_no_score_is_told() -> None:
    assert unscorable_notes({"no_entry": 10, "holes": 2}) == (
        "Most often trades could not be scored because no 1m or 5m candle says at what price they began: 10 "
        "of 12.",
    )
    assert unscorable_notes({}) == ()


@pytest.mark.parametrize("reason", REASONS[1:])
def test_every_reason_has_its_words(reason: str) -> None:
    (said,) = unscorable_notes({reason: 1})
    assert len(said) <= 220
    assert "_" not in said
