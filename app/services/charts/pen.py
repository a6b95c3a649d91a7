"""What the pictures share: colours, boxes, text and plates. The imaging library is imported when drawing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from app.core.domain.context import DataMode
from app.services.charts.heatmap_axes import LONG_RAMP, SHORT_RAMP, Colour, ramp_colour

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 1200, 700
BACKGROUND: Colour = (14, 17, 23)
PANEL: Colour = (20, 24, 32)
LINE: Colour = (44, 50, 62)
TEXT: Colour = (226, 230, 236)
FAINT: Colour = (148, 156, 170)
PRICE: Colour = (255, 255, 255)
LONG = ramp_colour(LONG_RAMP, 2 / 3)
SHORT = ramp_colour(SHORT_RAMP, 2 / 3)
BANNERS = {
    DataMode.DEMO: "DEMO: simulated market, not real prices",
    DataMode.REPLAY: "REPLAY: recorded past, not the market of now",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture in pixels, right and bottom inside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def fill(self, draw: ImageDraw) -> None:
        draw.rectangle((self.left, self.top, self.right, self.bottom), fill=PANEL)


@lru_cache(maxsize=16)
def font(size: int) -> FreeTypeFont | ImageFont:
    """The library's own font: no file of the machine is needed."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def text(
    draw: ImageDraw,
    at: tuple[float, float],
    words: str,
    *,
    size: int,
    colour: Colour = TEXT,
    anchor: str = "lt",
) -> None:
    draw.text(at, words, fill=colour, font=font(size), anchor=anchor)


def pill(
    draw: ImageDraw,
    at: tuple[int, int],
    words: str,
    *,
    text_colour: Colour = BACKGROUND,
    fill: Colour,
    size: int,
) -> None:
    """Text on a plate whose upper right corner is `at`."""
    right, top = at
    left = right - round(draw.textlength(words, font=font(size))) - 16
    draw.rounded_rectangle((left, top, right, top + size + 9), radius=5, fill=fill)
    text(draw, (left + 8, top + (size + 9) / 2), words, size=size, colour=text_colour, anchor="lm")


def wrapped(words: str, width: int) -> list[str]:
    """Lines of at most `width` characters."""
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
