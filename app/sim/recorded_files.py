"""Finding and reading the files of a recorded-data folder (CSV or gzip CSV, header in line 1).

Owns file names, columns and the cleaning of stamps; knows nothing of now. `recorded` and
`recorded_events` call it. Files are found anywhere below the folder by name, so sub-folders are free.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.sim.bars import MINUTE_MS
from app.sim.market import Floats, Int64s

_NAMES = {
    "candles": r"(?P<base>[a-z0-9]+)usdt_perp_(?P<exchange>[a-z]+)_(?P<interval>[1-9]\d*[mhd])(?:_.*)?",
    "coinglass": r"coinglass_(?P<base>[a-z0-9]+)_(?P<interval>1h)_.*",
    "funding": r"funding_multi_exchange.*",
    "open_interest": r"oi_(?P<exchange>[a-z]+)_(?P<interval>5m)_(?P<base>[a-z0-9]+)usdt(?:_.*)?",
    "accounts": r"long_short_accounts_(?P<exchange>[a-z]+)_(?P<base>[a-z0-9]+)usdt_(?P<interval>30m)(?:_.*)?",
    "fear_greed": r"fear_greed_daily.*",
    "events": r"events_(?P<exchange>[a-z]+)_.*",
    "trades": r"(?:large_)?trades_(?P<exchange>[a-z]+)_.*",
}
_PATTERNS = {kind: re.compile(rf"{pattern}\.csv(?:\.gz)?") for kind, pattern in _NAMES.items()}
_SPELLING = {"okx": "OKX", "dydx": "dYdX", "htx": "HTX", "mexc": "MEXC"}
# A last row this far behind the rest was written while its bar was still forming.
_DETACHED_MS = 24 * HOUR_MS


def spell_exchange(name: str) -> str:
    """An exchange as CoinGlass spells it: okx -> OKX, binance -> Binance."""
    return _SPELLING.get(name.lower(), name.capitalize())


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file and what its name says. base upper case; interval_ms 0 when the file has no bars."""

    kind: str
    path: Path
    base: str
    exchange: str
    interval_ms: int


@dataclass(frozen=True)
class Table:
    """Numeric columns by strictly increasing time."""

    time_ms: Int64s
    columns: dict[str, Floats]

    @cached_property
    def first_ms(self) -> int:
        return int(self.time_ms[0])

    @cached_property
    def last_ms(self) -> int:
        return int(self.time_ms[-1])


def find_files(folder: Path) -> tuple[DataFile, ...]:
    """Every file whose name is known, in path order.

    Raises:
        ValueError: the folder does not exist, or holds no file that is known.
    """
    if not folder.is_dir():
        raise ValueError(f"recorded data folder not found: {folder}")
    found = tuple(file for path in sorted(folder.rglob("*.csv*")) if (file := _recognise(path)) is not None)
    if not found:
        raise ValueError(
            f"no recorded data in {folder}: no file has a known name, such as btcusdt_perp_okx_1h.csv"
        )
    return found


def _recognise(path: Path) -> DataFile | None:
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(path.name)
        if match:
            parts = match.groupdict()
            interval_ms = _length_ms(parts["interval"]) if "interval" in parts else 0
            exchange = spell_exchange(parts["exchange"]) if "exchange" in parts else ""
            return DataFile(kind, path, parts.get("base", "").upper(), exchange, interval_ms)
    return None


def _length_ms(interval: str) -> int:
    return int(interval[:-1]) * {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}[interval[-1]]


def read_table(paths: Sequence[Path], time: str, names: Sequence[str]) -> Table:
    """Numeric columns of one or more files, cleaned and merged by time; of equal stamps the first file wins.

    Raises:
        ValueError: a file lacks a column, holds something that is not a number, or is broken; names it.
    """
    tables = [_read_one(path, time, names) for path in paths]
    if len(tables) == 1:
        return tables[0]
    stamps = np.concatenate([table.time_ms for table in tables])
    stamps, rows = np.unique(stamps, return_index=True)
    return Table(
        stamps, {name: np.concatenate([table.columns[name] for table in tables])[rows] for name in names}
    )


def _read_one(path: Path, time: str, names: Sequence[str]) -> Table:
    with _reading(path) as lines:
        header = lines.readline().strip().split(",")
        missing = [name for name in (time, *names) if name not in header]
        if missing:
            raise ValueError(f"{path.name}: columns expected but not found: {', '.join(missing)}")
        body = lines.readlines()
        try:
            wanted = [header.index(name) for name in (time, *names)]
            cells = np.loadtxt(body, delimiter=",", usecols=wanted, ndmin=2) if body else np.empty((0, 1))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return _clean(cells, names)


def _clean(cells: Floats, names: Sequence[str]) -> Table:
    if cells.size == 0:
        return Table(np.empty(0, np.int64), {name: np.empty(0) for name in names})
    cells = cells[np.isfinite(cells).all(axis=1)]
    # Repeated and stepped-back stamps are dropped: a row counts only if it is later than all before it.
    stamps = cells[:, 0].astype(np.int64)
    latest = np.maximum.accumulate(stamps)
    is_later = np.diff(latest, prepend=-1) > 0
    cells, stamps = cells[is_later], stamps[is_later]
    if stamps.size > 1 and stamps[-1] - stamps[-2] > _DETACHED_MS:
        cells, stamps = cells[:-1], stamps[:-1]
    return Table(stamps, {name: cells[:, index] for index, name in enumerate(names, start=1)})


def read_rows(path: Path, needed: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of a file with text columns, as the file has them. needed: rows without these cells are left out.

    Raises:
        ValueError: the file lacks a needed column, or is broken; names it.
    """
    with _reading(path) as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in needed if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path.name}: columns expected but not found: {', '.join(missing)}")
        yield from (row for row in rows if all(row[name] is not None for name in needed))


@contextmanager
def _reading(path: Path) -> Iterator[IO[str]]:
    """Lines of a file. A half-copied archive and bytes that are no text are told by the file's name."""
    try:
        with _open(path) as lines:
            yield lines
    except (gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name}: broken, or no CSV ({error})") from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
