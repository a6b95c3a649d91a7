"""What a doctor's run found, as a table for a person and as JSON for a machine. Words only; nothing is asked.

Names, groups and the fields of the JSON are stable: monitoring reads them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from app import __version__
from app.doctor_run import Row, Status

_COLOURS = {Status.OK: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2"}
_WORST_FIRST = (Status.FAIL, Status.WARN)


def format_table(rows: Sequence[Row], *, elapsed_s: float, coloured: bool) -> str:
    """Groups with their probes, then one line of counts and the first thing to do."""
    width = max((len(row.name) for row in rows), default=0)
    lines: list[str] = []
    for group, members in groupby(rows, key=lambda row: row.group):
        lines += ["", group]
        for row in members:
            lines += _lines(row, width, coloured=coloured)
    return "\n".join([*lines, "", *_ending(rows, elapsed_s)]).lstrip("\n") + "\n"


def format_json(rows: Sequence[Row], *, elapsed_s: float, data_mode: str | None) -> str:
    """The same for a machine. dataMode: null when the settings do not load."""
    first = _first(rows)
    summary = {
        **{status.value: count for status, count in _counts(rows).items()},
        "total": len(rows),
        "first": None if first is None else first.name,
        "elapsedMs": round(elapsed_s * 1000),
        "version": __version__,
        "dataMode": data_mode,
    }
    probes = [
        {
            "name": row.name,
            "group": row.group,
            "status": row.finding.status.value,
            "detail": row.finding.detail,
            "mend": row.finding.mend or None,
            "elapsedMs": row.elapsed_ms,
        }
        for row in rows
    ]
    return json.dumps({"summary": summary, "probes": probes}, indent=1, ensure_ascii=False) + "\n"


def _lines(row: Row, width: int, *, coloured: bool) -> list[str]:
    status, detail = row.finding.status, row.finding.detail
    word = f"{status.value.upper():<4}"
    shown = f"\x1b[{_COLOURS[status]}m{word}\x1b[0m" if coloured else word
    lines = [f"  {shown}  {row.name:<{width}}  {detail}"]
    if row.finding.mend:
        lines.append(f"{'':{width + 10}}-> {row.finding.mend}")
    return lines


def _ending(rows: Sequence[Row], elapsed_s: float) -> list[str]:
    counts = ", ".join(f"{count} {status.value}" for status, count in _counts(rows).items())
    lines = [f"{len(rows)} checks in {elapsed_s:.1f} s: {counts}."]
    first = _first(rows)
    if first is not None:
        lines[0] += f" First: {first.name}, {first.finding.mend}."
    return lines


def _counts(rows: Sequence[Row]) -> dict[Status, int]:
    found = Counter(row.finding.status for row in rows)
    return {status: found[status] for status in Status}


def _first(rows: Sequence[Row]) -> Row | None:
    """What to mend first: the first that fails, else the first warning."""
    for status in _WORST_FIRST:
        for row in rows:
            if row.finding.status is status:
                return row
    return None
