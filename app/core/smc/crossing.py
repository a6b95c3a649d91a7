"""First crossings for many levels at once: which is the first bar from `start` on beyond `level`?

Running maxima over 1, 2, 4 ... 512 bars and a descent by powers of two, all levels at once; further away the
same over blocks of 512 bars, so that a long history costs a few passes and no more. For lows give the
mirrored market.
"""

from __future__ import annotations

import numpy as np

from app.core.smc.bars import NEVER, Floats, Ints

# Most lives end within a block: 500 bars.
_POWER = 9
_BLOCK = 1 << _POWER
_SOON, _MANY = 15, 2_000
# The largest power of two in 1 .. 512.
_POWER_OF = np.frexp(np.arange(_BLOCK + 1, dtype=np.float64))[1] - 1


class Scratch:
    """Memory for the tables of one run after the other, never of two at once: to have it mapped anew costs a
    quarter of a long run."""

    def __init__(self) -> None:
        self._kept: list[Floats] = []
        self._used = 0

    def rewind(self) -> None:
        """Give everything back; what was built in it is void."""
        self._used = 0

    def take(self, rows: int, columns: int) -> Floats:
        """An array with whatever is in it."""
        if self._used == len(self._kept):
            self._kept.append(np.empty(0))
        if self._kept[self._used].size < rows * columns:
            self._kept[self._used] = np.empty(rows * columns)
        self._used += 1
        return self._kept[self._used - 1][: rows * columns].reshape(rows, columns)


