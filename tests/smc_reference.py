"""The public package's definitions, for parity with the oracle files only: they look ahead and re-write the
past (definitions 1c, 2b and the "reference" lines). Written from those definitions; never used outside of
tests.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from app.core.smc.bars import Bars

Swing = tuple[int, int, float]


def reference_swings(bars: Bars, n: int) -> list[Swing]:
    """Definition 1c: lopsided window, thinned until stable, first and last bar forced."""
    found: list[Swing] = []
    for i in range(2 * n - 1, len(bars) - n):
        window = slice(i - n + 1, i + n + 1)
        if bars.high[i] == bars.high[window].max():
            found.append((i, 1, float(bars.high[i])))
        elif bars.low[i] == bars.low[window].min():
            found.append((i, -1, float(bars.low[i])))
    while True:
        dropped = set()
        for k in range(len(found) - 1):
            (_, d, level), (_, e, other) = found[k], found[k + 1]
            if d == e:
                # Equal: the later one goes.
                dropped.add(k if other * d > level * d else k + 1)
        if not dropped:
            break
        found = [swing for k, swing in enumerate(found) if k not in dropped]
    last = len(bars) - 1
    if found:
        d = -found[0][1]
        found.insert(0, (0, d, float((bars.high if d > 0 else bars.low)[0])))
        d = -found[-1][1]
        found.append((last, d, float((bars.high if d > 0 else bars.low)[last])))
    return found


@dataclass(frozen=True, slots=True)
class ReferenceBreak:
    """i: bar of p2; dir; its level; the bar that breaks it."""

    i: int
    dir: int
    is_choch: bool
    level: float
    broken_at: int


def reference_breaks(
    bars: Bars, swings: list[Swing], *, is_wick: bool, float32: bool = True
) -> list[ReferenceBreak]:
    """Definition 2b: patterns of four swings, dated at the second. float32: compare as the package does."""
    events: dict[int, tuple[int, bool, float]] = {}
    for (_, d1, l1), (i2, _, l2), (_, _, l3), (_, d4, l4) in zip(
        swings, swings[1:], swings[2:], swings[3:], strict=False
    ):
        d = -d1
        if d4 == d:
            a, b, c, e = l1 * d, l2 * d, l3 * d, l4 * d
            if a < c < b < e:
                events[i2] = (d, False, l2)
            if c < a < b < e:
                events[i2] = (d, True, l2)
    found: list[ReferenceBreak] = []
    for i, (d, is_choch, level) in sorted(events.items()):
        price = (bars.high if d > 0 else bars.low) if is_wick else bars.close
        compared = float(np.float32(level)) if float32 else level
        hits = np.flatnonzero(price[i + 2 :] * d > compared * d)
        if hits.size:
            broken_at = int(hits[0]) + i + 2
            # An earlier event that breaks at or after a later one's break is dropped.
            found = [event for event in found if event.broken_at < broken_at]
            found.append(ReferenceBreak(i, d, is_choch, level, broken_at))
    return found


@dataclass(frozen=True, slots=True)
class ReferenceBlock:
    """A block of the package: made at `made_at`, turned into a breaker, or erased."""

    i: int
    dir: int
    top: float
    bottom: float
    volume: float
    percentage: float
    made_at: int
    broken_at: int | None
    erased_at: int | None


def reference_blocks(bars: Bars, swings: list[Swing], *, is_close: bool) -> list[ReferenceBlock]:
    """All blocks ever made, erased ones included. is_close: broken by a candle's body."""
    found: list[ReferenceBlock] = []
    for d in (1, -1):
        own = [swing[0] for swing in swings if swing[1] == d]
        crossed: set[int] = set()
        for t in range(len(bars)):
            before = bisect_left(own, t)
            if not before or own[before - 1] in crossed:
                continue
            s = own[before - 1]
            level = (bars.high if d > 0 else bars.low)[s]
            if bars.close[t] * d > level * d:
                crossed.add(s)
                found.append(_block(bars, d, s, t, is_close=is_close))
    return sorted(found, key=lambda block: (block.i, -block.dir))


def _block(bars: Bars, d: int, s: int, t: int, *, is_close: bool) -> ReferenceBlock:
    extreme = bars.low if d > 0 else bars.high
    i = t - 1
    if t - s > 1:
        values = extreme[s + 1 : t] * d
        i = s + 1 + int(np.flatnonzero(values == values.min())[-1])
    top, bottom = float(bars.high[i]), float(bars.low[i])
    two, third = bars.volume[t] + bars.volume[t - 1], bars.volume[t - 2]
    high, low = (two, third) if d > 0 else (third, two)
    larger = max(high, low)
    percentage = 100.0 * min(high, low) / larger if larger else 100.0
    far, near = (bottom, top) if d > 0 else (top, bottom)
    through = (np.minimum if d > 0 else np.maximum)(bars.open, bars.close) if is_close else extreme
    hits = np.flatnonzero(through[t + 1 :] * d < far * d)
    broken = int(hits[0]) + t + 1 if hits.size else None
    erased = None
    if broken is not None:
        other = bars.high if d > 0 else bars.low
        back = np.flatnonzero(other[broken + 1 :] * d > near * d)
        erased = int(back[0]) + broken + 1 if back.size else None
    return ReferenceBlock(i, d, top, bottom, float(two + third), float(percentage), t, broken, erased)


@dataclass(frozen=True, slots=True)
class ReferencePool:
    """Swings within a part of the whole file's range."""

    i: int
    dir: int
    level: float
    end: int
    swept: int


def reference_pools(bars: Bars, swings: list[Swing], range_percent: float) -> list[ReferencePool]:
    """Groups anchored at their first swing; the tolerance comes from the whole file, the future included."""
    tolerance = (bars.high.max() - bars.low.min()) * range_percent
    found = []
    for d in (1, -1):
        own = [swing for swing in swings if swing[1] == d]
        used: set[int] = set()
        price = (bars.high if d > 0 else bars.low) * d
        for k, (i, _, level) in enumerate(own):
            if i in used:
                continue
            hits = np.flatnonzero(price[i + 1 :] >= level * d + tolerance)
            swept = int(hits[0]) + i + 1 if hits.size else 0
            group = [(i, level)]
            for j, _, other in own[k + 1 :]:
                if swept and j >= swept:
                    break
                if j not in used and abs(other - level) <= tolerance:
                    group.append((j, other))
            if len(group) > 1:
                used |= {j for j, _ in group}
                mean = sum(value for _, value in group) / len(group)
                found.append(ReferencePool(i, d, mean, group[-1][0], swept))
    return sorted(found, key=lambda pool: pool.i)
