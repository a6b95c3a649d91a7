"""Draws candles with Smart Money zones, liquidation clusters and the plan as PNG.

Implements `core.chart_ports.ZonePainter`. Bullish is blue-green, bearish orange throughout; each band starts
where its zone lies and ends at the newest candle. Drawing runs in a thread, one picture at a time.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.core.domain.derivatives import PositionSide
from app.core.domain.formatting import format_usd, format_usd_compact
from app.core.domain.liquidity import EnhancedSMCZone, LiquidationZone, Setup
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import Candles
from app.core.domain.quality import Reading
from app.services.charts.heatmap_axes import Colour, PriceRange, price_ticks, time_ticks
from app.services.charts.pen import (
    BACKGROUND,
    BANNERS,
    FAINT,
    HEIGHT,
    LINE,
    LONG,
    PANEL,
    PRICE,
    SHORT,
    TEXT,
    WIDTH,
    Box,
    font,
    pill,
    text,
    wrapped,
)

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SHOWN_BARS = 120
MAX_BANDS = 6
LABEL_GAP = 17  # pixels from line to line
_MINUTE_MS = 60_000
_CHART = Box(118, 88, 960, 640)
_CLUSTERS = Box(972, 88, 1184, 640)
_BULL: Colour = SHORT
_BEAR: Colour = LONG
_FOOTER = "Zones from closed candles, liquidation levels as named above. Not a forecast, not advice."


class ZonePngPainter:
    """One picture at a time: drawing is CPU, and two at once would only make both late."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Semaphore(1)

    async def paint(self, answer: LiquidityAnswer) -> bytes:
        """A PNG of 1200 by 700 pixels."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(draw_zones, answer)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is shown: the newest candles from `first` on, and the prices around them."""

    candles: Candles
    first: int
    prices: PriceRange

    @property
    def bars(self) -> int:
        return len(self.candles.close_ms) - self.first

    def x(self, bar: float) -> float:
        """Middle of a bar counted from the first one shown; 0.5 further is its right edge."""
        return _CHART.left + (bar + 0.5) / self.bars * _CHART.width

    def x_of(self, close_ms: int) -> float:
        """Where a close lies, kept inside the chart."""
        behind = (self.candles.close_ms[-1] - close_ms) / self.candles.interval_ms
        return max(float(_CHART.left), self.x(self.bars - 1 - behind))

    def y(self, price_usd: float) -> float:
        frac = min(1.0, max(0.0, self.prices.frac(price_usd)))
        return _CHART.bottom - frac * _CHART.height


