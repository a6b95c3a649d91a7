"""Loads a folder of recorded market data into the store: `python -m app.backfill --from FOLDER`.

Owns the walk over the files, the outlier flags of their bars and what is reported of each file. Rows come
from `recorded_rows`; reading happens in a thread, batch by batch, so that neither memory nor the event loop
depends on the size of a file. Loading a folder twice changes nothing: keys and ids are made of the facts.
"""

from __future__ import annotations

import asyncio
import csv
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from app.core.domain.outliers import OutlierJudge
from app.core.domain.stored import BarRow, LiquidationRow
from app.core.store_ports import MarketWriter
from app.recorded_cells import Reading
from app.recorded_rows import StoredRow, read_file, why_not_kept
from app.sim.recorded_files import DataFile, find_files

BATCH_ROWS = 2_000
_DAY_MS = 86_400_000
# A database that takes no rows is noticed after this many, not when its buffer is full.
FLUSH_ROWS = 20_000
_NO_NAME = "the file name is not one of the known kinds"
_BURSTS = "several orders summed without a price: no single liquidations"
_TOTALS = "hourly liquidation totals are no events: not loaded as liquidations"
# What is wrong with a file as a whole: columns, text, compression.
_FILE_FAULTS = (ValueError, OSError, EOFError, csv.Error, zlib.error)


@dataclass(slots=True)
class FileReport:
    """One file. rows: handed to the store, by table; skipped: rows left out, by reason; note: of the file.

    aged: of `rows`, older than they are kept: the store's next clean-up removes them.
    error: why it could not be read to its end; what came before is stored.
    """

    name: str
    rows: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    aged: Counter[str] = field(default_factory=Counter)
    outliers: int = 0
    note: str = ""
    error: str = ""


async def import_folder(
    folder: Path,
    writer: MarketWriter,
    *,
    coins: frozenset[str] | None,
    now_ms: Callable[[], int],
    stopping: asyncio.Event,
    on_progress: Callable[[int, int, str], None],
    kept_days: Mapping[type, float] | None = None,
) -> tuple[FileReport, ...]:
    """Load every file of the folder that a table keeps. coins: None for all.

    kept_days: how long rows of each type are kept; older ones are loaded all the same, and counted.

    Raises:
        ValueError: no such folder, or nothing in it has a known name.
        StorageUnavailable: the store could not take a batch.
    """
    files = await asyncio.to_thread(find_files, folder)
    known = {file.path for file in files}
    others = [path for path in await asyncio.to_thread(_csv_files, folder) if path not in known]
    reports = [
        FileReport(str(path.relative_to(folder)), note=_BURSTS if "bursts_" in path.name else _NO_NAME)
        for path in others
    ]
    for done, file in enumerate(files):
        if stopping.is_set():
            break
        report = FileReport(str(file.path.relative_to(folder)))
        reports.append(report)
        on_progress(done, len(files), report.name)
        oldest_ms = {kind: now_ms() - days * _DAY_MS for kind, days in (kept_days or {}).items()}
        await _load(
            file, report, writer, coins=coins, ts_init_ms=now_ms(), oldest_ms=oldest_ms, stopping=stopping
        )
        on_progress(done + 1, len(files), report.name)
    await writer.flush()
    return tuple(sorted(reports, key=lambda report: report.name))


def _csv_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.csv*"))


async def _load(
    file: DataFile,
    report: FileReport,
    writer: MarketWriter,
    *,
    coins: frozenset[str] | None,
    ts_init_ms: int,
    oldest_ms: Mapping[type, float],
    stopping: asyncio.Event,
) -> None:
    reading = Reading(file, ts_init_ms, coins, report.skipped)
    rows = read_file(reading)
    if rows is None:
        report.note = why_not_kept(file)
        return
    report.note = _TOTALS if file.kind == "coinglass" else ""
    flags = _Flags()
    unwritten = 0
    try:
        while batch := await asyncio.to_thread(_next_batch, rows, flags):
            for table in batch:
                await writer.put_all(table)
                kind = type(table[0])
                report.rows[kind.__name__] += len(table)
                if kind in oldest_ms:
                    report.aged[kind.__name__] += sum(_time_of(row) < oldest_ms[kind] for row in table)
                report.outliers += sum(getattr(row, "is_outlier", False) for row in table)
                unwritten += len(table)
            if unwritten >= FLUSH_ROWS:
                await writer.flush()
                unwritten = 0
            if stopping.is_set():
                report.note = "stopped before its end"
                return
    except _FILE_FAULTS as error:
        report.error = f"{type(error).__name__}: {error}"


def _time_of(row: StoredRow) -> int:
    return row.ts_event_ms if isinstance(row, LiquidationRow) else row.close_ms


def _next_batch(rows: Iterator[StoredRow], flags: _Flags) -> list[list[StoredRow]]:
    """The next rows, judged and parted by type; empty at the end."""
    parts: dict[type, list[StoredRow]] = {}
    for row in islice(rows, BATCH_ROWS):
        parts.setdefault(type(row), []).append(row if isinstance(row, LiquidationRow) else flags.judge(row))
    return list(parts.values())


class _Flags:
    """One judge per series of a file; its rows come in order of time within each."""

    def __init__(self) -> None:
        self._judges: dict[tuple[object, ...], OutlierJudge] = {}

    def judge(self, row: BarRow) -> BarRow:
        key = (type(row), row.exchange, row.symbol)
        judge = self._judges.setdefault(key, OutlierJudge())
        return judge.judge((row,))[0]


def total(reports: Sequence[FileReport]) -> tuple[Counter[str], Counter[str]]:
    """(rows by table, skipped rows by reason) of all files."""
    rows: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for report in reports:
        rows += report.rows
        skipped += report.skipped
    return rows, skipped
