"""Liquidations of a minute that are far out of the ordinary: z-score against the own last 300 minutes.

Per coin, and for the whole market under the name MARKET. Minutes without liquidations count as zero, and
minutes that were not seen whole do not count at all. No direction: a rush says nothing about what follows.
Called by `core.flow.engine`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.flow.columns import UNITS_PER_USD
from app.core.flow.market import LOUD_SHARE, CoinMarket
from app.core.flow.stretch import Reading, Stretch
from app.core.flow.windows import LiquidationWindows

# Of the minutes compared with, as many may be missing (gaps, a recent start) before nothing is said.
MAX_MISSING: Final = 30


class Ordinary(NamedTuple):
    """Mean and standard deviation of a minute, USD, over `minutes` of them."""

    mean_usd: float
    deviation_usd: float
    minutes: int

    def z(self, usd: float) -> float:
        return (usd - self.mean_usd) / self.deviation_usd


class PastMinutes:
    """Sum and sum of squares of the last minutes of a coin, kept up to date minute by minute.

    In whole units of 1/1024 USD, so that nothing is lost when minutes leave: the same minutes always give the
    same figures, whichever way they came.
    """

    __slots__ = ("_past_version", "_squares", "_sum", "_up_to", "_values")

    def __init__(self) -> None:
        self._past_version = self._up_to = self._sum = self._squares = 0
        self._values: dict[int, int] = {}  # minute -> units; empty minutes have none

    def move_to(self, windows: LiquidationWindows, minute: int, reach: int) -> None:
        """Hold the `reach` minutes before `minute`."""
        if self._past_version != windows.past_version:
            self._past_version = windows.past_version
            self._up_to = self._sum = self._squares = 0
            self._values = {}
        new = windows.minutes_before(minute, min(reach, minute - self._up_to))
        for ended, usd in new.items():
            self._count(ended, int(usd * UNITS_PER_USD))
        self._up_to = minute
        while self._values and (oldest := next(iter(self._values))) < minute - reach:
            units = self._values.pop(oldest)
            self._sum -= units
            self._squares -= units * units

    def _count(self, minute: int, units: int) -> None:
        self._values[minute] = units
        self._sum += units
        self._squares += units * units

    def ordinary(self, minutes: int) -> Ordinary | None:
        """Mean and deviation over `minutes` minutes, the empty ones among them; None where nothing varies.

        Worked numbers: 297 minutes of nothing and 3 of 100,000 USD: mean 1,000, deviation 9,950; 31,000 USD
        lies 3.02 deviations above.
        """
        scatter = minutes * self._squares - self._sum * self._sum  # minutes^2 times the variance
        if minutes <= 0 or scatter <= 0:
            return None
        scale = minutes * UNITS_PER_USD
        return Ordinary(self._sum / scale, math.sqrt(scatter) / scale, minutes)

    def share_below(self, usd: float, minutes: int) -> float:
        """Share of the `minutes` minutes that held less."""
        units = usd * UNITS_PER_USD
        return max(0.0, 1.0 - sum(value >= units for value in self._values.values()) / minutes)


class ZScore:
    """The z-score detector of one coin or of the market.

    `look` after every event of a minute that reached the floor, `standing` after a frame.
    """

    __slots__ = (
        "_ended",
        "_limit_usd",
        "_loud",
        "_market",
        "_minute",
        "_ordinary",
        "_past",
        "active",
    )

    def __init__(self, market: CoinMarket) -> None:
        self._market = market
        self._minute = -1
        self._past = PastMinutes()
        self._ordinary: Ordinary | None = None
        self._limit_usd = math.inf
        # Newest event, USD of both sides and of longs, while the minute lies above the limit.
        self._loud: tuple[int, float, float] | None = None
        self._ended: list[Finding] = []
        self.active: Stretch | None = None

    def look(self) -> None:
        """Judge the minute under way. Sets from which size on it is worth looking again."""
        windows = self._market.windows
        if windows.minute != self._minute:
            self._settle()
            self.pass_time(windows.second)
            self._begin_minute(windows.minute)
        usd = windows.minute_usd
        if usd >= self._limit_usd:
            self._loud = windows.newest_ms, usd, windows.long_usd - windows.minute_base_long_usd

    def _begin_minute(self, minute: int) -> None:
        market = self._market
        self._minute, self._limit_usd = minute, math.inf
        self._ordinary = self._learn()
        if self._ordinary is not None:
            # "More than": the next number above three deviations.
            wanted = self._ordinary.mean_usd + market.config.zscore_min * self._ordinary.deviation_usd
            self._limit_usd = max(math.nextafter(wanted, math.inf), LOUD_SHARE * market.tier.cascade_usd)
        market.windows.no_alarm_below(self._limit_usd)

    def _learn(self) -> Ordinary | None:
        market = self._market
        count = market.config.zscore_minutes
        whole = market.coverage.whole_minutes(self._minute, count)
        if whole < count - MAX_MISSING:
            return None
        self._past.move_to(market.windows, self._minute, market.coverage.reach(self._minute, count))
        return self._past.ordinary(whole)

    def _settle(self) -> None:
        """What the loud minute holds by now, into its episode: once a frame, since its sums only grow."""
        if self._loud is None or self._ordinary is None:
            return
        (ts_ms, usd, long_usd), self._loud = self._loud, None
        reading = self._reading(self._ordinary, usd, long_usd)
        if self.active is None:
            self.active = Stretch(AlertKind.LIQUIDATION_ZSCORE, self._market.symbol, ts_ms, reading)
        else:
            self.active.hold(ts_ms, reading)

    def _reading(self, ordinary: Ordinary, usd: float, long_usd: float) -> Reading:
        return Reading(
            usd=usd,
            share=max(long_usd, usd - long_usd) / usd,
            threshold_usd=self._market.tier.cascade_usd,
            window_s=60,
            direction=Direction.NEUTRAL,
            side=LiquidatedSide.LONG if long_usd >= usd - long_usd else LiquidatedSide.SHORT,
            percentile=self._past.share_below(usd, ordinary.minutes),
            evidence=(
                ("z", ordinary.z(usd)),
                ("mean_minute_usd", ordinary.mean_usd),
                ("deviation_usd", ordinary.deviation_usd),
                ("minutes", float(ordinary.minutes)),
                ("long_usd", long_usd),
                ("short_usd", usd - long_usd),
            ),
        )

    def pass_time(self, as_of_s: int) -> None:
        """A whole minute without it ends the episode."""
        if self.active is not None and as_of_s // 60 > self.active.last_ms // 60_000 + 1:
            self._ended.append(self._say(self.active, is_final=True))
            self.active = None

    def standing(self) -> list[Finding]:
        """What ended since the last call, then what holds in this minute."""
        self._settle()
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
