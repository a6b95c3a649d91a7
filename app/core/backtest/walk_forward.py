"""Folds of a walk-forward: choose on the past, judge on what came after, with a gap between the two.

A row belongs to the past of a fold only when its outcome was over a whole horizon before the fold begins:
purged of what overlaps, and an embargo for what is still felt of it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.core.record.columns import Flags, Ints

FOLDS = 6
# The first part is only ever learnt from.
FIRST_TRAIN = 1 / 3


@dataclass(frozen=True, slots=True)
class Fold:
    """One step: rows to learn from, and rows of [from_ms, to_ms) to judge on."""

    from_ms: int
    to_ms: int
    train: Flags
    test: Flags


def walk_forward(at_ms: Ints, end_ms: Ints, length_ms: int, *, folds: int = FOLDS) -> Iterator[Fold]:
    """Equal stretches of time after the first third, in order; those without a row to judge are left out.

    at_ms: ascending; end_ms: when each row's outcome was over; length_ms: of the horizon, which is the
    embargo, too.
    """
    if not at_ms.size:
        return
    first_ms, last_ms = int(at_ms[0]), int(at_ms[-1]) + 1
    edges = np.linspace(first_ms + FIRST_TRAIN * (last_ms - first_ms), last_ms, folds + 1).astype(np.int64)
    for from_ms, to_ms in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        test = (at_ms >= from_ms) & (at_ms < to_ms)
        if test.any():
            yield Fold(from_ms, to_ms, end_ms <= from_ms - length_ms, test)