class Maxima:
    """Maxima of `values` over windows of 1 to 512 bars, and of their blocks; built as far as asked for."""

    def __init__(self, values: Floats, scratch: Scratch | None = None) -> None:
        # One more place than there are bars: a walk that ends there found nothing.
        self._size = values.size
        shape = _POWER + 1, values.size + 1
        self._tables = np.empty(shape) if scratch is None else scratch.take(*shape)
        self._tables[0, :-1], self._tables[0, -1] = values, np.inf
        self._built = 1
        self._coarse: Maxima | None = None

    def first_above(
        self, start: Ints, level: Floats, *, or_equal: bool = False, within: int | None = None
    ) -> Ints:
        """First bar t >= start[k] with value[t] > level[k] (>= with `or_equal`), else NEVER.

        within: only the first so many bars from each start count. Starts past the end find nothing.
        """
        reach = self._size if within is None else min(within, self._size)
        found = self._first_near(start, level, or_equal, min(reach, _BLOCK - 1))
        if reach >= _BLOCK:
            rows = np.flatnonzero((found == NEVER) & (start + _BLOCK - 1 < self._size))
            if rows.size:
                found[rows] = self._first_far(start[rows] + (_BLOCK - 1), level[rows], or_equal)
        return found if within is None else np.where(found - start < within, found, NEVER)

    def last_above(self, before: Ints, level: Floats, *, or_equal: bool = False) -> Ints:
        """Last bar t < before[k] with value[t] > level[k] (>= with `or_equal`), -1 for none."""
        found = self._walk_back(before - 1, level, or_equal, _BLOCK - 1)
        rows = np.flatnonzero((found < 0) & (before - _BLOCK >= 0))
        if rows.size:
            found[rows] = self._last_far(before[rows] - _BLOCK, level[rows], or_equal)
        return found

    def between(self, first: Ints, last: Ints) -> Floats:
        """Maximum over the bars first[k]..last[k], both inside; first <= last."""
        power = _POWER_OF[np.minimum(last - first + 1, _BLOCK)]
        self._build(int(power.max(initial=0)))
        row = power * (self._size + 1)
        tables = self._tables.ravel()
        found: Floats = np.maximum(tables.take(row + first), tables.take(row + last + 1 - (1 << power)))
        # Longer ones: both ends are done, the whole blocks between them are left.
        left, right = -(-first // _BLOCK), (last + 1) // _BLOCK - 1
        rows = np.flatnonzero((last - first + 1 > 2 * _BLOCK) & (left <= right))
        if rows.size:
            found[rows] = np.maximum(found[rows], self._blocks().between(left[rows], right[rows]))
        return found

    def _build(self, power: int) -> None:
        """Build the windows of up to 2^power bars."""
        while self._built <= power:
            last, table = self._tables[self._built - 1], self._tables[self._built]
            half = 1 << (self._built - 1)
            whole = max(last.size - half, 0)
            np.maximum(last[:whole], last[half:], out=table[:whole])
            table[whole:] = np.inf  # a window that reaches past the end stops the walk
            self._built += 1

    def _blocks(self) -> Maxima:
        """The same over maxima of whole and begun blocks."""
        if self._coarse is None:
            count = -(-self._size // _BLOCK)
            padded = np.full(count * _BLOCK, -np.inf)
            padded[: self._size] = self._tables[0][: self._size]
            self._coarse = Maxima(padded.reshape(count, _BLOCK).max(axis=1))
        return self._coarse

    def _walk(self, start: Ints, level: Floats, or_equal: bool, reach: int) -> Ints:
        """First crossing among the first `reach` bars (and a few more), NEVER for none."""
        begin = np.minimum(start, self._size)
        at, powers = begin.copy(), max(reach, 1).bit_length()
        self._build(powers - 1)
        for power in range(powers - 1, -1, -1):
            top = self._tables[power].take(at)
            at += (top < level if or_equal else top <= level) * (1 << power)
        # Where the walk has used up its steps it has not seen the bar it stands on.
        return np.where((at < self._size) & (at - begin < (1 << powers) - 1), at, NEVER)

    def _first_near(self, start: Ints, level: Floats, or_equal: bool, reach: int) -> Ints:
        """Within a block. Of many levels most are reached at once: the first bars are looked at alone."""
        if start.size < _MANY or reach <= _SOON:
            return self._walk(start, level, or_equal, reach)
        found = self._walk(start, level, or_equal, _SOON)
        rows = np.flatnonzero(found == NEVER)
        found[rows] = self._walk(start[rows] + _SOON, level[rows], or_equal, reach)
        return found

    def _first_far(self, start: Ints, level: Floats, or_equal: bool) -> Ints:
        """From `start` to the end: to the next border, then block by block, then inside of the block."""
        found = self._walk(start, level, or_equal, _BLOCK - 1)
        rows = np.flatnonzero(found == NEVER)
        if rows.size:
            border = -(-start[rows] // _BLOCK)
            block = self._blocks().first_above(border, level[rows], or_equal=or_equal)
            there = np.flatnonzero(block < NEVER)
            inside = rows[there]
            found[inside] = self._walk(block[there] * _BLOCK, level[inside], or_equal, _BLOCK)
        return found

    def _walk_back(self, at: Ints, level: Floats, or_equal: bool, reach: int) -> Ints:
        """Last crossing among the `reach` bars up to and with `at` (and a few more), -1 for none."""
        begin, powers = at, max(reach, 1).bit_length()
        at = begin.copy()
        self._build(powers - 1)
        for power in range(powers - 1, -1, -1):
            first = at - ((1 << power) - 1)
            top = self._tables[power].take(np.maximum(first, 0))
            is_under = top < level if or_equal else top <= level
            at -= (is_under & (first >= 0)) * (1 << power)
        return np.where((at >= 0) & (begin - at < (1 << powers) - 1), at, -1)

    def _last_far(self, at: Ints, level: Floats, or_equal: bool) -> Ints:
        found = self._walk_back(at, level, or_equal, _BLOCK - 1)
        rows = np.flatnonzero(found < 0)
        if rows.size:
            border = (at[rows] + 1) // _BLOCK
            block = self._blocks().last_above(border, level[rows], or_equal=or_equal)
            there = np.flatnonzero(block >= 0)
            inside = rows[there]
            found[inside] = self._walk_back(
                block[there] * _BLOCK + (_BLOCK - 1), level[inside], or_equal, _BLOCK
            )
        return found


def first_after(maxima: Maxima, after: Ints, level: Floats, *, or_equal: bool = False, until: Ints) -> Ints:
    """First bar t > after[k] and < until[k] beyond the level; NEVER where `after` is NEVER already."""
    found = np.full(after.size, NEVER)
    rows = np.flatnonzero(after < NEVER - 1)
    if rows.size:
        start = after[rows] + 1
        longest = int(max(0, (until[rows] - start).max()))
        hit = maxima.first_above(start, level[rows], or_equal=or_equal, within=longest)
        found[rows] = np.where(hit < until[rows], hit, NEVER)
    return found
