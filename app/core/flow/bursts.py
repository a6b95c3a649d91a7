"""Liquidations of a minute that are far out of the ordinary: z-score against the own last 300 minutes.

Per coin, and for the whole market under the name MARKET. Minutes without liquidations count as zero, and
minutes that were not seen whole do not count at all. No direction: a rush says nothing about what follows.
Called by `core.flow.engine`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.flow.market import LOUD_SHARE, CoinMarket
from app.core.flow.stretch import Reading, Stretch

MARKET: Final = "MARKET"
# Of the minutes compared with, as many may be missing (gaps, a recent start) before nothing is said.
MAX_MISSING: Final = 30


class Ordinary(NamedTuple):
    """Mean and standard deviation of a minute, USD, over `minutes` of them."""

    mean_usd: float
    deviation_usd: float
    minutes: int

    def z(self, usd: float) -> float:
        return (usd - self.mean_usd) / self.deviation_usd


def ordinary_of(values: Sequence[float], minutes: int) -> Ordinary | None:
    """Of `minutes` minutes in which `values` were the non-zero ones; None where nothing varies.

    Worked numbers: 297 minutes of nothing and 3 of 100,000 USD: mean 1,000, deviation 9,950; 31,000 USD is
    3.02 deviations above.
    """
    if minutes <= 0 or not values:
        return None
    mean = sum(values) / minutes
    variance = sum(value * value for value in values) / minutes - mean * mean
    # Squares of a constant differ from the square of its mean by rounding only.
    return Ordinary(mean, math.sqrt(variance), minutes) if variance > 1e-9 * mean * mean else None


class ZScore:
    """The z-score detector of one coin or of the market. `look` after an event that reached the floor."""

    __slots__ = ("_ended", "_market", "_minute", "_ordinary", "active")

    def __init__(self, market: CoinMarket) -> None:
        self._market = market
        self._minute = -1
        self._ordinary: Ordinary | None = None
        self.active: Stretch | None = None
        self._ended: list[Finding] = []

    def look(self) -> None:
        """Judge the minute under way. Sets from which size on it is worth looking again."""
        windows = self._market.windows
        if windows.minute != self._minute:
            self._minute = windows.minute
            self._ordinary = self._learn()
        self.pass_time(windows.second)
        ordinary, usd = self._ordinary, windows.minute_usd
        if ordinary is None:
            windows.no_alarm_below(math.inf)
            return
        wanted = ordinary.mean_usd + self._market.config.zscore_min * ordinary.deviation_usd
        floor = LOUD_SHARE * self._market.tier.cascade_usd
        windows.no_alarm_below(max(wanted, floor))
        if usd > wanted and usd >= floor:
            self._hold(ordinary, usd)

    def _learn(self) -> Ordinary | None:
        market = self._market
        count = market.config.zscore_minutes
        whole = market.coverage.whole_minutes(self._minute, count)
        if whole < count - MAX_MISSING:
            return None
        reach = market.coverage.reach(self._minute, count)
        return ordinary_of(market.windows.minutes_before(self._minute, reach), whole)

    def _hold(self, ordinary: Ordinary, usd: float) -> None:
        market, ts_ms = self._market, self._market.windows.newest_ms
        sums = market.windows.since(self._minute * 60)
        is_long = sums.long_usd >= sums.short_usd
        reading = Reading(
            usd=usd,
            share=max(sums.long_usd, sums.short_usd) / usd,
            threshold_usd=market.tier.cascade_usd,
            window_s=60,
            direction=Direction.NEUTRAL,
            side=LiquidatedSide.LONG if is_long else LiquidatedSide.SHORT,
            percentile=market.percentile(usd, self._minute),
            evidence=(
                ("z", ordinary.z(usd)),
                ("mean_minute_usd", ordinary.mean_usd),
                ("deviation_usd", ordinary.deviation_usd),
                ("minutes", float(ordinary.minutes)),
                ("long_usd", sums.long_usd),
                ("short_usd", sums.short_usd),
            ),
        )
        if self.active is None:
            self.active = Stretch(AlertKind.LIQUIDATION_ZSCORE, market.symbol, ts_ms, reading)
        else:
            self.active.hold(ts_ms, reading)

    def pass_time(self, as_of_s: int) -> None:
        """A whole minute without it ends the episode."""
        if self.active is not None and as_of_s // 60 > self.active.last_ms // 60_000 + 1:
            self._ended.append(self._say(self.active, is_final=True))
            self.active = None

    def standing(self) -> list[Finding]:
        """What ended since the last call, then what holds in this minute."""
        ended = self.drain_ended()
        if self.active is None or self.active.last_ms // 60_000 != self._market.windows.minute:
            return ended
        return [*ended, self._say(self.active, is_final=False)]

    def drain_ended(self) -> list[Finding]:
        ended, self._ended = self._ended, []
        return ended

    def _say(self, stretch: Stretch, *, is_final: bool) -> Finding:
        market = self._market
        burst = market.burst(stretch.started_ms, stretch.last_ms)
        return stretch.finding(burst=burst, price=market.path.at(stretch.last_ms), is_final=is_final)
