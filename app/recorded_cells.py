"""Cells of recorded CSV files: rows in order, numbers that are numbers, every bad row counted by its reason.

Knows no kind of file. Called by `recorded_rows` and `recorded_liquidations`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.core.domain.market import DAY_MS
from app.sim.recorded_events import parse_pair
from app.sim.recorded_files import DataFile, read_rows

SOURCE = "recorded"
# A last row this far behind the rest was written while its bar was still forming.
_DETACHED_MS = DAY_MS
_MIN_MS, _MAX_MS = 1_000_000_000_000, 4_000_000_000_000  # 2001 to 2096

Cells = Mapping[str, str]


class BadRow(ValueError):
    """One row cannot be used; the text is the reason it is counted under."""


@dataclass(slots=True)
class Reading:
    """One file being read. coins: those wanted, None for all; skipped: rows left out, by reason."""

    file: DataFile
    ts_init_ms: int
    coins: frozenset[str] | None = None
    skipped: Counter[str] = field(default_factory=Counter)

    def is_wanted(self, base: str) -> bool:
        return self.coins is None or base in self.coins


def rows_with(reading: Reading, names: tuple[str, ...]) -> Iterator[Cells]:
    """Rows that have all these cells.

    Raises:
        ValueError: the file has no such columns.
    """
    is_checked = False
    for cells in read_rows(reading.file.path):
        if not is_checked:
            missing = [name for name in names if name not in cells]
            if missing:
                raise ValueError(f"columns expected but not found: {', '.join(missing)}")
            is_checked = True
        if any(cells[name] is None for name in names):
            reading.skipped["row cut short"] += 1
        else:
            yield cells


def rows_in_order(reading: Reading, names: tuple[str, ...]) -> Iterator[tuple[int, Cells]]:
    """(time, cells) of rows that come later than all before, by the first column; no detached last row."""
    held: tuple[int, Cells] | None = None
    gap_ms = 0
    for cells in rows_with(reading, names):
        try:
            at_ms = read_time(cells[names[0]])
            if held is not None and at_ms <= held[0]:
                raise BadRow("not later than the row before")
        except BadRow as bad:
            reading.skipped[str(bad)] += 1
            continue
        if held is not None:
            gap_ms = at_ms - held[0]
            yield held
        held = at_ms, cells
    if held is not None and gap_ms > _DETACHED_MS:
        reading.skipped["last row detached: its bar was still forming"] += 1
    elif held is not None:
        yield held


def read_base(symbol: str) -> tuple[str, int]:
    """1000PEPEUSDT -> (PEPE, 1000)."""
    pair = parse_pair(symbol)
    if pair is None:
        raise BadRow("symbol with characters outside A-Z and 0-9")
    return pair.base, pair.multiplier


def read_time(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not _MIN_MS <= int(text) <= _MAX_MS:
        raise BadRow("no usable time")
    return int(text)


def read_number(cells: Cells, name: str) -> float:
    try:
        value = float(cells[name])
    except ValueError:
        raise BadRow(f"{name} is no number") from None
    if not math.isfinite(value):
        raise BadRow(f"{name} is not finite")
    return value


def read_positive(cells: Cells, name: str) -> float:
    value = read_number(cells, name)
    if value <= 0:
        raise BadRow(f"{name} is not above zero")
    return value


def read_not_negative(cells: Cells, name: str) -> float:
    value = read_number(cells, name)
    if value < 0:
        raise BadRow(f"{name} is negative")
    return value
