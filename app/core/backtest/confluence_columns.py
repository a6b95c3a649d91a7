"""Which way confluence points at many moments of a recording: what a live answer would have said of the hour.

Levels are carried from bar to bar, structure is found once per stretch of bars, and only the moments asked
for are scored, with the functions of the live answer. Plans, odds and sentences are left out. Who asks:
the backtest, for its LONG and SHORT signals.
"""

from __future__ import annotations

import numpy as np

from app.core.confluence.clustering import gather_clusters
from app.core.confluence.levels import (
    LOOKBACK_MS,
    MAX_ESTIMATE_AGE_MS,
    LevelBook,
    interest_bars,
    maintenance_frac,
)
from app.core.confluence.liquidity_map import find_zones
from app.core.confluence.note import confluent_zone, direction_of
from app.core.confluence.setups import MIN_SCORE
from app.core.confluence.zones import MAX_CANDLE_BARS
from app.core.domain.market import HOUR_MS, Candles, Series
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.record.columns import LONG, NEUTRAL, SHORT, Codes, Floats, Ints
from app.core.smc.bars import Bars, bars_of_columns, build_bars
from app.core.smc.records import SmcRun
from app.core.smc.run import run_smc

# A live context holds 745 closed hours (OKX) to 999 (CoinGlass), and structure remembers no more than it is
# shown. Here a run begins 744 hours before a stretch of 254 on the clock's own grid: every answer sees as
# much as some live one, and where the recording begins does not matter.
LIVE_BARS = 745
STRETCH_BARS = 254


def confluence_directions(
    base: str, candles: Candles, interest: Series, at_ms: Ints, price_usd: Floats
) -> Codes:
    """LONG, SHORT or NEUTRAL (no confluence) at each moment, in the order asked.

    candles: of 1 h; interest: open interest at their closes, in coins (better) or USD. Of both, what is
    stamped up to the moment counts as known: of the OI that arrived later, give only what had arrived.
    at_ms, price_usd: moments in any order and the fresh price of each, NaN where there was none.

    NEUTRAL too where a live answer would refuse: candles older than two bars, open interest older than two
    hours, no ATR, no level within reach.

    Raises:
        InvariantViolation: candles of another length, a candle that cannot be, columns of unequal length.
    """
    if candles.interval_ms != HOUR_MS or at_ms.shape != price_usd.shape:
        raise InvariantViolation("confluence is told of hourly candles, with one price for each moment")
    found = np.full(at_ms.size, NEUTRAL, dtype=np.int8)
    if not candles.close_ms or not interest.close_ms:
        return found
    walk = _Walk(base, candles, interest)
    for row in np.argsort(at_ms, kind="stable").tolist():
        found[row] = walk.direction(int(at_ms[row]), float(price_usd[row]))
    return found


class _Walk:
    """Moments in order of time."""

    def __init__(self, base: str, candles: Candles, interest: Series) -> None:
        newest_ms = max(candles.close_ms)
        self._bars = build_bars(candles, newest_ms)
        self._flows = interest_bars(candles, interest, from_ms=0, until_ms=newest_ms)
        self._taken = 0
        self._book = LevelBook(maintenance_frac(base))
        self._interest_ms = np.array(interest.close_ms, dtype=np.int64)
        self._stretch = -1
        self._first = 0  # of the stretch's bars among all
        self._own = self._bars
        self._run: SmcRun | None = None

    def direction(self, now_ms: int, price_usd: float) -> int:
        """Of the best confluent zone, NEUTRAL for none."""
        last = int(self._bars.close_ms.searchsorted(now_ms, side="right")) - 1
        if not price_usd > 0 or not self._is_known(last, now_ms):
            return NEUTRAL
        past, run = self._analysis(last)
        atr = float(past.atr[-1])
        if not atr > 0:
            return NEUTRAL
        self._take_until(now_ms)
        clusters = gather_clusters(*self._book.near(price_usd, atr), price_usd, atr)
        if not clusters:
            return NEUTRAL
        best = confluent_zone(find_zones(past, run, clusters, price_usd, atr, at_least=MIN_SCORE))
        if best is None:
            return NEUTRAL
        return LONG if direction_of(best) is Direction.LONG else SHORT

    def _is_known(self, last: int, now_ms: int) -> bool:
        """Are there a candle and open interest, both young enough to be told of?"""
        newest = int(self._interest_ms.searchsorted(now_ms, side="right")) - 1
        if last < 0 or newest < 0:
            return False
        close_ms = int(self._bars.close_ms[last])
        if now_ms - close_ms > MAX_CANDLE_BARS * HOUR_MS:
            return False
        return now_ms - min(close_ms, int(self._interest_ms[newest])) <= MAX_ESTIMATE_AGE_MS

    def _take_until(self, now_ms: int) -> None:
        """Levels of the look-back up to now."""
        while self._taken < len(self._flows) and self._flows[self._taken].close_ms <= now_ms:
            self._book.take(self._flows[self._taken])
            self._taken += 1
        self._book.forget(now_ms - LOOKBACK_MS)

    def _analysis(self, last: int) -> tuple[Bars, SmcRun]:
        """The bars up to `last` that a live context would hold, and a run over them (and some later ones)."""
        stretch = int(self._bars.close_ms[last]) // HOUR_MS // STRETCH_BARS
        if stretch != self._stretch or self._run is None:
            begin_ms, end_ms = (bar * STRETCH_BARS * HOUR_MS for bar in (stretch, stretch + 1))
            closes = self._bars.close_ms
            self._first = int(closes.searchsorted(begin_ms - (LIVE_BARS - 1) * HOUR_MS))
            self._own = _cut(self._bars, self._first, int(closes.searchsorted(end_ms)))
            self._run, self._stretch = run_smc(self._own), stretch
        return self._own.first(last - self._first + 1), self._run


def _cut(bars: Bars, first: int, end: int) -> Bars:
    """Some of the bars, with ATR and means of their own."""
    part = slice(first, end)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return bars_of_columns(bars.interval_ms, bars.close_ms[part], *(column[part] for column in columns))
