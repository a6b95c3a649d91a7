"""Tiles to a grid of bounded size: columns of time, rows of price, sums that equal the tiles' sums.

Pure. Cells grow until the grid fits its limits: time first, then price. Both stand on fixed marks (columns
on multiples of their length since the epoch, rows on multiples of the stored bucket), so a cell keeps its
content while the window moves on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.core.domain.heatmap import (
    BUCKETS_BY_WIDTH,
    GridCell,
    GridLimits,
    GridRow,
    HeatmapGrid,
    StrongLevel,
    StrongLevels,
)
from app.core.domain.stored import TileRow
from app.core.heatmap.buckets import bucket_low

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

# Lengths a person can read off a clock.
_COLUMN_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
# Below this the shape of time is lost; then rows grow instead.
_FEWEST_COLUMNS = 24


def build_grid(
    tiles: Sequence[TileRow],
    *,
    from_min: int,
    to_min: int,
    buckets_per_row: int | None,
    limits: GridLimits,
) -> HeatmapGrid:
    """Sum the tiles of one coin with from_min <= ts_min < to_min into cells; others are left out.

    buckets_per_row: the least width of a row, None: one bucket. If even the coarsest grid has more cells than
    `limits` allow, the smallest are cut and their sums are in `cut_*`.

    Worked numbers: tiles of 100 USD at minutes 7 and 8 and bucket 5, columns of 5 minutes
    -> one cell of 200 USD in the column that starts at minute 5.
    """
    inside = [tile for tile in tiles if from_min <= tile.ts_min < to_min]
    columns = _Columns.of(inside)
    wanted = buckets_per_row or 1
    step, width = _shape(columns, from_min, to_min, wanted, limits)
    first = from_min // step
    starts = tuple(
        max(from_min, (first + n) * step) for n in range(_column_count(from_min, to_min, step, limits))
    )
    summed = columns.summed(step, width)
    kept = summed.largest(limits)
    row_numbers = np.unique(kept.bucket)
    cells = tuple(
        GridCell(column - first, row, long_usd, short_usd, events)
        for column, row, long_usd, short_usd, events in zip(
            kept.minute.tolist(),
            np.searchsorted(row_numbers, kept.bucket).tolist(),
            kept.long_usd.tolist(),
            kept.short_usd.tolist(),
            kept.events.tolist(),
            strict=True,
        )
    )
    long_usd, short_usd = math.fsum(t.long_usd for t in inside), math.fsum(t.short_usd for t in inside)
    is_cut = len(kept.minute) < len(summed.minute)
    return HeatmapGrid(
        from_min=from_min,
        to_min=to_min,
        column_minutes=step,
        buckets_per_row=width,
        column_starts=starts,
        rows=_rows(row_numbers.tolist(), width, cells),
        cells=cells,
        long_usd=long_usd,
        short_usd=short_usd,
        events=sum(t.events for t in inside),
        is_coarser=width > wanted or step > _finest(from_min, to_min, limits),
        cut_cells=len(summed.minute) - len(kept.minute),
        cut_long_usd=max(0.0, long_usd - math.fsum(c.long_usd for c in cells)) if is_cut else 0.0,
        cut_short_usd=max(0.0, short_usd - math.fsum(c.short_usd for c in cells)) if is_cut else 0.0,
    )


def find_levels(rows: Sequence[GridRow], price_usd: float, *, per_side: int) -> StrongLevels:
    """The `per_side` largest rows below and above `price_usd`, nearest first; its own row is on neither side.

    Worked number: a row from 99 to 101 with the price at 110 -> middle 99.995, distance -0.090955.
    """
    below = [row for row in rows if row.high_usd <= price_usd]
    above = [row for row in rows if row.low_usd > price_usd]
    return StrongLevels(_strongest(below, price_usd, per_side), _strongest(above, price_usd, per_side))


def _strongest(rows: Sequence[GridRow], price_usd: float, per_side: int) -> tuple[StrongLevel, ...]:
    largest = sorted(rows, key=lambda row: -(row.long_usd + row.short_usd))[:per_side]
    found = [
        StrongLevel(
            row.low_usd,
            row.high_usd,
            row.long_usd,
            row.short_usd,
            # Two roots instead of one: the product of two tiny prices would lose digits.
            math.sqrt(row.low_usd) * math.sqrt(row.high_usd) / price_usd - 1,
        )
        for row in largest
    ]
    return tuple(sorted(found, key=lambda level: abs(level.distance_frac)))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Tiles or cells as parallel arrays."""

    minute: _Ints
    bucket: _Ints
    long_usd: _Floats
    short_usd: _Floats
    events: _Ints

    @classmethod
    def of(cls, tiles: Sequence[TileRow]) -> _Columns:
        return cls(
            np.array([t.ts_min for t in tiles], dtype=np.int64),
            np.array([t.bucket for t in tiles], dtype=np.int64),
            np.array([t.long_usd for t in tiles], dtype=np.float64),
            np.array([t.short_usd for t in tiles], dtype=np.float64),
            np.array([t.events for t in tiles], dtype=np.int64),
        )

    def places(self, step: int, width: int) -> tuple[_Ints, int, int]:
        """The cell of each tile as one number, with what takes it apart: time * span + (price - lowest).

        One number sorts ten times faster than a pair, and shapes are tried until one fits.
        """
        rows = self.bucket // width
        lowest = int(rows.min(initial=0))
        span = int(rows.max(initial=0)) - lowest + 1
        return self.minute // step * span + (rows - lowest), span, lowest

    def summed(self, step: int, width: int) -> _Columns:
        """One entry per cell, in order of time, then price."""
        numbers, span, lowest = self.places(step, width)
        places, cell = np.unique(numbers, return_inverse=True)
        cell = cell.reshape(-1)

        def total(values: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> _Floats:
            return np.bincount(cell, weights=values, minlength=len(places)).astype(np.float64)

        return _Columns(
            places // span,
            places % span + lowest,
            total(self.long_usd),
            total(self.short_usd),
            np.rint(total(self.events)).astype(np.int64),
        )

    def largest(self, limits: GridLimits) -> _Columns:
        """The cells of the largest rows, and of those the largest cells, in their order."""
        size = self.long_usd + self.short_usd
        rows, row = np.unique(self.bucket, return_inverse=True)
        keep = np.ones(len(size), dtype=bool)
        if len(rows) > limits.rows:
            by_row = np.bincount(row.reshape(-1), weights=size)
            keep = np.isin(row.reshape(-1), np.argsort(-by_row, kind="stable")[: limits.rows])
        order = np.flatnonzero(keep)
        order = np.sort(order[np.argsort(-size[order], kind="stable")][: limits.cells])
        return _Columns(
            self.minute[order],
            self.bucket[order],
            self.long_usd[order],
            self.short_usd[order],
            self.events[order],
        )


def _column_count(from_min: int, to_min: int, step: int, limits: GridLimits) -> int:
    return min(limits.columns, (to_min - 1) // step - from_min // step + 1)


def _steps(from_min: int, to_min: int, limits: GridLimits) -> list[int]:
    """Lengths of a column that fit, finest first; never empty."""

    def count(step: int) -> int:
        return (to_min - 1) // step - from_min // step + 1

    fitting = [step for step in _COLUMN_MINUTES if count(step) <= limits.columns]
    readable = [step for step in fitting if count(step) >= _FEWEST_COLUMNS]
    # A week in very few columns fits no clock length: then the window in equal parts.
    return readable or fitting[:1] or [math.ceil((to_min - from_min) / max(1, limits.columns - 1))]


def _finest(from_min: int, to_min: int, limits: GridLimits) -> int:
    return _steps(from_min, to_min, limits)[0]


def _shape(columns: _Columns, from_min: int, to_min: int, wanted: int, limits: GridLimits) -> tuple[int, int]:
    """Minutes per column and buckets per row: the finest that fit, else the coarsest there is."""
    steps = _steps(from_min, to_min, limits)
    widths = [width for width in BUCKETS_BY_WIDTH.values() if width >= wanted] or [wanted]
    for width in widths:
        if len(np.unique(columns.bucket // width)) > limits.rows:
            continue
        for step in steps:
            if len(np.unique(columns.places(step, width)[0])) <= limits.cells:
                return step, width
    return steps[-1], widths[-1]


def _rows(numbers: Sequence[int], width: int, cells: Sequence[GridCell]) -> tuple[GridRow, ...]:
    longs: list[list[float]] = [[] for _ in numbers]
    shorts: list[list[float]] = [[] for _ in numbers]
    events = [0] * len(numbers)
    for cell in cells:
        longs[cell.row].append(cell.long_usd)
        shorts[cell.row].append(cell.short_usd)
        events[cell.row] += cell.events
    return tuple(
        GridRow(
            bucket_low(number * width),
            bucket_low((number + 1) * width),
            math.fsum(longs[n]),
            math.fsum(shorts[n]),
            events[n],
        )
        for n, number in enumerate(numbers)
    )
