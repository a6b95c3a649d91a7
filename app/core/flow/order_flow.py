"""What taker volume says: accumulation, distribution, whales, sudden volume. All from 300 s of trades.

A side of the flow is the TAKER's: buyers who cross the spread push price up, so a buy share speaks for LONG.
A condition that holds ends only a little below its threshold, so that a share of 0.651, 0.649, 0.652 is one
episode and not two. Called by `core.flow.engine` for every trade.
"""

from __future__ import annotations

from typing import Final

from app.core.domain.flow import AlertKind, Finding
from app.core.domain.signal import Direction
from app.core.flow.market import CoinMarket
from app.core.flow.stretch import Reading, Stretch
from app.core.flow.trade_windows import TradeTotals

SPIKE_S: Final = 60
# How far below its threshold a condition may fall before it is over.
SHARE_MARGIN: Final = 0.05
SPIKE_MARGIN: Final = 0.8

_LONG_KINDS: Final = (AlertKind.ACCUMULATION, AlertKind.WHALE_ACCUMULATION)
_SHORT_KINDS: Final = (AlertKind.DISTRIBUTION, AlertKind.WHALE_DISTRIBUTION)


class OrderFlow:
    """The trade detectors of one coin. `look` after every trade and as time passes, `standing` to say so."""

    __slots__ = ("_ended", "_market", "active")

    def __init__(self, market: CoinMarket) -> None:
        self._market = market
        self.active: dict[AlertKind, Stretch] = {}
        self._ended: list[Finding] = []

    def look(self, ts_ms: int) -> None:
        """Judge the windows as of this time; episodes begin, grow and end."""
        trades = self._market.trades
        if trades is None:
            return
        as_of_s = max(ts_ms // 1000, trades.second)
        totals = trades.last(self._market.config.flow_window_s, as_of_s)
        for kind in (*_LONG_KINDS, *_SHORT_KINDS):
            is_whale = kind in (AlertKind.WHALE_ACCUMULATION, AlertKind.WHALE_DISTRIBUTION)
            self._set(
                kind, ts_ms, self._one_sided(totals, kind in _LONG_KINDS, is_whale, kind in self.active)
            )
        self._set(AlertKind.VOLUME_SPIKE, ts_ms, self._spike(totals, as_of_s))

    def _set(self, kind: AlertKind, ts_ms: int, reading: Reading | None) -> None:
        stretch = self.active.get(kind)
        if reading is None:
            if stretch is not None:
                del self.active[kind]
                self._ended.append(self._say(stretch, is_final=True))
        elif stretch is None:
            self.active[kind] = Stretch(kind, self._market.symbol, ts_ms, reading)
        else:
            stretch.hold(ts_ms, reading)

    def _one_sided(
        self, totals: TradeTotals, is_buying: bool, is_whale: bool, is_held: bool
    ) -> Reading | None:
        """Order flow: 10 trades, 65 % on one side, 3 large ones. Whales: 20 trades, 60 %, 5 large ones."""
        config, usd = self._market.config, totals.usd
        least = config.whale_min_trades if is_whale else config.flow_min_trades
        if totals.trades < least or usd <= 0:
            return None
        own, large = (
            (totals.buy_usd, totals.large_buys) if is_buying else (totals.sell_usd, totals.large_sells)
        )
        wanted = config.whale_share if is_whale else config.flow_share
        least_large = config.whale_min_large if is_whale else config.flow_min_large
        if large < least_large or own / usd < wanted - (SHARE_MARGIN if is_held else 0.0):
            return None
        direction = Direction.LONG if is_buying else Direction.SHORT
        return self._reading(totals, own, own / usd, config.flow_window_s, direction)

    def _spike(self, totals: TradeTotals, as_of_s: int) -> Reading | None:
        """The last minute against the four before it: what spikes never dilutes what it is compared with.

        Worked number: 100, 120, 80, 100 thousand USD, then 300: mean 100, ratio 3.0, a spike.
        """
        market, trades = self._market, self._market.trades
        if trades is None or trades.first_ms is None:
            return None
        span_s = market.config.flow_window_s
        if trades.first_ms > (as_of_s - span_s) * 1000:
            return None  # four minutes before have not been seen whole
        last = trades.last(SPIKE_S, as_of_s)
        per_minute = (totals.usd - last.usd) / (span_s // SPIKE_S - 1)
        wanted = market.config.spike_ratio * (SPIKE_MARGIN if AlertKind.VOLUME_SPIKE in self.active else 1.0)
        if per_minute <= 0 or last.trades < market.config.flow_min_trades or last.usd < wanted * per_minute:
            return None
        share = max(last.buy_usd, last.sell_usd) / last.usd
        spike = (("ratio_to_mean", last.usd / per_minute), ("mean_minute_usd", per_minute))
        return self._reading(last, last.usd, share, SPIKE_S, Direction.NEUTRAL, spike)

    def _reading(
        self,
        totals: TradeTotals,
        usd: float,
        share: float,
        window_s: int,
        direction: Direction,
        more: tuple[tuple[str, float], ...] = (),
    ) -> Reading:
        evidence = (
            ("buy_usd", totals.buy_usd),
            ("sell_usd", totals.sell_usd),
            ("buy_share_frac", totals.buy_usd / totals.usd),
            ("trades", float(totals.trades)),
            ("large_buys", float(totals.large_buys)),
            ("large_sells", float(totals.large_sells)),
            ("large_usd", self._market.tier.large_usd),
            *more,
        )
        threshold = self._market.tier.cascade_usd
        return Reading(usd, share, threshold, window_s, direction, None, None, evidence)

    def standing(self) -> list[Finding]:
        """What ended since the last call, then what holds."""
        ended, self._ended = self._ended, []
        return [*ended, *(self._say(stretch, is_final=False) for stretch in self.active.values())]

    def drain_ended(self) -> list[Finding]:
        ended, self._ended = self._ended, []
        return ended

    def _say(self, stretch: Stretch, *, is_final: bool) -> Finding:
        market = self._market
        # Who trades in one direction at one time is one burst, however many detectors see it.
        burst = f"{market.symbol}:trades:{stretch.best.direction}"
        return stretch.finding(burst=burst, price=market.path.at(stretch.last_ms), is_final=is_final)
