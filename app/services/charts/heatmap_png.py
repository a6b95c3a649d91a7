"""Draws the liquidation heatmap as PNG: cells by time and price, sums beside and below, price line, legend.

Implements `core.chart_ports.HeatmapPainter`. Drawing runs in a thread, one picture at a time; the imaging
library is imported with the first picture, because a process that never draws should not carry it.
"""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.core.domain.formatting import (
    format_age,
    format_minutes,
    format_moment,
    format_usd,
    format_usd_compact,
)
from app.core.domain.heatmap import BUCKET_GROWTH, MINUTE_MS, HeatmapAnswer, HeatmapGrid
from app.core.domain.quality import Reading
from app.services.charts.heatmap_axes import (
    LONG_RAMP,
    SHORT_RAMP,
    PriceRange,
    price_range,
    price_ticks,
    ramp_colour,
    strength,
    time_ticks,
)
from app.services.charts.pen import (
    BACKGROUND,
    BANNERS,
    FAINT,
    HEIGHT,
    LINE,
    LONG,
    PRICE,
    SHORT,
    WIDTH,
    Box,
    font,
    pill,
    text,
    wrapped,
)

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_FOOTER = "Liquidations that happened, from this service's own record. Not a forecast, not advice."


_CELLS = Box(118, 88, 970, 510)
_BY_PRICE = Box(982, 88, 1184, 510)
_BY_TIME = Box(118, 522, 970, 612)
_LEGEND = Box(118, 652, 1184, 690)


class HeatmapPngPainter:
    """One picture at a time: drawing is CPU, and two at once would only make both late."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Semaphore(1)

    async def paint(self, answer: HeatmapAnswer) -> bytes:
        """A PNG of 1200 by 700 pixels."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(draw_heatmap, answer)


