"""Times and cursors as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.numbers import iso_utc
from app.api.params import read_cursor, read_time
from app.core.errors import InvalidParameter

NOW_MS = 1_772_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "1772000000000",
        "2026-02-25T06:13:20Z",
        " 2026-02-25T06:13:20.000Z ",
        "2026-02-25T06:13:20",
        "2026-02-25 06:13:20",
        "2026-02-25T07:13:20+01:00",
        "20260225T061320Z",
    ],
)
def test_spellings_of_one_moment_are_one_moment(text: str) -> None:
    assert read_time(text, "from") == NOW_MS


def test_a_day_begins_at_midnight_utc_and_nothing_is_no_bound() -> None:
    assert read_time("2026-02-25", "to") == NOW_MS // 86_400_000 * 86_400_000
    assert read_time("", "to") is None
    assert read_time("  ", "to") is None


@pytest.mark.parametrize(
    "text",
    [
        "1772000000",
        "20260225",
        "2026",
        "yesterday",
        "-1",
        "1e12",
        "1960-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "１７７２００００００００００",
        "999999999999999",
        "nan",
    ],
)
def test_anything_else_is_refused_with_what_to_send(text: str) -> None:
    with pytest.raises(InvalidParameter, match="milliseconds") as caught:
        read_time(text, "from")
    assert caught.value.parameter == "from"


@given(epoch_ms=st.integers(10**11, 10**14 - 1))
def test_times_of_our_answers_are_read_back(epoch_ms: int) -> None:
    assert read_time(iso_utc(epoch_ms), "from") == epoch_ms
    assert read_time(str(epoch_ms), "from") == epoch_ms


@given(text=st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        found = read_time(text, "from")
    except InvalidParameter:
        return
    assert found is None or 0 <= found < 253_402_300_800_000


def test_a_cursor_is_bounded_and_none_when_empty() -> None:
    assert read_cursor("") is None
    assert read_cursor("a" * 400) == "a" * 400
    with pytest.raises(InvalidParameter, match="cursor"):
        read_cursor("a" * 401)
