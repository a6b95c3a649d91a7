"""Tiles laid out as a grid: bounded, sums kept, sides mirrored, cells that stay where they are."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.heatmap import BUCKETS_BY_WIDTH, GridLimits, GridRow, HeatmapGrid
from app.core.domain.stored import TileRow
from app.core.heatmap.buckets import bucket_low, bucket_of
from app.core.heatmap.grid import build_grid, find_levels
from tests.heatmap_facts import TO_MIN, busy_day, mirrored

ROOMY = GridLimits(columns=288, rows=5_000, cells=100_000)
SMALL = GridLimits(columns=48, rows=12, cells=40)


def grid(tiles: list[TileRow], **change: Any) -> HeatmapGrid:
    given_: dict[str, Any] = {"from_min": 0, "to_min": 100, "buckets_per_row": None, "limits": ROOMY}
    return build_grid(tiles, **{**given_, **change})


def tile(minute: int, bucket: int, long_usd: float = 100.0, short_usd: float = 0.0) -> TileRow:
    return TileRow("BTC", minute, bucket, long_usd, short_usd, 1)


TILES = st.dictionaries(
    st.tuples(st.integers(0, 99), st.integers(bucket_of(1e-8), bucket_of(1e7))),
    st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)),
    min_size=1,
    max_size=80,
).map(lambda found: [tile(*place, *usd) for place, usd in sorted(found.items())])
LIMITS = st.sampled_from([ROOMY, SMALL, GridLimits(columns=2, rows=1, cells=1)])
WIDTHS = st.sampled_from([None, *BUCKETS_BY_WIDTH.values()])


def test_tiles_of_one_column_are_summed() -> None:
    found = grid([tile(7, 5), tile(8, 5)], limits=GridLimits(columns=25, rows=9, cells=9))
    assert found.column_minutes == 5
    assert [(cell.column, cell.long_usd, cell.events) for cell in found.cells] == [(1, 200.0, 2)]
    assert found.column_starts[1] == 5


def test_a_row_has_the_edges_of_its_buckets() -> None:
    found = grid([tile(1, 4610)], buckets_per_row=4)
    assert found.rows[0][:2] == (bucket_low(4608), bucket_low(4612))
    assert found.rows[0].low_usd <= bucket_low(4610) < found.rows[0].high_usd


def test_rows_below_one_dollar_hold_their_buckets_too() -> None:
    found = grid([tile(1, -278)], buckets_per_row=20)
    assert found.rows[0][:2] == (bucket_low(-280), bucket_low(-260))


def test_minutes_outside_the_window_are_left_out() -> None:
    found = grid([tile(9, 1), tile(10, 1), tile(19, 1), tile(20, 1)], from_min=10, to_min=20)
    assert (found.long_usd, found.events) == (200.0, 2)


def test_a_cell_keeps_its_content_while_the_window_moves_on() -> None:
    day = busy_day()
    first = grid(day, from_min=TO_MIN - 1440, to_min=TO_MIN - 60)
    later = grid(day, from_min=TO_MIN - 1380, to_min=TO_MIN)
    assert first.column_minutes == later.column_minutes

    def cells(of: HeatmapGrid) -> dict[tuple[int, float], float]:
        return {
            (of.column_starts[cell.column], of.rows[cell.row].low_usd): cell.long_usd + cell.short_usd
            for cell in of.cells
            if TO_MIN - 1300 < of.column_starts[cell.column] < TO_MIN - 100
        }

    assert cells(first) == pytest.approx(cells(later))


def test_a_grid_that_fits_is_not_made_coarser() -> None:
    found = grid([tile(1, 1), tile(2, 2)])
    assert (found.column_minutes, found.buckets_per_row, found.is_coarser) == (1, 1, False)


def test_a_grid_that_does_not_fit_merges_time_before_price() -> None:
    tiles = [tile(minute, bucket) for minute in range(100) for bucket in range(3)]
    found = grid(tiles, limits=GridLimits(columns=100, rows=12, cells=160))
    assert (found.column_minutes, found.buckets_per_row, found.is_coarser) == (2, 1, True)
    narrow = grid(tiles, limits=GridLimits(columns=100, rows=2, cells=160))
    assert (narrow.buckets_per_row, narrow.is_coarser) == (2, True)


def test_what_does_not_fit_even_then_is_cut_smallest_first_and_said() -> None:
    tiles = [tile(0, 1000 * n, long_usd=10.0 * n, short_usd=1.0) for n in range(1, 5)]
    found = grid(tiles, limits=GridLimits(columns=100, rows=9, cells=3))
    assert [cell.long_usd for cell in found.cells] == [20.0, 30.0, 40.0]
    assert (found.cut_cells, found.cut_long_usd, found.cut_short_usd) == (1, 10.0, 1.0)
    assert len(found.rows) == 3


@given(TILES, LIMITS, WIDTHS)
def test_the_grid_is_bounded_and_sums_to_its_tiles(
    tiles: list[TileRow], limits: GridLimits, width: int | None
) -> None:
    found = grid(tiles, limits=limits, buckets_per_row=width)
    assert len(found.column_starts) <= limits.columns
    assert len(found.rows) <= limits.rows
    assert len(found.cells) <= limits.cells
    assert found.buckets_per_row >= (width or 1)
    for side, cut in (("long_usd", found.cut_long_usd), ("short_usd", found.cut_short_usd)):
        total = math.fsum(getattr(item, side) for item in tiles)
        assert getattr(found, side) == pytest.approx(total)
        assert math.fsum(getattr(cell, side) for cell in found.cells) + cut == pytest.approx(total, abs=1e-3)
        assert math.fsum(getattr(row, side) for row in found.rows) + cut == pytest.approx(total, abs=1e-3)
    assert sum(cell.events for cell in found.cells) <= found.events == len(tiles)
    assert all(0 <= cell.column < len(found.column_starts) for cell in found.cells)
    assert [row.low_usd for row in found.rows] == sorted(row.low_usd for row in found.rows)


@given(TILES, LIMITS)
def test_swapping_the_sides_mirrors_the_grid(tiles: list[TileRow], limits: GridLimits) -> None:
    one, other = grid(tiles, limits=limits), grid(mirrored(tiles), limits=limits)
    swapped = [cell._replace(long_usd=cell.short_usd, short_usd=cell.long_usd) for cell in one.cells]
    assert list(other.cells) == swapped
    assert (other.long_usd, other.short_usd) == (one.short_usd, one.long_usd)


@given(TILES)
def test_coarser_rows_keep_the_sums(tiles: list[TileRow]) -> None:
    by_width = [grid(tiles, buckets_per_row=width) for width in BUCKETS_BY_WIDTH.values()]
    for coarse in by_width[1:]:
        assert sum(row.long_usd for row in coarse.rows) == pytest.approx(coarse.long_usd, abs=1e-3)
        assert len(coarse.rows) <= len(by_width[0].rows)


@given(st.integers(10, 10_080), st.integers(0, 1_000))
def test_every_minute_of_the_window_has_a_column(minutes: int, from_min: int) -> None:
    limits = GridLimits(columns=288, rows=80, cells=1_100)
    ends = [tile(from_min, 1), tile(from_min + minutes - 1, 1)]
    found = grid(ends, from_min=from_min, to_min=from_min + minutes, limits=limits)
    assert found.events == 2
    assert found.column_starts[0] == from_min
    assert found.column_starts[-1] <= from_min + minutes - 1 < found.column_starts[-1] + found.column_minutes
    assert len(found.column_starts) <= 288
    assert found.cells[-1].column == len(found.column_starts) - 1


class TestFindLevels:
    def test_worked_number(self) -> None:
        found = find_levels([GridRow(99.0, 101.0, 5.0, 0.0, 1)], 110.0, per_side=5)
        assert found.below[0].distance_frac == pytest.approx(-0.090955, abs=1e-6)
        assert found.above == ()

    def test_the_largest_are_kept_and_the_nearest_comes_first(self) -> None:
        rows = [GridRow(100.0 + n, 101.0 + n, float(n % 4), 0.0, 1) for n in range(20)]
        found = find_levels(rows, 110.5, per_side=2)
        assert [level.long_usd for level in found.below] == [3.0, 3.0]
        assert [level.low_usd for level in found.below] == [107.0, 103.0]
        assert [level.low_usd for level in found.above] == [111.0, 115.0]

    def test_the_row_of_the_price_is_on_neither_side(self) -> None:
        found = find_levels([GridRow(99.0, 101.0, 5.0, 0.0, 1)], 100.0, per_side=5)
        assert (found.below, found.above) == ((), ())
