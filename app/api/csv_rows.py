"""Stored rows as CSV (RFC 4180): header, cells, and what keeps a spreadsheet from running one of them. Pure.

Text that a spreadsheet would read as a formula gets a leading apostrophe. That goes by type: text of the
store is prefixed whatever it says, numbers are written as numbers, so -0.0001 stays -0.0001. Every time in
epoch milliseconds (`..._ms`) is followed by the same moment in ISO-8601 (`..._utc`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from app.api.numbers import iso_utc

# = + - @ begin formulas; tab, CR and LF before one are skipped by spreadsheets; the last four are the
# full-width forms that some of them fold.
_FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_TIME_SUFFIX = "_ms"


def csv_header(columns: Sequence[str]) -> bytes:
    """("symbol", "as_of_ms") -> `symbol,as_of_ms,as_of_utc`."""
    names: list[str] = []
    for column in columns:
        names.append(column)
        if column.endswith(_TIME_SUFFIX):
            names.append(f"{column.removesuffix(_TIME_SUFFIX)}_utc")
    return _encoded([names])


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Rows of `columns` as CSV lines; None is an empty cell."""
    is_time = [column.endswith(_TIME_SUFFIX) for column in columns]
    return _encoded([_cells(row, is_time) for row in rows])


def _cells(row: Sequence[object], is_time: Sequence[bool]) -> list[object]:
    cells: list[object] = []
    for value, timed in zip(row, is_time, strict=True):
        cells.append(_cell(value))
        if timed:
            cells.append(iso_utc(value) if isinstance(value, int) else "")
    return cells


def _cell(value: object) -> object:
    """What the csv module writes: floats with all their digits, None as nothing, text made harmless."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text


def _encoded(rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
