"""Starts, follows and ends the cascades of one coin, and says what they are.

One cascade for each side at most. Every event of a coin whose 30 s sum reaches the threshold comes here, and
every event and price while a cascade is under way; nothing is skipped. Called by `core.flow.engine`.
"""

from __future__ import annotations

from app.core.domain.flow import AlertKind, Finding, Phase
from app.core.domain.signal import Direction
from app.core.flow.market import CoinMarket, confidence
from app.core.flow.stop_hunt import Cascade


class Cascades:
    """The cascades of one coin that have no verdict yet. Methods return what changed phase, in order."""

    __slots__ = ("active", "market")

    def __init__(self, market: CoinMarket) -> None:
        self.market = market
        self.active: list[Cascade] = []

    def on_event(self) -> list[Finding]:
        """An event has been added to the windows."""
        windows = self.market.windows
        found = self._step(windows.second) if self.active else []
        if windows.hot_usd >= self.market.tier.cascade_usd and self._begin():
            found += self._step(windows.second)
        return found

    def on_price(self, ts_ms: int, price: float) -> list[Finding]:
        """A traded price has been added to the path."""
        for cascade in self.active:
            cascade.see_price(ts_ms // 1000, price)
        return self._step(ts_ms // 1000)

    def on_time(self, as_of_s: int) -> list[Finding]:
        """Event time has come this far, with or without events."""
        return self._step(as_of_s) if self.active else []

    def standing(self, as_of_s: int) -> list[Finding]:
        """What is under way, as it stands: asked after every frame that touched the coin."""
        return [self._finding(cascade, as_of_s) for cascade in self.active if cascade.is_on]

    def _begin(self) -> bool:
        """The threshold is reached: three events and one side with 65 % make it a cascade."""
        config, windows = self.market.config, self.market.windows
        started_s = windows.hot_from(windows.second)
        hot = windows.since(started_s)
        is_long = hot.long_usd >= hot.short_usd
        if hot.longs + hot.shorts < config.cascade_min_events:
            return False
        share = max(hot.long_usd, hot.short_usd) / (hot.long_usd + hot.short_usd)
        if share < config.cascade_side_share or any(one.is_long == is_long for one in self.active):
            return False
        first_s = windows.first_from(started_s)
        self.active.append(Cascade(self.market, is_long=is_long, started_s=first_s, as_of_s=windows.second))
        windows.stay_awake(True)
        return True

    def _step(self, as_of_s: int) -> list[Finding]:
        as_of_s = max(as_of_s, self.market.windows.second)
        found = [self._finding(cascade, as_of_s) for cascade in self.active if cascade.step(as_of_s)]
        over = [cascade for cascade in self.active if cascade.is_over]
        if over:
            self.active = [cascade for cascade in self.active if not cascade.is_over]
            self.market.windows.disarm(max(cascade.last_on_s for cascade in over))
            self.market.windows.stay_awake(bool(self.active))
        return found

    def _finding(self, cascade: Cascade, as_of_s: int) -> Finding:
        market = self.market
        started_ms = cascade.started_s * 1000
        ts_ms = max(market.windows.newest_ms, as_of_s * 1000)
        price = market.path.at(ts_ms)
        ratio = cascade.usd / market.tier.cascade_usd
        figures = market.figures.as_of(ts_ms)
        return Finding(
            kind=AlertKind.STOP_HUNT,
            symbol=market.symbol,
            direction=_direction(cascade),
            episode=f"{AlertKind.STOP_HUNT}:{market.symbol}:{cascade.side}:{started_ms}",
            burst=market.burst(started_ms, ts_ms),
            started_ms=started_ms,
            ts_event_ms=ts_ms,
            usd=cascade.usd,
            ratio=ratio,
            window_s=max(market.config.cascade_window_s, cascade.last_on_s - cascade.started_s + 1),
            price=price,
            confidence=confidence(ratio, cascade.share),
            side=cascade.side,
            phase=cascade.phase,
            levels=cascade.levels(price, figures),
            percentile=cascade.percentile(),
            is_final=cascade.is_over,
            evidence=_evidence(cascade, figures.atr_usd),
        )


def _direction(cascade: Cascade) -> Direction:
    """Of the trade: none before the reclaim, then against the push."""
    if cascade.phase is not Phase.RECLAIM:
        return Direction.NEUTRAL
    return Direction.LONG if cascade.is_long else Direction.SHORT


def _evidence(cascade: Cascade, atr_usd: float | None) -> tuple[tuple[str, float], ...]:
    """The numbers behind it; what is not known is left out."""
    market, sums = cascade.market, cascade.sums
    stated = market.windows.extremes_since(cascade.started_s)
    has_prices = stated.high > 0.0
    absorbed, before = cascade.absorbed_usd, cascade.before
    known: list[tuple[str, float | None]] = [
        ("long_usd", sums.long_usd),
        ("short_usd", sums.short_usd),
        ("side_share_frac", cascade.share),
        ("events", float(sums.longs + sums.shorts)),
        ("largest_usd", stated.largest),
        # As venues state them, often bankruptcy prices: shown where no traded price is known, never compared.
        ("venue_low_usd", stated.low if has_prices else None),
        ("venue_high_usd", stated.high if has_prices else None),
        ("threshold_usd", market.tier.cascade_usd),
        ("rate_10s_usd", cascade.rate_usd),
        ("peak_10s_usd", cascade.peak_10s_usd),
        ("range_low", None if before is None else before.low),
        ("range_high", None if before is None else before.high),
        ("sweep_extreme", cascade.extreme),
        ("absorbed_usd", absorbed),
        ("absorption_ratio", None if absorbed is None else absorbed / market.tier.absorption_usd),
        ("atr_usd", atr_usd),
    ]
    return tuple((name, value) for name, value in known if value is not None)
