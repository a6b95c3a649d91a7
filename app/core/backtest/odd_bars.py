"""Bars of a history that moved further than their own past explains: bad prints, or days that were like that.

They are named to the reader and kept: who drops them decides what the market did. The rule is the store's
(`core.domain.outliers`), so that a bar is odd here where it would be flagged there. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.core.domain.outliers import PRICE, OutlierJudge
from app.core.record.columns import Floats, Ints

_NAMED = 3


@dataclass(frozen=True, slots=True)
class OddBar:
    """end_ms: UTC epoch ms of its close. factor: furthest of its high, low and close over the close before;
    100.0 is a hundred times that price, 0.01 a hundredth."""

    end_ms: int
    factor: float


@dataclass(frozen=True, slots=True)
class OddBars:
    """what: the bars in words; bars: how many were judged, odd: how many of them lie beyond the rule.
    furthest: at most three of those, the furthest first."""

    what: str
    bars: int
    odd: int
    furthest: tuple[OddBar, ...]


def find_odd_bars(
    what: str, interval_ms: int, end_ms: Ints, high: Floats, low: Floats, close: Floats, *, from_ms: int = 0
) -> OddBars:
    """Judge every bar by those before it; count and name the ones that end after `from_ms`.

    Columns in order of time, prices in USD. Worked number: a steady close of 100 whose high is 10,000 in one
    bar -> that bar, factor 100.
    """
    judge = OutlierJudge()
    columns = zip(*(one.tolist() for one in (end_ms, high, low, close)), strict=True)
    flags = np.array(
        [judge.take(tuple((PRICE, price) for price in prices), at, interval_ms) for at, *prices in columns],
        dtype=np.bool_,
    )
    is_shown = end_ms > from_ms
    rows = np.flatnonzero(flags & is_shown)
    # A price of 0 has no logarithm, and comes first.
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = _furthest(high[rows], low[rows], close[rows], close[np.maximum(rows - 1, 0)])
        order = np.argsort(-np.abs(np.log(factor)), kind="stable")[:_NAMED]
    named = zip(end_ms[rows[order]].tolist(), factor[order].tolist(), strict=True)
    return OddBars(what, int(is_shown.sum()), rows.size, tuple(OddBar(*one) for one in named))


def _furthest(high: Floats, low: Floats, close: Floats, before: Floats) -> Floats:
    """Of three prices the one that lies furthest from the close before, over it."""
    factors = np.stack([high, low, close]) / before
    row = np.abs(np.log(factors)).argmax(axis=0)
    found: Floats = np.take_along_axis(factors, row[None, :], axis=0)[0]
    return found
