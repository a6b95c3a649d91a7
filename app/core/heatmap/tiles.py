"""Liquidations to tiles, the slow and obvious way: what every faster way has to equal.

Pure. The store sums tiles in SQL with each batch; its tests and `rebuild` are held against this fold.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from app.core.domain.stored import LiquidatedSide, LiquidationRow, TileRow
from app.core.errors import InvariantViolation
from app.core.heatmap.buckets import bucket_of

_MINUTE_MS = 60_000


def fold_tiles(rows: Iterable[LiquidationRow]) -> list[TileRow]:
    """One tile per (symbol, minute, bucket), in that order. The same event twice counts once.

    The bucket is computed again from the price, not taken from the row: a recount trusts nothing derived.

    Worked numbers: longs of 100 and 50 USD and a short of 30 USD in one minute and bucket
    -> long 150, short 30, 3 events.

    Raises:
        InvariantViolation: a side that is neither LONG nor SHORT; it is never guessed.
    """
    once = {(row.symbol, row.ts_event_ms, row.id): row for row in rows}
    longs: defaultdict[tuple[str, int, int], list[float]] = defaultdict(list)
    shorts: defaultdict[tuple[str, int, int], list[float]] = defaultdict(list)
    for row in once.values():
        place = (row.symbol, row.ts_event_ms // _MINUTE_MS, bucket_of(row.price))
        _of_side(row.liquidated_side, longs, shorts)[place].append(row.usd)
    return [
        TileRow(
            *place,
            long_usd=math.fsum(longs.get(place, ())),
            short_usd=math.fsum(shorts.get(place, ())),
            events=len(longs.get(place, ())) + len(shorts.get(place, ())),
        )
        for place in sorted(longs.keys() | shorts.keys())
    ]


_Sums = defaultdict[tuple[str, int, int], list[float]]


def _of_side(side: str, longs: _Sums, shorts: _Sums) -> _Sums:
    match side:
        case LiquidatedSide.LONG:
            return longs
        case LiquidatedSide.SHORT:
            return shorts
        case _:
            raise InvariantViolation(f"a stored liquidation has the side {side!r}")