def draw_zones(answer: LiquidityAnswer) -> bytes:
    """The picture of one answer; without candles its reason in words."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    _title(draw, answer)
    if isinstance(answer.candles, Reading) and answer.structure is not None:
        _filled(draw, answer, answer.candles.value)
    else:
        _empty(draw, answer)
    text(draw, (WIDTH - 16, HEIGHT - 8), _FOOTER, size=12, colour=FAINT, anchor="rs")
    found = io.BytesIO()
    image.save(found, "PNG")
    return found.getvalue()


def _title(draw: ImageDraw, answer: LiquidityAnswer) -> None:
    text(draw, (16, 14), f"{answer.symbol} {answer.timeframe}: zones and liquidations", size=24)
    until = f"{datetime.fromtimestamp(answer.as_of_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    told = [until]
    if isinstance(answer.candles, Reading):
        told.insert(0, f"{answer.candles.value.exchange} candles")
    if answer.liquidity is not None:
        told.append(f"levels: {answer.liquidity.source.value}")
    state = answer.structure
    if state is not None and state.last_break is not None:
        way = "up" if state.last_break.is_up else "down"
        told.append(f"last break: {state.last_break.kind} {way}")
    if state is not None and state.range is not None:
        told.append(f"in {state.range.part}")
    text(draw, (16, 48), "  ·  ".join(told), size=15, colour=FAINT)
    banner = BANNERS.get(answer.data_mode)
    if banner is not None:
        pill(draw, (WIDTH - 16, 14), banner, fill=(255, 213, 79), size=14)


def _empty(draw: ImageDraw, answer: LiquidityAnswer) -> None:
    Box(_CHART.left, _CHART.top, _CLUSTERS.right, _CHART.bottom).fill(draw)
    why = "; ".join(f"{lack.what}: {lack.why}" for lack in answer.lacking) or "no candles"
    middle = (_CHART.left + _CLUSTERS.right) // 2
    for n, line in enumerate(wrapped(why, 76)):
        text(draw, (middle, 300 + 30 * n), line, size=20, anchor="ms")


def _filled(draw: ImageDraw, answer: LiquidityAnswer, candles: Candles) -> None:
    frame = _frame(answer, candles)
    for box in (_CHART, _CLUSTERS):
        box.fill(draw)
    _axes(draw, frame)
    bands = [zone for zone in answer.zones if _is_shown(frame, zone)][:MAX_BANDS]
    for zone in bands[::-1]:
        _band(draw, frame, zone)
    _candles(draw, frame)
    _labels(draw, frame, bands)
    _clusters(draw, frame, answer)
    if answer.setups:
        _plan(draw, frame, answer.setups[0])
    _price(draw, frame, answer.price.value.price_usd)


def _frame(answer: LiquidityAnswer, candles: Candles) -> _Frame:
    """The newest 120 candles, with room for the plan and for near zones; far ones may lie outside."""
    first = max(0, len(candles.close_ms) - SHOWN_BARS)
    low, high = min(candles.low[first:]), max(candles.high[first:])
    price = answer.price.value.price_usd
    wanted = [price]
    if answer.setups:
        wanted += [answer.setups[0].stop_usd, answer.setups[0].targets[0].price_usd]
    reach = 0.5 * (high - low)
    for level in wanted:
        if low - reach <= level <= high + reach:
            low, high = min(low, level), max(high, level)
    # Flat prices still need a height.
    edge = max(0.03 * (high - low), 0.0005 * high)
    return _Frame(candles, first, PriceRange(max(low - edge, 0.5 * low), high + edge))


def _is_shown(frame: _Frame, zone: EnhancedSMCZone) -> bool:
    return zone.zone.bottom_usd <= frame.prices.high_usd and zone.zone.top_usd >= frame.prices.low_usd


def _axes(draw: ImageDraw, frame: _Frame) -> None:
    for price_usd, label in price_ticks(frame.prices, most=9):
        y = frame.y(price_usd)
        draw.line((_CHART.left, y, _CLUSTERS.right, y), fill=LINE)
        text(draw, (_CHART.left - 8, y), label, size=14, colour=FAINT, anchor="rm")
    from_min = (frame.candles.close_ms[frame.first] - frame.candles.interval_ms) // _MINUTE_MS
    to_min = frame.candles.close_ms[-1] // _MINUTE_MS
    for minute, label in _day_ticks(from_min, to_min):
        x = frame.x_of(minute * _MINUTE_MS)
        draw.line((x, _CHART.top, x, _CHART.bottom), fill=LINE)
        text(draw, (x, _CHART.bottom + 8), label, size=14, colour=FAINT, anchor="mt")
    text(draw, (_CHART.left - 8, _CHART.bottom + 8), "UTC", size=14, colour=FAINT, anchor="rt")


def _day_ticks(from_min: int, to_min: int) -> list[tuple[int, str]]:
    """At most ten marks; over many days every so manieth date."""
    ticks = time_ticks(from_min, to_min, most=9)
    step = -(-len(ticks) // 10) or 1
    return ticks[::step]


def _mixed(colour: Colour, part: float) -> Colour:
    """A colour laid thinly over the panel."""
    red, green, blue = (
        round(under + (over - under) * part) for under, over in zip(PANEL, colour, strict=True)
    )
    return red, green, blue


def _band(draw: ImageDraw, frame: _Frame, found: EnhancedSMCZone) -> None:
    zone = found.zone
    colour = _BULL if zone.is_bullish else _BEAR
    left, right = frame.x_of(zone.formed_ms), float(_CHART.right)
    top, bottom = frame.y(zone.top_usd), frame.y(zone.bottom_usd)
    if bottom - top < 3:
        draw.line((left, top, right, top), fill=_mixed(colour, 0.8), width=2)
        return
    draw.rectangle((left, top, right, bottom), fill=_mixed(colour, 0.28), outline=_mixed(colour, 0.6))


def _labels(draw: ImageDraw, frame: _Frame, bands: list[EnhancedSMCZone]) -> None:
    """A name where each band begins, beside its middle: a band without one would be read as its neighbour."""
    words_end = _CHART.left + _CHART.width * 0.62  # the plan's words stand to the right of this
    middles = [(frame.y(found.zone.top_usd) + frame.y(found.zone.bottom_usd)) / 2 for found in bands]
    for found, y in zip(bands, label_heights(middles, _CHART.top, _CHART.bottom), strict=True):
        zone = found.zone
        score = "" if found.confluence_score is None else f" {found.confluence_score:.0f}"
        colour = _BULL if zone.is_bullish else _BEAR
        label = f"{zone.label}{score}"
        left = min(frame.x_of(zone.formed_ms), words_end - draw.textlength(label, font=font(14)))
        text(draw, (left + 6, y), label, size=14, colour=colour, anchor="lm")


def label_heights(wanted: Sequence[float], top: int, bottom: int) -> list[int]:
    """Heights at which words do not lie on one another, the earlier ones first served, each near its own.

    Whole pixels: a gap short by a rounding would be none. Worked numbers: 100, 105 and 96 between 0 and 700
    -> 100, 117 and 83.
    """
    taken: list[int] = []
    for y in wanted:
        inside = min(max(round(y), top + LABEL_GAP // 2), bottom - LABEL_GAP // 2)
        sides = (other + way * LABEL_GAP for other in taken for way in (-1, 1))
        free = [
            height
            for height in (inside, *sides)
            if top < height < bottom and all(abs(height - other) >= LABEL_GAP for other in taken)
        ]
        taken.append(min(free, key=lambda height: abs(height - y), default=inside))
    return taken


def _candles(draw: ImageDraw, frame: _Frame) -> None:
    candles, half = frame.candles, max(1.0, _CHART.width / frame.bars * 0.35)
    for bar in range(frame.bars):
        row = frame.first + bar
        colour = _BULL if candles.close[row] >= candles.open[row] else _BEAR
        x = frame.x(bar)
        draw.line((x, frame.y(candles.high[row]), x, frame.y(candles.low[row])), fill=colour)
        ends = sorted((frame.y(candles.open[row]), frame.y(candles.close[row])))
        draw.rectangle((x - half, ends[0], x + half, max(ends[1], ends[0] + 1)), fill=colour)


def _clusters(draw: ImageDraw, frame: _Frame, answer: LiquidityAnswer) -> None:
    """Volume of each cluster to the right, and its place as a line through the chart."""
    found = answer.liquidity
    heading = "no liquidation levels" if found is None else "liquidation clusters"
    text(draw, (_CLUSTERS.left, _CLUSTERS.bottom + 8), heading, size=14, colour=FAINT)
    if found is None:
        return
    largest = max(cluster.volume_usd for cluster in found.clusters)
    told: list[float] = []
    for cluster in sorted(found.clusters, key=lambda one: -one.volume_usd):
        if frame.prices.holds(cluster.low_usd) and frame.prices.holds(cluster.high_usd):
            _cluster(draw, frame, cluster, largest, told)


def _cluster(
    draw: ImageDraw, frame: _Frame, cluster: LiquidationZone, largest_usd: float, told: list[float]
) -> None:
    """`told`: heights of the figures so far; the smaller of two that would overlap is left out."""
    colour = LONG if cluster.side is PositionSide.LONG else SHORT
    top, bottom = frame.y(cluster.high_usd), frame.y(cluster.low_usd)
    bottom = max(bottom, top + 6)
    right = _CLUSTERS.left + cluster.volume_usd / largest_usd * (_CLUSTERS.width - 70)
    draw.rectangle((_CLUSTERS.left, top, right, bottom), fill=colour)
    middle = (top + bottom) / 2
    if all(abs(middle - other) >= 16 for other in told):
        told.append(middle)
        text(draw, (right + 5, middle), format_usd_compact(cluster.volume_usd), size=14, anchor="lm")
    for x in range(_CHART.left, _CHART.right, 14):
        draw.line((x, middle, x + 3, middle), fill=_mixed(colour, 0.7))


def _plan(draw: ImageDraw, frame: _Frame, setup: Setup) -> None:
    side = "long" if setup.is_long else "short"
    target = setup.targets[0]
    lines = (
        (setup.entry_usd, f"{side} entry {format_usd(setup.entry_usd)}", TEXT),
        (setup.stop_usd, f"stop {format_usd(setup.stop_usd)}", _BEAR if setup.is_long else _BULL),
        (
            target.price_usd,
            f"target {format_usd(target.price_usd)}, {target.reward_risk:.1f} R",
            _BULL if setup.is_long else _BEAR,
        ),
    )
    start = _CHART.left + _CHART.width * 0.72
    for price_usd, label, colour in lines:
        if not frame.prices.holds(price_usd):
            continue
        y = frame.y(price_usd)
        draw.line((start, y, _CHART.right, y), fill=colour, width=2)
        text(draw, (_CHART.right - 6, y - 3), label, size=14, colour=colour, anchor="rs")


def _price(draw: ImageDraw, frame: _Frame, price_usd: float) -> None:
    if not frame.prices.holds(price_usd):
        return
    y = frame.y(price_usd)
    for x in range(_CHART.left, _CHART.right, 12):
        draw.line((x, y, x + 6, y), fill=PRICE)
    top = min(max(round(y) - 11, _CHART.top), _CHART.bottom - 22)
    pill(draw, (_CHART.left - 4, top), format_usd(price_usd), fill=PRICE, size=14)
