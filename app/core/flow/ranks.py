"""Where a figure lies in its own past. Pure arithmetic of the polled detectors and the context filter."""

from __future__ import annotations

from collections.abc import Sequence


def rank_in(history: Sequence[float], value: float) -> float:
    """Share of `history` below `value`, ties counted half; `history` not empty.

    Worked numbers: 1..100 and 97.5 -> 0.97; 1, 2, 2, 3 and 2 -> 0.5.
    """
    below = sum(one < value for one in history)
    equal = sum(one == value for one in history)
    return (below + equal / 2) / len(history)
