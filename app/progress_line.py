"""One line of progress on stderr: a bar that redraws itself on a terminal, plain lines in a log.

Owns the drawing only; counts come from whoever works. Called by `app.backfill` and `app.backtest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

_BAR_WIDTH = 30
_LABEL_WIDTH = 44
# In a log, a line for every tenth of the work.
_LOG_STEPS = 10
# Finest share of work that is told apart.
_PARTS = 1_000


class ProgressLine:
    """`show` after every piece of work, or `show_part` where work has no pieces; `close` at the end.

    unit: what the pieces are. monotonic: process time in seconds, for what is left at the pace so far.
    """

    def __init__(self, out: TextIO, *, monotonic: Callable[[], float], unit: str = "") -> None:
        self._out = out
        self._unit = unit
        self._monotonic = monotonic
        self._is_terminal = out.isatty()
        self._started_s = monotonic()
        self._logged_step = -1
        self._is_open = False

    def show(self, done: int, total: int, label: str) -> None:
        """Worked number: 3 of 4 pages after 6 s -> 75 %, about 2 s left."""
        if total > 0:
            self._draw(f"{done}/{total} {self._unit}", done, total, label)

    def show_part(self, label: str, done_frac: float) -> None:
        """Share of the work that is done, 0..1; below and above are cut.

        Worked number: 0.75 after 6 s -> 75 %, about 2 s left.
        """
        done = round(_PARTS * min(max(done_frac, 0.0), 1.0))
        self._draw(f"{100 * done // _PARTS} %", done, _PARTS, label)

    def _draw(self, said: str, done: int, total: int, label: str) -> None:
        left = self._left(done, total)
        if self._is_terminal:
            filled = _BAR_WIDTH * done // total
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            text = f"[{bar}] {said}{left}  {label}"
            self._out.write(f"\r{text[: _BAR_WIDTH + _LABEL_WIDTH + 30]:<{_BAR_WIDTH + _LABEL_WIDTH}}\033[K")
            self._out.flush()
            self._is_open = True
            return
        step = _LOG_STEPS * done // total
        if step > self._logged_step:
            self._logged_step = step
            self._out.write(f"{said}{left}: {label}\n")
            self._out.flush()

    def close(self) -> None:
        """Leave the line to what comes next."""
        if self._is_open:
            self._out.write("\n")
            self._out.flush()
            self._is_open = False

    def _left(self, done: int, total: int) -> str:
        elapsed_s = self._monotonic() - self._started_s
        if done <= 0 or done >= total or elapsed_s <= 0:
            return ""
        return f", about {elapsed_s / done * (total - done):.0f} s left"
