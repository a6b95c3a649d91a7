"""Draws the pictures of docs/smc.md from made-up candles: `python -m docs.smc_pictures`.

Each shows one difference between the public package's definitions (`tests.smc_reference`) and ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.core.smc.bars import NEVER, Bars, bars_of_columns
from app.core.smc.run import run_smc
from tests.smc_reference import reference_blocks, reference_breaks, reference_pools, reference_swings

FOLDER = Path(__file__).parent / "img"
WIDTH, HEIGHT, EDGE = 1_000, 380, 40
PAPER, INK, FAINT = (250, 250, 248), (40, 44, 52), (150, 154, 160)
UP, DOWN = (46, 134, 171), (217, 119, 6)
OURS, THEIRS = (20, 120, 60), (190, 30, 60)


def made_up(size: int, seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.5, size)) * 0.6 + np.sin(np.arange(size) / 5), 1)
    open_ = np.append(100.0, close[:-1])
    high = np.round(np.maximum(open_, close) + rng.exponential(0.15, size), 1)
    low = np.round(np.minimum(open_, close) - rng.exponential(0.15, size), 1)
    closes = (np.arange(size) + 1) * 300_000
    return bars_of_columns(300_000, closes, open_, high, low, close, rng.exponential(10.0, size))


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture of candles with a title; x and y in pixels."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    bars: Bars

    @classmethod
    def of(cls, bars: Bars, title: str) -> Sheet:
        image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        sheet = cls(image, ImageDraw.Draw(image), bars)
        sheet.words(EDGE, 10, title, INK, 18)
        for i in range(len(bars)):
            colour = UP if bars.close[i] >= bars.open[i] else DOWN
            x = sheet.x(i)
            sheet.draw.line((x, sheet.y(bars.high[i]), x, sheet.y(bars.low[i])), fill=colour)
            ends = sorted((sheet.y(bars.open[i]), sheet.y(bars.close[i])))
            sheet.draw.rectangle((x - 2, ends[0], x + 2, max(ends[1], ends[0] + 1)), fill=colour)
        return sheet

    def x(self, bar: float) -> float:
        return EDGE + (bar + 0.5) / len(self.bars) * (WIDTH - 2 * EDGE)

    def y(self, price: float) -> float:
        low, high = self.bars.low.min(), self.bars.high.max()
        return HEIGHT - 30 - (price - low) / (high - low) * (HEIGHT - 90)

    def words(self, x: float, y: float, text: str, colour: tuple[int, int, int], size: int = 13) -> None:
        self.draw.text((x, y), text, fill=colour, font=ImageFont.load_default(size))

    def mark(
        self, bar: int, price: float, colour: tuple[int, int, int], *, above: bool, lift: int = 8
    ) -> None:
        x, y = self.x(bar), self.y(price) + (-lift if above else lift)
        tip = 7 if above else -7
        self.draw.polygon(((x - 5, y - tip), (x + 5, y - tip), (x, y)), fill=colour)

    def legend(self, entries: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
        x = float(EDGE)
        for text, colour in entries:
            self.draw.rectangle((x, 36, x + 10, 46), fill=colour)
            self.words(x + 16, 33, text, INK)
            x += 40 + self.draw.textlength(text, font=ImageFont.load_default(13))

    def save(self, name: str) -> None:
        FOLDER.mkdir(exist_ok=True)
        self.image.save(FOLDER / f"smc_{name}.png", optimize=True)


def swings() -> None:
    bars = made_up(130, 65)
    sheet = Sheet.of(
        bars, "Swings: the package forces one on the first and the newest bar, and thins out the rest"
    )
    for i, d, level in reference_swings(bars, 5):
        sheet.mark(i, level, THEIRS, above=d > 0, lift=20)
    run = run_smc(bars)
    for i, d, level in zip(
        run.swings.i.tolist(), run.swings.dir.tolist(), run.swings.level.tolist(), strict=True
    ):
        sheet.mark(i, level, OURS, above=d > 0)
    sheet.legend([("ours: known 5 bars later, never withdrawn", OURS), ("package", THEIRS)])
    sheet.save("swings")


def breaks() -> None:
    bars = made_up(130, 7)
    sheet = Sheet.of(
        bars, "Breaks: the package dates one at its swing, ours is an event at the close that broke it"
    )
    for event in reference_breaks(bars, reference_swings(bars, 5), is_wick=False):
        y = sheet.y(event.level)
        sheet.draw.line((sheet.x(event.i), y, sheet.x(event.broken_at), y), fill=THEIRS)
        sheet.mark(event.i, event.level, THEIRS, above=event.dir > 0)
    table = run_smc(bars).breaks
    for at, level, d, is_choch in zip(
        table.confirmed_at.tolist(),
        table.level.tolist(),
        table.dir.tolist(),
        table.is_choch.tolist(),
        strict=True,
    ):
        x, y = sheet.x(at), sheet.y(level)
        sheet.draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=OURS)
        sheet.words(x + 6, y - (16 if d > 0 else 0), "CHoCH" if is_choch else "BOS", OURS, 12)
    sheet.legend([("ours", OURS), ("package, drawn from where it is dated to where it happens", THEIRS)])
    sheet.save("breaks")


def blocks() -> None:
    bars = made_up(130, 98)
    sheet = Sheet.of(
        bars, "Order blocks: of an ended one the package keeps nothing, ours keeps its record and its end"
    )
    table = run_smc(bars).blocks
    for row in range(table.i.size):
        ended = int(table.ended_at[row])
        last = len(bars) - 1 if ended == NEVER else ended
        top, bottom = sheet.y(table.top[row]), sheet.y(table.bottom[row])
        sheet.draw.rectangle(
            (sheet.x(int(table.i[row])), top, sheet.x(last), max(bottom, top + 2)), outline=OURS
        )
    left = [
        one
        for one in reference_blocks(bars, reference_swings(bars, 5), is_close=False)
        if one.erased_at is None
    ]
    for block in left:
        top, bottom = sheet.y(block.top), sheet.y(block.bottom)
        sheet.draw.rectangle(
            (sheet.x(block.i), top, sheet.x(len(bars) - 1), max(bottom, top + 2)), outline=THEIRS, width=2
        )
    sheet.legend(
        [
            (f"ours, {table.i.size} with their lives", OURS),
            (f"package, the {len(left)} it still shows", THEIRS),
        ]
    )
    sheet.save("blocks")


def pools() -> None:
    bars = made_up(130, 133)
    sheet = Sheet.of(
        bars, "Equal highs and lows: the package's tolerance comes from the whole file, the future included"
    )
    for pool in reference_pools(bars, reference_swings(bars, 5), 0.03):
        y = sheet.y(pool.level)
        sheet.draw.line((sheet.x(pool.i), y, sheet.x(pool.end), y), fill=THEIRS, width=2)
    table = run_smc(bars).pools
    for row in range(table.dir.size):
        y = sheet.y(table.edge[row])
        sheet.draw.line(
            (sheet.x(int(table.first_i[row])), y, sheet.x(int(table.newest_i[row])), y), fill=OURS, width=4
        )
    sheet.legend(
        [("ours: within 0.1 ATR, known at the newcomer", OURS), ("package: 3 % of the file's range", THEIRS)]
    )
    sheet.save("pools")


if __name__ == "__main__":
    for picture in (swings, breaks, blocks, pools):
        picture()
