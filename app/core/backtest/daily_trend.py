"""The trend of daily bars as the Smart Money engine sees it: the direction of the last break of structure.

Made of stored hourly bars, so that records and backtests need no further history. Nothing looks ahead: a
break counts from the close of the day that confirmed it.
"""

from __future__ import annotations

import numpy as np

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.record.columns import UNKNOWN, Codes, Floats, Ints
from app.core.smc.bars import Bars, bars_of_columns
from app.core.smc.run import run_smc

# Of a day with more hours missing nobody knows how far it went.
LEAST_HOURS = 22
# With fewer days "no break yet" says more of the history than of the market.
LEAST_DAYS = 20


def daily_bars(close_ms: Ints, open_: Floats, high: Floats, low: Floats, close: Floats) -> Bars:
    """UTC days of hourly bars (strictly increasing closes); days with fewer than 22 hours are left out.

    A day closes at midnight, whatever its last hour: an hour that closes at 00:00 belongs to the day before.
    """
    day = (close_ms - HOUR_MS) // DAY_MS
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    ends = np.append(starts[1:], day.size)
    kept = ends - starts >= LEAST_HOURS
    starts, ends = starts[kept], ends[kept]
    highs = [high[start:end].max() for start, end in zip(starts, ends, strict=True)]
    lows = [low[start:end].min() for start, end in zip(starts, ends, strict=True)]
    return bars_of_columns(
        DAY_MS,
        (day[starts] + 1) * DAY_MS,
        open_[starts],
        np.array(highs, dtype=np.float64),
        np.array(lows, dtype=np.float64),
        close[ends - 1],
        np.full(starts.size, np.nan),
    )


def daily_trend(
    close_ms: Ints, open_: Floats, high: Floats, low: Floats, close: Floats, *, until_ms: int
) -> tuple[Ints, Codes]:
    """(close of each day, trend known then): 1 up, -1 down, 0 no break yet, UNKNOWN in the first 20 days.

    until_ms: days that close later are left out, for they are not over.
    """
    bars = daily_bars(close_ms, open_, high, low, close)
    bars = bars.first(int(np.searchsorted(bars.close_ms, until_ms, side="right")))
    codes = np.zeros(len(bars), dtype=np.int8)
    breaks = run_smc(bars).breaks
    # In order of time: of two the later one stands.
    for at, direction in zip(breaks.confirmed_at.tolist(), breaks.dir.tolist(), strict=True):
        codes[at:] = direction
    codes[: LEAST_DAYS - 1] = UNKNOWN
    return bars.close_ms, codes
