"""CSV cells: what goes in comes out of a reader, and none of them is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.csv_rows import csv_header, csv_rows

FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
CELLS = st.one_of(
    st.text(),
    st.text(alphabet=FORMULA + "\",; '\x00Aa1", min_size=1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
)


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def expected(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value[:1] and value[0] in FORMULA:
        return "'" + value
    return value if isinstance(value, str) else repr(value)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=20))
def test_cells_survive_a_reader_and_text_never_starts_a_formula(rows: list[tuple[object, object]]) -> None:
    found = read(csv_rows(("a", "b"), rows))
    assert found == [[expected(value) for value in row] for row in rows]
    for row, cells in zip(rows, found, strict=True):
        for value, cell in zip(row, cells, strict=True):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            assert is_number or cell[:1] not in set(FORMULA)


@pytest.mark.parametrize("number", [-0.0001, -5, 1e-8, 123456789.123456789])
def test_numbers_stay_numbers_with_all_their_digits(number: float) -> None:
    ((cell,),) = read(csv_rows(("a",), [(number,)]))
    assert float(cell) == number


def test_a_negative_number_that_came_as_text_is_text() -> None:
    assert read(csv_rows(("a",), [("-0.0001",), ("=1+1",), ("a=b",)])) == [["'-0.0001"], ["'=1+1"], ["a=b"]]


def test_times_stand_beside_their_iso_form() -> None:
    columns = ("symbol", "as_of_ms", "touched_ms", "usd")
    assert csv_header(columns) == b"symbol,as_of_ms,as_of_utc,touched_ms,touched_utc,usd\r\n"
    line = csv_rows(columns, [("BTC", 1_772_000_000_000, None, 1.5)])
    assert line == b"BTC,1772000000000,2026-02-25T06:13:20.000Z,,,1.5\r\n"


def test_no_rows_are_no_lines() -> None:
    assert csv_rows(("a",), []) == b""
