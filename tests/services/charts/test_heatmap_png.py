"""The picture itself, decoded again: its size, the colours of the sides, and nothing where nothing is."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Sequence

import pytest
from PIL import Image

from app.core.domain.context import DataMode
from app.core.domain.heatmap import HeatmapAnswer, HeatmapQuery
from app.core.domain.stored import TileRow
from app.core.domain.symbol import Symbol
from app.services.charts.heatmap_axes import LONG_RAMP, SHORT_RAMP, ramp_colour
from app.services.charts.heatmap_png import BACKGROUND, HEIGHT, WIDTH, HeatmapPngPainter, draw_heatmap
from tests.heatmap_facts import HeatmapRig, busy_day, mirrored, tile

LONG, SHORT = ramp_colour(LONG_RAMP, 1.0), ramp_colour(SHORT_RAMP, 1.0)
CELLS = (119, 89, 969, 509)
FULL = HeatmapQuery(minutes=1440)


async def answer(
    tiles: Sequence[TileRow], query: HeatmapQuery = FULL, price_usd: float | None = 96_200.5
) -> HeatmapAnswer:
    rig = HeatmapRig(tiles)
    rig.price_usd = price_usd
    await rig.service.picture(Symbol("BTC"), query)
    return rig.painter.painted[0]


def pixels(png: bytes, box: tuple[int, int, int, int] | None = None) -> dict[tuple[int, int, int], int]:
    """Colours of the picture (or of a part of it) with how many pixels have them."""
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
    part = image.crop(box) if box else image
    found = part.getcolors(maxcolors=WIDTH * HEIGHT)
    assert found is not None
    return {colour: count for count, colour in found if isinstance(colour, tuple)}  # type: ignore[misc]


async def test_longs_and_shorts_have_colours_of_their_own() -> None:
    longs = pixels(draw_heatmap(await answer([tile(700, 96_000.0, 1e6)])), CELLS)
    shorts = pixels(draw_heatmap(await answer([tile(700, 96_000.0, 0.0, 1e6)])), CELLS)
    assert longs[LONG] > 20
    assert SHORT not in longs
    assert shorts[SHORT] == longs[LONG]
    assert LONG not in shorts


async def test_a_cell_of_both_sides_is_split_by_their_share() -> None:
    tiles = [tile(ago, 96_000.0, 3e5, 1e5) for ago in range(700, 720)]
    found = pixels(draw_heatmap(await answer(tiles, HeatmapQuery(1440, 20))), CELLS)
    assert found[LONG] / found[SHORT] == pytest.approx(3.0, rel=0.15)


async def test_mirrored_sides_swap_the_colours_and_move_nothing_else() -> None:
    day = [tile(ago, 96_000.0 + 40 * ago, 1e6) for ago in range(100, 120)]
    one = pixels(draw_heatmap(await answer(day)), CELLS)
    other = pixels(draw_heatmap(await answer(mirrored(day))), CELLS)
    assert one[LONG] == other[SHORT]


async def test_without_stored_liquidations_no_cell_is_drawn_and_the_reason_is() -> None:
    found = pixels(draw_heatmap(await answer([])), CELLS)
    assert LONG not in found
    assert SHORT not in found
    # Grey text on its plate and nothing that has a hue.
    assert all(max(colour) - min(colour) < 16 for colour in found)
    assert len(found) > 2


async def test_a_busy_day_fits_and_is_small() -> None:
    png = draw_heatmap(await answer(busy_day(per_minute=9)))
    assert len(png) < 200_000
    assert len(pixels(png, CELLS)) > 100


async def test_the_price_line_is_drawn_where_the_price_is_known() -> None:
    tiles = [tile(700, 96_000.0, 1e6)]
    with_price = pixels(draw_heatmap(await answer(tiles)), CELLS)
    without = pixels(draw_heatmap(await answer(tiles, price_usd=None)), CELLS)
    assert with_price[255, 255, 255] > 300
    assert (255, 255, 255) not in without


async def test_the_part_before_the_first_record_is_darker_than_a_quiet_one() -> None:
    late = pixels(draw_heatmap(await answer([tile(100, 96_000.0, 1e6)])), CELLS)
    whole = pixels(draw_heatmap(await answer([tile(1440, 96_000.0, 1.0), tile(100, 96_000.0, 1e6)])), CELLS)
    assert late[BACKGROUND] > 100_000
    assert BACKGROUND not in whole


@pytest.mark.parametrize(
    ("mode", "has_banner"), [(DataMode.DEMO, True), (DataMode.REPLAY, True), (DataMode.LIVE, False)]
)
async def test_what_is_not_the_live_market_carries_a_banner(mode: DataMode, has_banner: bool) -> None:
    found = dataclasses.replace(await answer([tile(1, 96_000.0, 1.0)]), data_mode=mode)
    assert ((255, 213, 79) in pixels(draw_heatmap(found))) is has_banner


@pytest.mark.parametrize("price", [1e-8, 0.00001182, 0.9, 1.5, 96_200.0, 1e7])
@pytest.mark.parametrize("query", [HeatmapQuery(10), HeatmapQuery(10_080), HeatmapQuery(60, 20)])
async def test_every_price_and_window_can_be_drawn(price: float, query: HeatmapQuery) -> None:
    tiles = [tile(ago, price * (1 + 0.003 * ago), 1e4 * ago, 0.0) for ago in range(1, 10)]
    assert pixels(draw_heatmap(await answer(tiles, query, price)))


async def test_liquidations_worth_nothing_are_drawn_without_dividing_by_it() -> None:
    assert pixels(draw_heatmap(await answer([tile(1, 96_000.0)])))


async def test_the_painter_draws_in_a_thread() -> None:
    found = await answer([tile(1, 96_000.0, 1.0)])
    assert await HeatmapPngPainter().paint(found) == draw_heatmap(found)


def test_the_imaging_library_is_not_loaded_before_the_first_picture() -> None:
    code = "import sys, app.services.charts.heatmap_png; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
