"""Numbers as a trader reads them, from the smallest coin to the largest sum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.formatting import (
    format_age,
    format_count,
    format_effective_n,
    format_minutes,
    format_moment,
    format_ordinal,
    format_percent,
    format_signed_percent,
    format_small_signed_percent,
    format_usd,
    format_usd_compact,
    toward_neutral,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (96_200.0, "$96,200"),
        (1_234.5678, "$1,235"),
        (999.999, "$1,000"),
        (12.3, "$12.30"),
        (1.0, "$1.00"),
        (0.99999, "$1.00"),
        (0.5, "$0.5"),
        (0.07123, "$0.07123"),
        (0.00001182, "$0.00001182"),
        (0.0000122, "$0.0000122"),
        (1e-8, "$0.00000001"),
        (0.0, "$0.00"),
        (-96_200.0, "-$96,200"),
        (-0.00001182, "-$0.00001182"),
    ],
)
def test_usd_keeps_significant_digits(value: float, text: str) -> None:
    assert format_usd(value) == text


@given(st.floats(min_value=1e-8, max_value=1e6))
def test_a_price_never_loses_more_than_its_rounding(value: float) -> None:
    shown = float(format_usd(value).replace("$", "").replace(",", ""))
    assert shown == pytest.approx(value, rel=0.006)
    assert format_usd(-value) == f"-{format_usd(value)}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_345_678.0, "$12.3M"),
        (4_200.0, "$4,200"),
        (116e6, "$116M"),
        (8.25e9, "$8.25B"),
        (999_999.0, "$1.00M"),
        (1.9e12, "$1.90T"),
        (-2.5e6, "-$2.50M"),
        (0.0, "$0.00"),
    ],
)
def test_sums_are_compact(value: float, text: str) -> None:
    assert format_usd_compact(value) == text


def test_fractions_become_percent_in_one_place() -> None:
    assert format_percent(0.716) == "71.6 %"
    assert format_signed_percent(0.031) == "+3.1 %"
    assert format_signed_percent(-0.031) == "-3.1 %"
    assert format_signed_percent(0.00015, 4) == "+0.0150 %"


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (93, "93rd")],
)
def test_ordinals(number: int, text: str) -> None:
    assert format_ordinal(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (95, "95 s"), (120, "2 min"), (5_400, "90 min"), (11_520, "3.2 h"), (259_200, "3.0 d")],
)
def test_ages_use_their_largest_fitting_unit(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


@pytest.mark.parametrize(
    ("frac", "text"),
    [
        (-0.00501, "-0.501 %"),
        (0.000004, "+0.0004 %"),
        (-0.00000123, "-0.000123 %"),
        (0.0, "+0.000 %"),
        (0.0123, "+1.230 %"),
    ],
)
def test_a_small_change_does_not_read_as_none(frac: float, text: str) -> None:
    assert format_small_signed_percent(frac) == text


@pytest.mark.parametrize(
    ("score", "shown"),
    [(64.96, 64.9), (35.04, 35.1), (65.0, 65.0), (35.0, 35.0), (50.0, 50.0), (35.1, 35.1), (64.9, 64.9)],
)
def test_a_shown_score_never_crosses_the_threshold_it_missed(score: float, shown: float) -> None:
    assert toward_neutral(score, 1) == shown


@given(st.floats(0, 100))
def test_a_shown_score_lies_between_neutral_and_the_score(score: float) -> None:
    shown = toward_neutral(score, 2)
    assert min(50.0, score) - 1e-9 <= shown <= max(50.0, score) + 1e-9
    assert abs(shown - score) < 0.01 + 1e-9


@pytest.mark.parametrize(
    ("minutes", "text"), [(10, "10 min"), (90, "90 min"), (60, "1 h"), (1440, "24 h"), (10_080, "7 d")]
)
def test_a_span_is_named_in_its_largest_exact_unit(minutes: int, text: str) -> None:
    assert format_minutes(minutes) == text


def test_a_moment_has_its_day_unless_it_is_today() -> None:
    now_ms = 1_772_000_020_000  # 2026-02-25 06:13:40 UTC
    assert format_moment(now_ms - 180 * 60_000, now_ms) == "03:13 UTC"
    assert format_moment(now_ms - 7 * 3_600_000, now_ms) == "2026-02-24 23:13 UTC"


def test_an_effective_n_is_cut_so_that_it_never_reads_as_one_it_has_not_reached() -> None:
    assert [format_effective_n(value) for value in (399.6, 46.999, 1_200.0)] == ["399", "46", "1,200"]


def test_a_count_is_told_in_the_singular_and_the_plural() -> None:
    told = [format_count(count, "trade") for count in (0, 1, 1_200)]
    assert told == ["0 trades", "1 trade", "1,200 trades"]
