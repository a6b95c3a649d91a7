"""Draws the PNG icons from the shapes of public/icons/icon.svg: `python scripts/icons.py` (needs Pillow)."""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent.parent / "public" / "icons"
BLUE, WHITE, FAINT = (43, 98, 201, 255), (255, 255, 255, 255), (186, 204, 240, 255)
DOWN = ((8, 9), (8, 18), (12, 22))
UP = ((24, 23), (24, 13), (19, 8), (12, 22))
OVERSAMPLE = 4


def _line(
    draw: ImageDraw.ImageDraw, points: tuple[tuple[int, int], ...], scale: float, shift: float, colour: tuple
) -> None:
    width = 3.2 * scale
    at = [(x * scale + shift, y * scale + shift) for x, y in points]
    draw.line(at, fill=colour, width=round(width), joint="curve")
    for x, y in (at[0], at[-1]):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)


def draw_icon(size: int, *, maskable: bool) -> Image.Image:
    """A maskable icon fills its square and keeps the mark inside the safe circle of 80 %."""
    full = size * OVERSAMPLE
    image = Image.new("RGBA", (full, full), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, full - 1, full - 1), radius=0 if maskable else full / 4, fill=BLUE)
    scale = full / 32 * (0.72 if maskable else 1.0)
    shift = (full - 32 * scale) / 2
    _line(draw, DOWN, scale, shift, FAINT)
    _line(draw, UP, scale, shift, WHITE)
    return image.resize((size, size), Image.LANCZOS)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for size in (192, 512):
        draw_icon(size, maskable=False).save(FOLDER / f"icon-{size}.png", optimize=True)
        draw_icon(size, maskable=True).save(FOLDER / f"maskable-{size}.png", optimize=True)
