"""Liquidity pools: equal highs and equal lows. Definition 5.

A newcomer joins the nearest candidate whose anchor lies within the tolerance, as long as nothing traded
beyond both. What "nothing traded beyond" means is read off two figures of the swings, so no range has to be
searched: when the candidate's edge was first traded through, and which bar before the newcomer was last above
it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from app.core.smc.bars import NEVER, Bars, Floats, Ints
from app.core.smc.config import SmcConfig
from app.core.smc.gaps import Prices
from app.core.smc.records import Pools, Swings

# A hair wider than the tolerance, which is then held to exactly.
_HAIR = 1.0001


class PoolBook:
    """Pools of both sides as they form, and the candidates a newcomer may join.

    Heights grow away from price: lows are negated. Candidates are plain columns, because tens of thousands of
    small objects would wake the collector.
    """

    __slots__ = (
        *("dir", "edge", "edge_swing", "first_i", "height_sum", "known_at", "members", "newest_i"),
        *("superseded_at", "_anchor", "_anchors", "_edge", "_edge_swing", "_first_i", "_ids", "_newest_i"),
        "_pool",
    )

    def __init__(self) -> None:
        # One entry per pool.
        self.dir: list[int] = []
        self.edge: list[float] = []
        self.edge_swing: list[int] = []  # the swing (row) whose level is the edge
        self.first_i: list[int] = []
        self.newest_i: list[int] = []
        self.height_sum: list[float] = []
        self.members: list[tuple[int, ...]] = []
        self.known_at: list[int] = []
        self.superseded_at: list[int] = []
        # One entry per candidate ever: a single swing, or a pool (its row; -1 for a swing).
        self._anchor: list[float] = []
        self._edge: list[float] = []
        self._edge_swing: list[int] = []
        self._first_i: list[int] = []
        self._newest_i: list[int] = []
        self._pool: list[int] = []
        # Those that are candidates now, per side in order of their anchors.
        self._anchors: dict[int, list[float]] = {1: [], -1: []}
        self._ids: dict[int, list[int]] = {1: [], -1: []}

    def add_swing(
        self,
        swing: int,
        i: int,
        direction: int,
        height: float,
        *,
        tolerance: float,
        last_above: int,
        known_at: int,
        taken: Sequence[int],
    ) -> int | None:
        """Take in a swing (row, bar, height) at the bar it becomes known; the pool it makes, if it makes one.

        tolerance: NaN before there is an ATR. last_above: last bar before it that was above it (-1: none).
        taken: per swing (row) the first bar that traded beyond it.
        """
        near = self._near(direction, height, tolerance)
        candidate = self._nearest(near, height, tolerance, last_above, known_at, taken)
        if candidate is None:
            self._insert(direction, height, self._new_candidate(height, height, swing, i, i, -1))
            return None
        self._remove(direction, candidate)
        return self._join(candidate, swing, i, direction, height, known_at)

    def add_swings(self, swings: Swings, prices: Prices, tolerance: Floats, last_above: Ints) -> None:
        """All swings of a history at once, with the outcome of `add_swing` one by one.

        Which swing is near which is found for all pairs together; then only those are looked at that have
        one.
        """
        heights = swings.level * swings.dir
        pairs = _Pairs(swings, prices, heights, tolerance, last_above)
        listed, i, known = heights.tolist(), swings.i.tolist(), swings.confirmed_at.tolist()
        taken, above, allowed = swings.taken_at.tolist(), last_above.tolist(), tolerance.tolist()
        directions, rows = swings.dir.tolist(), len(listed)
        # Every swing is a candidate by its row; pools come after them.
        self._anchor, self._edge, self._edge_swing = [*listed], [*listed], [*range(rows)]
        self._first_i, self._newest_i, self._pool = [*i], [*i], [-1] * rows
        alone = [True] * rows
        for row in pairs.due:
            near = [*self._near(directions[row], listed[row], allowed[row])]
            near += [one for one in pairs.before(row) if alone[one]]
            found = self._nearest(near, listed[row], allowed[row], above[row], known[row], taken)
            if found is None:
                continue
            alone[row] = False
            if found < rows:
                alone[found] = False
            else:
                self._remove(directions[row], found)
            self._join(found, row, i[row], directions[row], listed[row], known[row])

    def _near(self, direction: int, height: float, tolerance: float) -> Sequence[int]:
        """Candidates in their list with an anchor within a hair more than the tolerance."""
        anchors = self._anchors[direction]
        if not (anchors and tolerance >= 0):
            return ()
        first = bisect_left(anchors, height - _HAIR * tolerance)
        last = bisect_right(anchors, height + _HAIR * tolerance)
        return self._ids[direction][first:last] if first < last else ()

    def _nearest(
        self,
        near: Sequence[int],
        height: float,
        tolerance: float,
        last_above: int,
        known_at: int,
        taken: Sequence[int],
    ) -> int | None:
        """The nearest candidate within the tolerance (of equally near ones the newer) of which nothing since
        its first member traded beyond both edge and newcomer until that is known."""
        found, least, newest = None, tolerance, -1
        for candidate in near:
            if height > self._edge[candidate]:
                if last_above > self._first_i[candidate]:
                    continue
            elif taken[self._edge_swing[candidate]] <= known_at:
                continue
            distance = abs(height - self._anchor[candidate])
            if distance < least or (distance == least and self._newest_i[candidate] > newest):
                found, least, newest = candidate, distance, self._newest_i[candidate]
        return found

    def _insert(self, direction: int, anchor: float, candidate: int) -> None:
        place = bisect_right(self._anchors[direction], anchor)
        self._anchors[direction].insert(place, anchor)
        self._ids[direction].insert(place, candidate)

    def _remove(self, direction: int, candidate: int) -> None:
        place = bisect_left(self._anchors[direction], self._anchor[candidate])
        place = self._ids[direction].index(candidate, place)
        del self._anchors[direction][place], self._ids[direction][place]

    def _join(self, candidate: int, swing: int, i: int, direction: int, height: float, known_at: int) -> int:
        old = self._pool[candidate]
        is_beyond = height > self._edge[candidate]
        if old >= 0:
            self.superseded_at[old] = known_at
            members, total = self.members[old], self.height_sum[old]
        else:
            members, total = (self._first_i[candidate],), self._edge[candidate]
        self.dir.append(direction)
        self.edge.append(height if is_beyond else self._edge[candidate])
        self.edge_swing.append(swing if is_beyond else self._edge_swing[candidate])
        self.first_i.append(self._first_i[candidate])
        self.newest_i.append(i)
        self.height_sum.append(total + height)
        self.members.append((*members, i))
        self.known_at.append(known_at)
        self.superseded_at.append(NEVER)
        pool = len(self.dir) - 1
        # The pool keeps the anchor of its first member.
        anchor = self._anchor[candidate]
        place = self._new_candidate(
            anchor, self.edge[pool], self.edge_swing[pool], self.first_i[pool], i, pool
        )
        self._insert(direction, anchor, place)
        return pool

    def _new_candidate(
        self, anchor: float, edge: float, edge_swing: int, first_i: int, newest_i: int, pool: int
    ) -> int:
        self._anchor.append(anchor)
        self._edge.append(edge)
        self._edge_swing.append(edge_swing)
        self._first_i.append(first_i)
        self._newest_i.append(newest_i)
        self._pool.append(pool)
        return len(self._pool) - 1

    def table(self, taken: Sequence[int]) -> Pools:
        """The pools as a table. A pool is taken when the member at its edge is."""
        direction = np.array(self.dir, dtype=np.int64)
        count = np.array([len(members) for members in self.members], dtype=np.int64)
        return Pools(
            dir=direction,
            level=np.array(self.height_sum, dtype=np.float64) / count * direction,
            edge=np.array(self.edge, dtype=np.float64) * direction,
            first_i=np.array(self.first_i, dtype=np.int64),
            newest_i=np.array(self.newest_i, dtype=np.int64),
            count=count,
            confirmed_at=np.array(self.known_at, dtype=np.int64),
            superseded_at=np.array(self.superseded_at, dtype=np.int64),
            taken_at=np.array([taken[swing] for swing in self.edge_swing], dtype=np.int64),
            members=tuple(self.members),
        )


def find_pools(bars: Bars, config: SmcConfig, prices: Prices, swings: Swings) -> Pools:
    """All pools of both sides in order of `confirmed_at`."""
    book = PoolBook()
    last_above = _last_above(swings, prices)
    book.add_swings(swings, prices, config.equal_atr * bars.atr[swings.confirmed_at], last_above)
    return book.table(swings.taken_at.tolist())


def _last_above(swings: Swings, prices: Prices) -> Ints:
    """Last bar before each swing that traded beyond it, -1 for none."""
    found = np.empty(swings.i.size, dtype=np.int64)
    for direction, maxima in ((1, prices.up), (-1, prices.down)):
        rows = np.flatnonzero(swings.dir == direction)
        found[rows] = maxima.last_above(swings.i[rows], swings.level[rows] * direction)
    return found


class _Pairs:
    """Swings of one side with an earlier one within the tolerance (of the later).

    due: rows that have one, a member of a single or of a pool that may still take them in, in order.
    """

    def __init__(
        self, swings: Swings, prices: Prices, heights: Floats, tolerance: Floats, last_above: Ints
    ) -> None:
        # No edge lies further beyond its anchor than the widest tolerance: once price has traded there,
        # neither the swing nor a pool that began with it takes anybody in.
        known = swings.confirmed_at
        widest = np.nan_to_num(tolerance, nan=0.0).max(initial=0.0)
        over = _beyond(swings, prices, heights, float(widest))
        later, earlier = _close_pairs(swings, heights, tolerance, over)
        open_ = over[earlier] > known[later]
        later, earlier = later[open_], earlier[open_]
        self.due: list[int] = np.unique(later).tolist()
        is_lower = heights[earlier] < heights[later]
        untaken = swings.taken_at[earlier] > swings.confirmed_at[later]
        free = np.where(is_lower, last_above[later] <= swings.i[earlier], untaken)
        self._earlier: list[int] = earlier[free].tolist()
        edges = np.arange(heights.size + 1)
        self._from: list[int] = np.searchsorted(later[free], edges).tolist()

    def before(self, row: int) -> list[int]:
        """Earlier single swings that a newcomer may be equal to."""
        return self._earlier[self._from[row] : self._from[row + 1]]


def _beyond(swings: Swings, prices: Prices, heights: Floats, distance: float) -> Ints:
    """First bar after each swing that traded more than a distance beyond it."""
    found = np.empty(heights.size, dtype=np.int64)
    for direction, maxima in ((1, prices.up), (-1, prices.down)):
        rows = np.flatnonzero(swings.dir == direction)
        found[rows] = maxima.first_above(swings.i[rows] + 1, heights[rows] + _HAIR * distance)
    return found


def _close_pairs(swings: Swings, heights: Floats, tolerance: Floats, over: Ints) -> tuple[Ints, Ints]:
    """(later row, earlier row) of all pairs of one side within the tolerance, by the later one; without those
    that were over before the next of their side was known."""
    found = []
    for side in (1, -1):
        rows = np.flatnonzero(swings.dir == side)
        following = np.append(swings.confirmed_at[rows[1:]], NEVER)[: rows.size]
        lasting = rows[over[rows] > following]
        order = lasting[np.argsort(heights[lasting], kind="stable")]
        levels, slack = heights[order], np.nan_to_num(_HAIR * tolerance[rows], nan=-1.0)
        first = np.searchsorted(levels, heights[rows] - slack, side="left")
        last = np.searchsorted(levels, heights[rows] + slack, side="right")
        count = np.maximum(last - first, 0)
        later = np.repeat(rows, count)
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
        earlier = order[place]
        kept = earlier < later
        found.append((later[kept], earlier[kept]))
    later, earlier = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(later, kind="stable")
    return later[order], earlier[order]