def draw_heatmap(answer: HeatmapAnswer) -> bytes:
    """The picture of one answer; without a grid its reason in words and no cell at all."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    _title(draw, answer)
    if answer.grid is None:
        _empty(draw, answer)
    else:
        _filled(draw, answer, answer.grid)
    text(draw, (WIDTH - 16, HEIGHT - 8), _FOOTER, size=12, colour=FAINT, anchor="rs")
    found = io.BytesIO()
    image.save(found, "PNG")
    return found.getvalue()


def _title(draw: ImageDraw, answer: HeatmapAnswer) -> None:
    minutes = (answer.to_ms - answer.from_ms) // MINUTE_MS
    title = f"{answer.symbol} liquidations, last {format_minutes(minutes)}"
    if answer.began_ms is not None:
        title = f"{answer.symbol} liquidations since {format_moment(answer.began_ms, answer.as_of_ms)}"
    text(draw, (16, 14), title, size=24, anchor="lt")
    until = f"{datetime.fromtimestamp(answer.to_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    text(draw, (16, 48), f"{answer.model}  ·  until {until}{_stored_note(answer)}", size=13, colour=FAINT)
    banner = BANNERS.get(answer.data_mode)
    if banner is not None:
        pill(draw, (WIDTH - 16, 14), banner, fill=(255, 213, 79), size=14)
    if answer.grid is not None:
        longs, shorts = format_usd_compact(answer.grid.long_usd), format_usd_compact(answer.grid.short_usd)
        text(draw, (WIDTH - 16, 48), f"shorts {shorts}", size=16, colour=SHORT, anchor="rt")
        text(draw, (WIDTH - 180, 48), f"longs {longs}", size=16, colour=LONG, anchor="rt")


def _stored_note(answer: HeatmapAnswer) -> str:
    """How old the newest liquidation is, once it is worth a word."""
    if answer.newest_stored_ms is None or answer.to_ms - answer.newest_stored_ms < 300_000:
        return ""
    age = format_age((answer.as_of_ms - answer.newest_stored_ms) / 1000)
    return f"  ·  newest liquidation {age} old"


def _empty(draw: ImageDraw, answer: HeatmapAnswer) -> None:
    Box(_CELLS.left, _CELLS.top, _BY_PRICE.right, _BY_TIME.bottom).fill(draw)
    middle = (_CELLS.left + _BY_PRICE.right) // 2
    for n, line in enumerate(wrapped(answer.sentence, 76)):
        text(draw, (middle, 300 + 30 * n), line, size=20, anchor="ms")


def _filled(draw: ImageDraw, answer: HeatmapAnswer, grid: HeatmapGrid) -> None:
    price_usd = answer.price.value.price_usd if isinstance(answer.price, Reading) else None
    shown = price_range(grid.rows, price_usd, grid.buckets_per_row)
    for box in (_CELLS, _BY_PRICE, _BY_TIME):
        box.fill(draw)
    largest_usd = max(cell.long_usd + cell.short_usd for cell in grid.cells)
    _unrecorded(draw, answer, grid)
    _axes(draw, grid, shown)
    _cells(draw, grid, shown, largest_usd)
    _sums_by_price(draw, grid, shown)
    _sums_by_time(draw, grid)
    if price_usd is not None:
        _price_line(draw, shown, price_usd)
    _legend(draw, grid, shown, largest_usd)


def _x(grid: HeatmapGrid, minute: float) -> float:
    return _CELLS.left + (minute - grid.from_min) / (grid.to_min - grid.from_min) * _CELLS.width


def _y(shown: PriceRange, price_usd: float) -> float:
    frac = min(1.0, max(0.0, shown.frac(price_usd)))
    return _CELLS.bottom - frac * _CELLS.height


def _axes(draw: ImageDraw, grid: HeatmapGrid, shown: PriceRange) -> None:
    for price_usd, label in price_ticks(shown, most=9):
        y = _y(shown, price_usd)
        draw.line((_CELLS.left, y, _BY_PRICE.right, y), fill=LINE)
        text(draw, (_CELLS.left - 8, y), label, size=13, colour=FAINT, anchor="rm")
    for minute, label in time_ticks(grid.from_min, grid.to_min, most=9):
        x = _x(grid, minute)
        draw.line((x, _CELLS.top, x, _BY_TIME.bottom), fill=LINE)
        text(draw, (x, _BY_TIME.bottom + 6), label, size=13, colour=FAINT, anchor="mt")
    text(draw, (_CELLS.left - 8, _BY_TIME.bottom + 6), "UTC", size=13, colour=FAINT, anchor="rt")


def _unrecorded(draw: ImageDraw, answer: HeatmapAnswer, grid: HeatmapGrid) -> None:
    """Darkens the window before the first stored liquidation: nobody knows that it was quiet."""
    first = (answer.first_stored_ms or answer.from_ms) // MINUTE_MS
    if first - grid.from_min < (grid.to_min - grid.from_min) / 20:
        return
    right = _x(grid, first)
    for box in (_CELLS, _BY_TIME):
        draw.rectangle((box.left, box.top, right, box.bottom), fill=BACKGROUND)
    note = "nothing stored here: quiet or not recorded"
    if draw.textlength(note, font=font(13)) < right - _CELLS.left:
        middle = (_CELLS.left + right) / 2
        text(draw, (middle, (_CELLS.top + _CELLS.bottom) / 2), note, size=13, colour=FAINT, anchor="mm")


def _cells(draw: ImageDraw, grid: HeatmapGrid, shown: PriceRange, largest_usd: float) -> None:
    ends = (*grid.column_starts[1:], grid.to_min)
    for cell in grid.cells:
        row = grid.rows[cell.row]
        if not (shown.holds(row.low_usd) and shown.holds(row.high_usd)):
            continue
        left = _x(grid, grid.column_starts[cell.column])
        right = max(left + 1, _x(grid, ends[cell.column]) - 1)
        top, bottom = _y(shown, row.high_usd), max(_y(shown, row.high_usd) + 2, _y(shown, row.low_usd) - 1)
        usd = cell.long_usd + cell.short_usd
        at = strength(usd, largest_usd)
        # Shorts are bought back, so their share is the upper part of the cell; a sliver is not drawn.
        split = top + (bottom - top) * (cell.short_usd / usd if usd > 0 else 0.0)
        if cell.short_usd > 0 and split - top >= 1:
            draw.rectangle((left, top, right, split), fill=ramp_colour(SHORT_RAMP, at))
        if cell.long_usd > 0 and bottom - split >= 1:
            draw.rectangle((left, split, right, bottom), fill=ramp_colour(LONG_RAMP, at))


def _sums_by_price(draw: ImageDraw, grid: HeatmapGrid, shown: PriceRange) -> None:
    """Longs, then shorts, in one bar per row; up to three large ones with their sums."""
    visible = [row for row in grid.rows if shown.holds(row.low_usd) and shown.holds(row.high_usd)]
    sums = sorted((row.long_usd + row.short_usd for row in visible), reverse=True)
    if not sums or sums[0] <= 0:
        return
    told = {usd for usd in sums[:3] if usd >= sums[0] / 5}
    scale = (_BY_PRICE.width - 64) / sums[0]  # room for the figure behind the longest bar
    for row in visible:
        top, bottom = _y(shown, row.high_usd), max(_y(shown, row.high_usd) + 1, _y(shown, row.low_usd) - 1)
        middle = _BY_PRICE.left + row.long_usd * scale
        right = middle + row.short_usd * scale
        if row.long_usd > 0:
            draw.rectangle((_BY_PRICE.left, top, middle, bottom), fill=LONG)
        if row.short_usd > 0:
            draw.rectangle((middle, top, right, bottom), fill=SHORT)
        if (usd := row.long_usd + row.short_usd) in told:
            told.discard(usd)
            text(draw, (right + 5, (top + bottom) / 2), format_usd_compact(usd), size=12, anchor="lm")
    text(draw, (_BY_PRICE.left, _BY_PRICE.bottom + 6), "sum by price", size=13, colour=FAINT)


def _sums_by_time(draw: ImageDraw, grid: HeatmapGrid) -> None:
    """Shorts up from the middle line, longs down."""
    longs, shorts = [0.0] * len(grid.column_starts), [0.0] * len(grid.column_starts)
    for cell in grid.cells:
        longs[cell.column] += cell.long_usd
        shorts[cell.column] += cell.short_usd
    largest = max(*longs, *shorts)
    middle = (_BY_TIME.top + _BY_TIME.bottom) / 2
    scale = (_BY_TIME.height / 2 - 2) / largest if largest > 0 else 0.0
    ends = (*grid.column_starts[1:], grid.to_min)
    for start, end, long_usd, short_usd in zip(grid.column_starts, ends, longs, shorts, strict=True):
        left, right = _x(grid, start), max(_x(grid, start) + 1, _x(grid, end) - 1)
        if short_usd * scale >= 0.5:
            draw.rectangle((left, middle - short_usd * scale, right, middle), fill=SHORT)
        if long_usd * scale >= 0.5:
            draw.rectangle((left, middle, right, middle + long_usd * scale), fill=LONG)
    text(
        draw,
        (_CELLS.left - 8, _BY_TIME.top + 2),
        format_usd_compact(largest),
        size=12,
        colour=FAINT,
        anchor="rt",
    )
    text(draw, (_CELLS.left - 8, middle), "$0", size=12, colour=FAINT, anchor="rm")
    text(draw, (_BY_PRICE.left, _BY_TIME.bottom - 4), "sum by time", size=13, colour=FAINT, anchor="ls")


def _price_line(draw: ImageDraw, shown: PriceRange, price_usd: float) -> None:
    """Dashed at the current price; at the border with an arrow when it lies outside."""
    y = _y(shown, price_usd)
    if shown.holds(price_usd):
        for x in range(_CELLS.left, _BY_PRICE.right - 6, 12):
            draw.line((x, y, x + 6, y), fill=PRICE)
        label = format_usd(price_usd)
    else:
        label = f"{format_usd(price_usd)} {'above' if price_usd > shown.high_usd else 'below'}"
    y = min(max(y, _CELLS.top + 11), _CELLS.bottom - 11)
    pill(draw, (_CELLS.left - 4, round(y) - 11), label, fill=PRICE, size=13)


def _legend(draw: ImageDraw, grid: HeatmapGrid, shown: PriceRange, largest_usd: float) -> None:
    names = ((LONG_RAMP, "longs closed by force: sold"), (SHORT_RAMP, "shorts closed by force: bought"))
    for n, (ramp, label) in enumerate(names):
        top = _LEGEND.top + 18 * n
        for x in range(180):
            draw.line((_LEGEND.left + x, top, _LEGEND.left + x, top + 11), fill=ramp_colour(ramp, x / 179))
        text(draw, (_LEGEND.left + 190, top - 1), label, size=13)
    for at, anchor in ((0.0, "ls"), (0.5, "ms"), (1.0, "rs")):
        usd = largest_usd * 10 ** (3 * (at - 1))
        label = format_usd_compact(usd)
        text(draw, (_LEGEND.left + at * 180, _LEGEND.top - 4), label, size=11, colour=FAINT, anchor=anchor)
    height = (BUCKET_GROWTH**grid.buckets_per_row - 1) * 100
    size = f"one cell: {format_minutes(grid.column_minutes)} by {height:.2f} %, brighter is more USD (log)"
    text(draw, (_LEGEND.left + 410, _LEGEND.top - 1), size, size=13, colour=FAINT)
    hidden = (
        grid.cut_long_usd
        + grid.cut_short_usd
        + sum(
            row.long_usd + row.short_usd
            for row in grid.rows
            if not (shown.holds(row.low_usd) and shown.holds(row.high_usd))
        )
    )
    if hidden > 0:
        note = f"{format_usd_compact(hidden)} at prices outside the picture"
        text(draw, (WIDTH - 16, _LEGEND.top - 1), note, size=13, colour=FAINT, anchor="rt")
