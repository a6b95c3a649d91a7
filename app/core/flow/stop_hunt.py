"""The cascade of one coin and side, from its first event to its verdict.

building -> peak (the 10 s rate falls) -> reclaim (traded price back inside the range before the cascade),
continuation (not back after 15 min) or ended (nobody can say). Longs liquidated are forced SELLS: price is
pushed DOWN, and only the way back makes it a LONG; shorts mirrored. Driven by `core.flow.cascades`.
"""

from __future__ import annotations

from typing import Final

from app.core.domain.flow import CascadeNow, Phase, TradeLevels
from app.core.domain.stored import LiquidatedSide
from app.core.flow.columns import minus
from app.core.flow.market import CoinMarket, Figures
from app.core.flow.price_path import PriceRange
from app.core.flow.windows import RETAINED_S

RATE_S: Final = 10
MINUTE_S: Final = 60
# "Falling" means a quarter off the highest: one second that leaves a ten-second window is noise.
FALLING: Final = 0.75
# A cascade goes on while its 30 s sum holds the threshold and its side is still the larger one; 65 % is asked
# for only at the start, so that a share that hovers there does not tear one cascade into ten.
STILL_DOMINANT: Final = 0.5
MAX_TARGETS: Final = 3
# Days away in any market: no target of a trade that begins with a sweep of minutes.
MAX_TARGET_ATR: Final = 10.0
# Share of the range's five minutes for which prices must be known at the least.
LEAST_RANGE: Final = 0.2


