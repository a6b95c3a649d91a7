"""The whole Smart Money analysis of a history at once, vectorised. `engine` gives the same bar by bar."""

from __future__ import annotations

import threading

from app.core.smc.bars import Bars
from app.core.smc.blocks import find_blocks
from app.core.smc.config import DEFAULT_CONFIG, SmcConfig
from app.core.smc.crossing import Maxima, Scratch
from app.core.smc.gaps import Prices, find_gaps
from app.core.smc.pools import find_pools
from app.core.smc.ranges import measure_ranges
from app.core.smc.records import SmcRun
from app.core.smc.structure import find_breaks
from app.core.smc.sweeps import find_sweeps
from app.core.smc.swings import find_swings, fold_pivots

# Longer histories are rare, and their tables would stay: 40 MB per thread at this length.
_LONGEST_KEPT = 1 << 17
_of_thread = threading.local()


def _scratch(bars: int) -> Scratch | None:
    """This thread's memory for tables. Nothing that a run returns lies in it."""
    if bars > _LONGEST_KEPT:
        return None
    found = getattr(_of_thread, "scratch", None)
    if not isinstance(found, Scratch):
        found = _of_thread.scratch = Scratch()
    found.rewind()
    return found


def run_smc(bars: Bars, config: SmcConfig = DEFAULT_CONFIG) -> SmcRun:
    """Everything in `bars`. Nothing in it looks ahead: `known_at` of a row is its `confirmed_at`.

    Fewer bars than a detector needs give it nothing to find, never an error.
    """
    turned = bars.mirrored()
    scratch = _scratch(len(bars))
    columns = (bars.high, turned.high, bars.close, turned.close)
    prices = Prices(*(Maxima(column, scratch) for column in columns))
    swings = find_swings(bars, turned, config, prices)
    pivots = fold_pivots(swings)
    breaks = find_breaks(bars, pivots, prices.close_up, prices.close_down, is_wick=False)
    pools = find_pools(bars, config, prices, swings)
    return SmcRun(
        bars=len(bars),
        swings=swings,
        pivots=pivots,
        breaks=breaks,
        wick_breaks=find_breaks(bars, pivots, prices.up, prices.down, is_wick=True),
        gaps=find_gaps(bars, turned, config, prices),
        blocks=find_blocks(bars, turned, config, prices, breaks),
        pools=pools,
        sweeps=find_sweeps(bars, turned, config, prices, swings, pools),
        ranges=measure_ranges(bars, pivots, prices),
    )
