"""The summary of a backfill as text: one row per series or file, and the reasons.

Pure; `app.backfill` prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from app.core.domain.stored import (
    CandleRow,
    FundingRow,
    LiquidationRow,
    OpenInterestRow,
    RatioRow,
    StoreStatus,
)
from app.recorded_import import FileReport, total
from app.services.backfill_report import Outcome, SeriesReport

_HEAD = ("source", "series", "coin", "exchange", "bar", "outcome", "bars", "stored", "missing", "flagged")
_TABLES = {
    CandleRow.__name__: "candles",
    FundingRow.__name__: "funding rates",
    LiquidationRow.__name__: "liquidations",
    OpenInterestRow.__name__: "open interest bars",
    RatioRow.__name__: "long/short ratios",
}


def told_again(status: StoreStatus) -> str:
    """What the store made of the rows it was handed."""
    refused = status.lost_rows + status.rejected_rows
    return (
        f"of these rows {status.written_rows:,} were new or changed, {status.duplicate_rows:,} were there "
        "already" + (f", {refused:,} could not be stored" if refused else "") + "\n"
    )


def series_table(reports: Sequence[SeriesReport]) -> str:
    """One row per series; range and reason behind it."""
    rows = [
        (
            report.provider,
            report.series,
            report.symbol,
            report.exchange or "-",
            report.interval,
            report.outcome.value,
            str(report.fetched),
            str(report.written),
            str(report.missing_bars),
            str(report.outliers),
            _range(report) + (f"  ({report.detail})" if report.detail else ""),
        )
        for report in reports
    ]
    failed = sum(report.outcome is Outcome.ERROR for report in reports)
    stored = sum(report.written for report in reports)
    flagged = sum(report.outliers for report in reports)
    return (
        _table([(*_HEAD, "covered"), *rows])
        + f"\n{stored:,} bars stored, {flagged:,} flagged as outliers, {failed} series failed\n"
    )


def file_table(reports: Sequence[FileReport]) -> str:
    """One row per file, then what was left out and why."""
    rows = [("file", "rows", "left out", "flagged", "note")]
    rows += [
        (
            report.name,
            str(sum(report.rows.values())),
            str(sum(report.skipped.values())),
            str(report.outliers),
            f"FAILED: {report.error}" if report.error else report.note,
        )
        for report in reports
    ]
    stored, skipped = total(reports)
    aged = sum((report.aged for report in reports), Counter())
    lines = [f"{count:,} {_TABLES.get(name, name)}" for name, count in sorted(stored.items())]
    lines += [
        f"{count:,} {_TABLES.get(name, name)} are older than they are kept: the service's next clean-up "
        "removes them (RETENTION_ settings)"
        for name, count in sorted(aged.items())
        if count
    ]
    lines += [f"{count:,} left out: {reason}" for reason, count in sorted(skipped.items())]
    return _table(rows) + "\n" + "\n".join(lines) + "\n"


def _range(report: SeriesReport) -> str:
    if report.from_ms is None or report.to_ms is None:
        return "-"
    return f"{_iso(report.from_ms)} .. {_iso(report.to_ms)}"


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"