class Cascade:
    """One episode. sums: what it liquidated, as of the last event at which it was under way; last_on_s: of
    that event; peak_minute_usd: most within a minute; extreme: furthest traded price since it began, None
    without a price path; before: traded range of the five minutes before its first event, None where less
    than one of them is known."""

    __slots__ = (
        "_hot",
        "_minute_usd",
        "_percentile",
        "_rate",
        "_read_at",
        "_start",
        "_taken",
        "_taken_before",
        "before",
        "extreme",
        "is_long",
        "is_on",
        "last_on_s",
        "market",
        "peak_10s_usd",
        "peak_minute_usd",
        "peak_s",
        "phase",
        "rate_usd",
        "started_s",
        "sums",
    )

    def __init__(self, market: CoinMarket, *, is_long: bool, started_s: int, as_of_s: int) -> None:
        self.market, self.is_long, self.started_s = market, is_long, started_s
        self.phase = Phase.BUILDING
        self.is_on = True
        self.last_on_s = self.peak_s = as_of_s
        self.peak_10s_usd = self.peak_minute_usd = self.rate_usd = 0.0
        self._read_at = (-1, -1)
        self._start = market.windows.before(started_s)
        self._hot = self._rate = (self._start.long_usd, self._start.short_usd)
        self._minute_usd = self._start.long_usd + self._start.short_usd
        self.sums = minus(market.windows.totals(), self._start)
        self.before = self._range_before()
        self.extreme: float | None = None
        # To the newest price that is known: liquidations may be told later than the trades they made.
        self._see(market.path.range_between(started_s, max(as_of_s, market.path.last_ms // 1000) + 1))
        trades = market.trades
        self._taken = self._taken_before = None if trades is None else trades.before(started_s)
        self._percentile: tuple[float, float | None] = (0.0, None)

    def _range_before(self) -> PriceRange | None:
        """None where prices are known for so short a time (a start) that any move would leave their range."""
        span_s, path = self.market.config.pre_cascade_range_s, self.market.path
        if not path.reaches_back_to(self.started_s - round(LEAST_RANGE * span_s)):
            return None
        return path.range_between(self.started_s - span_s, self.started_s)

    @property
    def side(self) -> LiquidatedSide:
        return LiquidatedSide.LONG if self.is_long else LiquidatedSide.SHORT

    @property
    def usd(self) -> float:
        return self.sums.long_usd + self.sums.short_usd

    @property
    def share(self) -> float:
        """Of the side whose positions were closed."""
        return (self.sums.long_usd if self.is_long else self.sums.short_usd) / self.usd

    def see_price(self, ts_s: int, price: float) -> None:
        """A traded price of now or of earlier in the cascade."""
        if ts_s >= self.started_s:
            self._see(PriceRange(price, price))

    def step(self, as_of_s: int) -> bool:
        """Look at the windows as of a second; whether it is worth saying: a new phase, or it has stopped."""
        was_on = self.is_on
        if self._has_lapsed(as_of_s):
            self.is_on, self.rate_usd = False, 0.0
        elif self.is_on or self.phase is Phase.BUILDING or self._read_at[0] != self.market.windows.version:
            self._measure(as_of_s)  # else it only waits: without new events no sum can rise
        if self.phase is Phase.BUILDING:
            if self.rate_usd > 0 and self.rate_usd >= FALLING * self.peak_10s_usd:
                return False
            # Looked at long afterwards, the rate fell at the latest when its window had emptied.
            self.phase, self.peak_s = Phase.PEAK, min(as_of_s, self.last_on_s + RATE_S + 1)
            self._judge(as_of_s)
            return True
        return self._judge(as_of_s) or (was_on and not self.is_on)

    def _has_lapsed(self, as_of_s: int) -> bool:
        """Over long ago, although nobody looked in between: what comes now belongs to another cascade."""
        config, silent_s = self.market.config, as_of_s - self.last_on_s
        has_path = self.before is not None and self.extreme is not None
        return silent_s > (config.cascade_verdict_s if has_path else config.cascade_window_s + 1)

    def _measure(self, as_of_s: int) -> None:
        windows = self.market.windows
        if (windows.version, as_of_s) != self._read_at:
            self._move_bases(as_of_s)
        long_usd, short_usd = windows.long_usd, windows.short_usd
        own = 0 if self.is_long else 1
        own_usd = short_usd if own else long_usd
        hot_usd = long_usd + short_usd - self._hot[0] - self._hot[1]
        hot_own_usd = own_usd - self._hot[own]
        self.is_on = hot_usd >= self.market.tier.cascade_usd and hot_own_usd >= STILL_DOMINANT * hot_usd
        if self.is_on:
            self._count()
        self.rate_usd = own_usd - self._rate[own]
        if self.rate_usd > self.peak_10s_usd:
            self.peak_10s_usd = self.rate_usd
            if self.phase is Phase.PEAK and self.is_on:
                self.phase = Phase.BUILDING  # it was a breath, not the peak

    def _move_bases(self, as_of_s: int) -> None:
        """A new second or a late event: where the windows begin now."""
        windows = self.market.windows
        self._read_at = (windows.version, as_of_s)
        self._hot = windows.usd_before(windows.hot_from(as_of_s))
        self._rate = windows.usd_before(as_of_s - RATE_S)
        self._minute_usd = sum(windows.usd_before(max(windows.second - MINUTE_S, self.started_s)))
        if windows.second - self.started_s < RETAINED_S:
            self._start = windows.before(self.started_s)  # moved by late events of before

    def _count(self) -> None:
        windows = self.market.windows
        self.sums = minus(windows.totals(), self._start)
        self.last_on_s = windows.second
        minute = windows.long_usd + windows.short_usd - self._minute_usd
        if minute > self.peak_minute_usd:
            self.peak_minute_usd = minute
        if self.market.trades is not None:
            self._taken = self.market.trades.totals

    @property
    def absorbed_usd(self) -> float | None:
        """Taker volume against it while it was under way (buys against forced sells); None without trades."""
        if self._taken is None:
            return None
        taken = self._taken if self._taken_before is None else self._taken.minus(self._taken_before)
        return taken.buy_usd if self.is_long else taken.sell_usd

    def percentile(self) -> float | None:
        """Of its busiest minute among the coin's own; asked anew when that has grown by half and can still
        rise."""
        asked_usd, known = self._percentile
        if self.peak_minute_usd > 1.5 * asked_usd and known != 1.0:
            known = self.market.percentile(self.peak_minute_usd, self.started_s // 60)
            self._percentile = (self.peak_minute_usd, known)
        return known

    def _judge(self, as_of_s: int) -> bool:
        """Past the peak: is there a verdict?"""
        price = self.market.path.at(as_of_s * 1000)
        if self._is_reclaimed(price):
            self.phase = Phase.RECLAIM
        elif self.before is None or self.extreme is None:
            if self.is_on:
                return False
            self.phase = Phase.ENDED
        elif as_of_s - max(self.peak_s, self.last_on_s) >= self.market.config.cascade_verdict_s:
            is_outside = price is not None and self._is_beyond(price)
            self.phase = Phase.CONTINUATION if is_outside else Phase.ENDED
        else:
            return False
        return True

    def _is_reclaimed(self, price: float | None) -> bool:
        """Price was swept out of the range and trades inside it again (or has jumped back through it)."""
        if price is None or self.extreme is None:
            return False
        return self._is_beyond(self.extreme) and not self._is_beyond(price)

    def _is_beyond(self, price: float) -> bool:
        """Outside the range of before, on the side to which the cascade pushes."""
        if self.before is None:
            return False
        return price < self.before.low if self.is_long else price > self.before.high

    def _see(self, seen: PriceRange | None) -> None:
        if seen is None:
            return
        price = seen.low if self.is_long else seen.high
        if self.extreme is None:
            self.extreme = price
        self.extreme = min(self.extreme, price) if self.is_long else max(self.extreme, price)

    @property
    def is_over(self) -> bool:
        return self.phase in (Phase.RECLAIM, Phase.CONTINUATION, Phase.ENDED)

    def now(self, as_of_ms: int) -> CascadeNow:
        events = self.sums.longs + self.sums.shorts
        price = self.market.path.at(as_of_ms)
        return CascadeNow(self.side, self.phase, self.started_s * 1000, self.usd, events, price)

    def levels(self, price: float | None, figures: Figures) -> TradeLevels | None:
        """Levels of a reclaim, None where any part is unknown or they would not stand in order."""
        if self.phase is not Phase.RECLAIM or price is None or self.extreme is None or not figures.atr_usd:
            return None
        away = self.market.config.stop_atr * figures.atr_usd
        reach = MAX_TARGET_ATR * figures.atr_usd
        if self.is_long:
            return long_levels(price, self.extreme - away, figures.above, reach)
        return short_levels(price, self.extreme + away, figures.below, reach)


def long_levels(entry: float, stop: float, clusters: tuple[float, ...], reach: float) -> TradeLevels | None:
    """stop < entry < every target, nearest first, or nothing.

    A target is at least as far as the stop, else the trade risks more than it can win, and no farther than
    `reach` (USD). Worked numbers: entry 60,000, extreme 59,400 and ATR 400 (stop 59,300), clusters above at
    59,900, 60,500, 61,200 and 65,000: the target is 61,200.
    """
    if not 0 < stop < entry:
        return None
    targets = sorted({price for price in clusters if 2 * entry - stop <= price <= entry + reach})
    return TradeLevels(entry, stop, tuple(targets[:MAX_TARGETS])) if targets else None


def short_levels(entry: float, stop: float, clusters: tuple[float, ...], reach: float) -> TradeLevels | None:
    """The mirror: every target < entry < stop."""
    if not stop > entry:
        return None
    lowest = max(entry - reach, 0.0)
    targets = sorted(
        {price for price in clusters if price > 0 and lowest <= price <= 2 * entry - stop}, reverse=True
    )
    return TradeLevels(entry, stop, tuple(targets[:MAX_TARGETS])) if targets else None
