"""Which bars moved beyond anything in their own history. Pure; flags are shown, nothing is replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

SIGMAS = 6.0
# Fewer moves say little about what is usual.
MIN_MOVES = 30


def outlier_flags(values: Sequence[float], *, is_relative: bool) -> tuple[bool, ...]:
    """True where the move into a bar lies beyond six sigma of the moves before it (never after it).

    is_relative: moves are log returns (prices, open interest, all > 0), else differences (rates, shares).
    The first 31 values have too little before them and are never flagged; a history that never moved has no
    sigma. Worked number: 40 moves of +1 and -1 by turns, then one of +7 -> flagged, one of +5 -> not.
    """
    flags = [False] * len(values)
    mean, squares = 0.0, 0.0
    for index, (before, value) in enumerate(pairwise(values), start=1):
        move = math.log(value / before) if is_relative else value - before
        if index > MIN_MOVES and squares > 0:
            flags[index] = abs(move - mean) > SIGMAS * math.sqrt(squares / (index - 1))
        # Welford: numerically safe for rates around 0.0001.
        step = move - mean
        mean += step / index
        squares += step * (move - mean)
    return tuple(flags)
