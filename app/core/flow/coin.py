"""One coin with all its detectors: what the engine keeps per symbol.

Owns which detector sees which event. Called by `core.flow.engine` only.
"""

from __future__ import annotations

from app.core.domain.flow import Finding, FlowSnapshot
from app.core.flow.bursts import ZScore
from app.core.flow.cascades import Cascades
from app.core.flow.market import CoinMarket
from app.core.flow.order_flow import OrderFlow
from app.core.flow.trade_windows import TRADE_WINDOWS_S, TradeWindows
from app.core.flow.windows import WINDOWS_S


class Coin:
    """add: puts a liquidation into the windows and says whether `analyse` has to be called."""

    __slots__ = ("add", "cascades", "flow", "market", "zscore")

    def __init__(self, market: CoinMarket) -> None:
        self.market = market
        self.add = market.windows.add
        self.cascades = Cascades(market)
        self.zscore = ZScore(market)
        self.flow = OrderFlow(market)

    def analyse(self) -> list[Finding]:
        """A liquidation was added that may matter; what changed phase by it."""
        if self.market.windows.is_minute_loud:
            self.zscore.look()
        return self.cascades.on_event()

    def trade(
        self, ts_ms: int, is_buy: bool, price: float, usd: float, exchange: str | None = None
    ) -> list[Finding]:
        """One trade into windows and price path."""
        market = self.market
        if market.trades is None:
            tier = market.tier
            market.trades = TradeWindows(large_usd=tier.large_usd, disorder_s=market.config.max_disorder_s)
        market.trades.add(ts_ms, is_buy, usd)
        found = self.price(ts_ms, price, exchange)
        self.flow.look(ts_ms)
        return found

    def price(self, ts_ms: int, price: float, exchange: str | None = None) -> list[Finding]:
        """One traded price."""
        counts = self.market.path.add(ts_ms, price, exchange)
        return self.cascades.on_price(ts_ms, price) if counts and self.cascades.active else []

    def pass_time(self, as_of_ms: int) -> list[Finding]:
        """Event time has come this far."""
        self.zscore.pass_time(as_of_ms // 1000)
        if self.flow.active:
            self.flow.look(as_of_ms)
        found = self.cascades.on_time(as_of_ms // 1000)
        return [*found, *self.zscore.drain_ended(), *self.flow.drain_ended()]

    def standing(self) -> list[Finding]:
        """What holds after the liquidations of a frame."""
        return [*self.cascades.standing(self.market.windows.second), *self.zscore.standing()]

    @property
    def is_busy(self) -> bool:
        """Whether time alone can change what is said of it."""
        return bool(self.cascades.active or self.flow.active or self.zscore.active)

    def break_off(self) -> None:
        """Events are missing from here on."""
        if self.market.trades is not None:
            self.market.trades.break_off()

    def snapshot(self, now_ms: int, *, source: str) -> FlowSnapshot:
        market, as_of_s = self.market, now_ms // 1000
        trades, cascades = market.trades, self.cascades.active
        largest = max(cascades, key=lambda cascade: cascade.usd, default=None)
        price = market.path.at(now_ms)
        return FlowSnapshot(
            symbol=market.symbol,
            tier=market.tier_number,
            as_of_ms=now_ms,
            newest_event_ms=market.newest_ms or None,
            covered_since_ms=market.coverage.since_ms or now_ms,
            source=source,
            price=price,
            price_ms=None if price is None else market.path.last_ms,
            large_usd=market.tier.large_usd,
            liquidations=tuple(market.windows.window(window_s, as_of_s) for window_s in WINDOWS_S),
            trades=() if trades is None else tuple(trades.window(s, as_of_s) for s in TRADE_WINDOWS_S),
            trades_covered_since_ms=None if trades is None else trades.first_ms,
            cascade=None if largest is None else largest.now(now_ms),
            price_exchange=None if price is None else market.path.exchange,
        )
