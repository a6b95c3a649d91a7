"""How one figure of a backtest's report reads."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backtest_figures import (
    bp,
    chance,
    count,
    day,
    effective,
    mean_bp,
    mean_plain,
    moment,
    percent,
    plain,
    share_interval,
    signed,
    signed_percent,
    unsigned,
)
from app.core.domain.track_record import Mean, Share

ANY = st.floats(allow_nan=True, allow_infinity=True)
SMALL = st.floats(min_value=-100.0, max_value=100.0)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (signed(0.0084, 3), "+0.008"),
        (signed(-0.0001, 3), "0.000"),
        (signed(2.5e9, 3), "+2.50e+09"),
        (unsigned(0.24913, 4), "0.2491"),
        (bp(-0.00312), "-31.2"),
        (percent(0.4717), "47.2 %"),
        (signed_percent(-0.1234), "-12.3 %"),
        (chance(0.1234), "12 %"),
        (chance(0.0002), "below 0.1 %"),
        (chance(0.9951), "99.5 %"),
        (chance(0.99996), "above 99.9 %"),
        (count(2161), "2,161"),
        (effective(399.6), "399"),
        (share_interval(Share(0.47, 0.41, 0.532, 212)), "41.0 to 53.2 %"),
        (mean_bp(Mean(-0.00031, -0.0012, 0.00058, 212, 61.4)), "-3.1 [-12.0, +5.8]"),
        (mean_plain(Mean(0.008, -0.04, 0.056, 2161, 310.0)), "+0.008 [-0.040, +0.056]"),
        (moment(1_764_914_400_000), "2025-12-05 06:00"),
        (day(1_764_914_400_000), "2025-12-05"),
    ],
)
def test_worked_numbers(said: str, wanted: str) -> None:
    assert said == wanted


@pytest.mark.parametrize(
    "said",
    [
        signed(None, 1),
        bp(None),
        bp(math.nan),
        bp(1e306),
        percent(math.inf),
        signed_percent(None),
        chance(math.nan),
        effective(None),
        share_interval(None),
        mean_bp(None),
        mean_bp(Mean(0.1, math.nan, 0.2, 3, 3.0)),
        mean_plain(Mean(0.1, 0.0, math.inf, 3, 3.0)),
        moment(None),
        day(10**18),
    ],
)
def test_what_is_unknown_is_a_dash_and_never_a_number(said: str) -> None:
    assert said == "-"


@given(ANY)
def test_no_number_whatever_reads_as_no_number(value: float) -> None:
    for write in (bp, percent, signed_percent, chance, effective, plain):
        said = write(value)
        assert not re.search(r"nan|inf|None", said)
        assert len(said) < 24


@given(SMALL)
def test_a_sign_turned_turns_the_text(value: float) -> None:
    turned = {"+": "-", "-": "+"}
    for write in (bp, signed_percent):
        there, back = write(value), write(-value)
        assert back == turned.get(there[0], there[0]) + there[1:]


@given(SMALL)
def test_basis_points_read_back_as_the_fraction(value: float) -> None:
    assert float(bp(value)) / 1e4 == pytest.approx(value, abs=0.051e-4)
