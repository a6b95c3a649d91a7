"""From evidence to v: rank of a value within its own earlier history.

Pure arithmetic on arrays; knows no factor. The live path ranks the newest point only, the column path ranks
every point against the window before it; both give the same number (tested equal).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.factors.rolling_rank import count_below

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


def share_below(history: Floats, value: float) -> float:
    """F(value): share of `history` below `value`, ties counted half; `history` must not be empty.

    Worked number: history 1..100, value 97.5 -> 0.97.
    """
    below = np.count_nonzero(history < value)
    equal = np.count_nonzero(history == value)
    return float((below + 0.5 * equal) / history.size)


def history_starts(close_ms: Int64s, window_ms: int, min_points: int) -> Int64s:
    """For each point, the index where its ranking window starts (the window ends just before the point).

    The window is the trailing `window_ms`, or the newest `min_points` earlier points where that reaches
    further back. Never decreasing, so a rolling rank only ever drops points from the left.
    """
    by_time = np.searchsorted(close_ms, close_ms - window_ms, side="left")
    by_count = np.arange(close_ms.size) - min_points
    return np.maximum(np.minimum(by_time, by_count), 0).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How a kind of evidence becomes v.

    signed: evidence has a natural zero, v = sign(x) F_abs(|x|). Otherwise v = direction (2 F(x) - 1), with
    direction +1 followed, -1 contrarian.
    """

    signed: bool
    direction: int = 1

    def ranked(self, x: Floats) -> Floats:
        """The values that are compared: sizes for signed evidence, plain values for levels."""
        return np.abs(x) if self.signed else x

    def v(self, x: float, share: float) -> float:
        """v from the share F of the compared history that lies below.

        Worked numbers: signed, sizes 1..100, x = +75.5, F .75 -> +0.75; level, direction -1, F .97 -> -0.94.
        """
        if self.signed:
            return float(np.sign(x)) * share
        return self.direction * (2.0 * share - 1.0)

    def v_last(self, x: Floats, start: int) -> float:
        """v of the newest point against `x[start:-1]`, which must not be empty."""
        ranked = self.ranked(x[start:])
        return self.v(float(x[-1]), share_below(ranked[:-1], float(ranked[-1])))

    def v_column(self, x: Floats, starts: Int64s) -> Floats:
        """v of every point against its own window; NaN where the window is empty."""
        below, equal = count_below(self.ranked(x), starts)
        size = np.arange(x.size) - starts
        share = np.full(x.size, np.nan)
        np.divide(below + 0.5 * equal, size, out=share, where=size > 0)
        found: Floats = np.sign(x) * share if self.signed else self.direction * (2.0 * share - 1.0)
        return found
