"""The picture of zones, decoded again: its size, where its colours are, and words where nothing is."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.core.domain.context import DataMode
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import HOUR_MS, Candles
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.symbol import Symbol
from app.services.charts.pen import HEIGHT, LONG, SHORT, WIDTH
from app.services.charts.zones_png import LABEL_GAP, ZonePngPainter, draw_zones, label_heights
from tests.liquidity_rig import LiquidityRig, reading, wavy_candles

CHART, CLUSTERS = (118, 88, 960, 640), (972, 88, 1184, 640)
YELLOW = (255, 213, 79)


async def answered(seed: int = 4, **changes: object) -> LiquidityAnswer:
    rig = LiquidityRig()
    rig.candles = wavy_candles(rig.now_ms, HOUR_MS, seed=seed)
    rig.changes = dict(changes)
    return await rig.service.analyse(Symbol("BTC"), "1h")


def colours(png: bytes, box: tuple[int, int, int, int] | None = None) -> dict[tuple[int, ...], int]:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
    found = (image.crop(box) if box else image).getcolors(WIDTH * HEIGHT)
    assert found is not None
    return {colour: count for count, colour in found if isinstance(colour, tuple)}


async def test_candles_zones_and_clusters_are_drawn_in_their_colours() -> None:
    answer = await answered()
    png = draw_zones(answer)
    chart, clusters = colours(png, CHART), colours(png, CLUSTERS)
    assert chart[LONG] > 200
    assert chart[SHORT] > 200
    assert answer.liquidity is not None
    sides = {one.side for one in answer.liquidity.clusters}
    assert (LONG in clusters) <= (PositionSide.LONG in sides)
    assert (SHORT in clusters) <= (PositionSide.SHORT in sides)
    assert LONG in clusters or SHORT in clusters


@given(st.lists(st.floats(-50, 800), max_size=6))
def test_every_band_has_its_name_beside_it_and_no_two_lie_on_one_another(wanted: list[float]) -> None:
    found = label_heights(wanted, 88, 640)
    assert len(found) == len(wanted)
    assert all(88 < height < 640 for height in found)
    assert all(abs(a - b) >= LABEL_GAP for n, a in enumerate(found) for b in found[:n])
    for height, near in zip(found, wanted, strict=True):
        # Each name keeps a gap to both of its sides from the others.
        assert abs(height - min(max(near, 96), 632)) <= 2 * LABEL_GAP * (len(wanted) - 1) + 1


def test_names_worked_by_hand() -> None:
    assert label_heights([100.0, 105.0, 96.0], 0, 700) == [100, 117, 83]


async def test_the_mode_is_on_the_picture() -> None:
    answer = await answered()
    assert YELLOW in colours(draw_zones(answer))
    assert YELLOW not in colours(draw_zones(replace(answer, data_mode=DataMode.LIVE)))


async def test_without_candles_the_reason_stands_there() -> None:
    gone = Missing(MissingReason.TIMEOUT, "okx: no answer")
    png = draw_zones(await answered(candles=gone))
    assert LONG not in colours(png, CHART)
    assert SHORT not in colours(png, CHART)
    assert len(colours(png, CHART)) > 3  # words


async def test_without_levels_the_candles_still_are() -> None:
    gone = Missing(MissingReason.TIMEOUT, "okx: no answer")
    png = draw_zones(await answered(open_interest_base=gone, open_interest_usd=gone))
    assert colours(png, CHART)[LONG] > 200
    assert LONG not in colours(png, CLUSTERS)


@pytest.mark.parametrize("price", [1.2e-8, 0.5, 3e6])
async def test_any_price_and_flat_or_few_candles_can_be_drawn(price: float) -> None:
    rig = LiquidityRig()
    plain = wavy_candles(rig.now_ms, HOUR_MS)
    factor = price / plain.close[-1]

    def scaled(column: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(value * factor for value in column)

    tiny = Candles(
        "OKX",
        HOUR_MS,
        plain.close_ms,
        *(scaled(column) for column in (plain.open, plain.high, plain.low, plain.close)),
        plain.volume_base,
    )
    flat = Candles("OKX", HOUR_MS, plain.close_ms, *((price,) * len(plain.close_ms),) * 4)
    one = Candles("OKX", HOUR_MS, plain.close_ms[-1:], *((price,),) * 4)
    for candles in (tiny, flat, one):
        answer = await answered(candles=reading(candles, candles.close_ms[-1]))
        now = replace(answer.price, value=replace(answer.price.value, price_usd=price))
        png = await ZonePngPainter().paint(replace(answer, price=now))
        assert len(colours(png)) > 5
