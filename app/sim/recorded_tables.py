"""Bar tables of a recorded folder: loaded on first use, cut to the bars that had ended by now.

Owns the choice of files by coin, exchange and interval. Called by recorded only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.sim.bars import Groups, ceil_open, floor_open, is_interval
from app.sim.market import Floats, Int64s, ValueColumns
from app.sim.recorded_files import DataFile, Table, read_table

# The columns of each kind of file that has one row per bar or snapshot.
COLUMNS: dict[str, tuple[str, ...]] = {
    "candles": ("open", "high", "low", "close", "volume"),
    "coinglass": ("liquidation_long_usd", "liquidation_short_usd", "oi_close", "oi_weight_close"),
    "open_interest": ("oi_base", "oi_usd"),
    "accounts": ("long_pct",),
    "fear_greed": ("value",),
}


class Tables:
    """The folder's bar tables by (kind, base, exchange, interval)."""

    def __init__(self, files: Sequence[DataFile]) -> None:
        self._paths: dict[tuple[str, str, str, int], list[DataFile]] = {}
        for file in files:
            if file.kind in COLUMNS:
                key = file.kind, file.base, file.exchange, file.interval_ms
                self._paths.setdefault(key, []).append(file)
        self._read: dict[tuple[str, str, str, int], Table] = {}

    def intervals(self, kind: str, base: str, exchange: str) -> list[int]:
        """Row lengths on file, the longest first (ms)."""
        held = (key[3] for key in self._paths if key[:3] == (kind, base, exchange))
        return sorted(held, reverse=True)

    def table(self, kind: str, base: str, exchange: str, row_ms: int) -> Table | None:
        """The rows of these files, or None when there is no such file or it is empty."""
        key = kind, base, exchange, row_ms
        if key not in self._paths:
            return None
        if key not in self._read:
            time = "open_time_ms" if kind == "candles" else "time_ms"
            paths = [file.path for file in self._paths[key]]
            self._read[key] = read_table(paths, time, COLUMNS[kind])
        table = self._read[key]
        return table if table.time_ms.size else None

    def closed_rows(
        self,
        key: tuple[str, str, str, int],
        interval_ms: int,
        start_ms: int,
        end_ms: int,
        *,
        now_ms: int,
    ) -> Table | None:
        """Rows inside the bars with open in [start, end) that ended by now; None when none can be built."""
        row_ms = key[3]
        table = self.table(*key)
        if table is None or not is_interval(interval_ms) or interval_ms % row_ms:
            return None
        bounds = (
            ceil_open(start_ms, interval_ms),
            min(ceil_open(end_ms, interval_ms), floor_open(now_ms, interval_ms)),
        )
        first, stop = np.searchsorted(table.time_ms, bounds)
        if first >= stop:
            return None
        return Table(
            table.time_ms[first:stop], {name: col[first:stop] for name, col in table.columns.items()}
        )


def closed(open_ms: Int64s, values: Floats) -> ValueColumns:
    """Columns in which every bar has ended."""
    return ValueColumns(open_ms, values, np.ones(open_ms.size, np.bool_))


def last_levels(rows: Table, values: Floats, *, row_ms: int, interval_ms: int) -> ValueColumns:
    """The value at the end of each bar; a bar whose last row is missing is absent."""
    groups = Groups(rows.time_ms, interval_ms)
    last_row_ms = groups.last(rows.time_ms.astype(np.float64)).astype(np.int64)
    known = last_row_ms + row_ms == groups.open_ms + interval_ms
    return closed(groups.open_ms[known], groups.last(values)[known])
