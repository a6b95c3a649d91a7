"""A market that stands still: what a provider shows whose own feed has died.

Wraps any `MarketSource` and hides everything after `frozen_ms`. Used by the freeze fault only.
"""

from __future__ import annotations

from app.sim.market import (
    CandleColumns,
    Coin,
    LiquidationColumns,
    LiquidationEvent,
    MarketSource,
    TradeEvent,
    ValueColumns,
)

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


class FrozenMarket:
    """`source` as it looked at `frozen_ms`; bars still forming then are left out: the source moves on."""

    def __init__(self, source: MarketSource, frozen_ms: int) -> None:
        self._source = source
        self._frozen_ms = frozen_ms
        self._funding: dict[tuple[str, str], tuple[float, int, int] | None] = {}

    def now_ms(self) -> int:
        return self._frozen_ms

    def coins(self) -> tuple[Coin, ...]:
        return self._source.coins()

    def exchanges(self) -> tuple[str, ...]:
        return self._source.exchanges()

    def last_price(self, base: str) -> tuple[float, int] | None:
        """Close of the last bar that had closed, minute bars first, hourly where there are none."""
        for interval_ms in (_MINUTE_MS, _HOUR_MS):
            for exchange in self._source.exchanges():
                start_ms = self._frozen_ms - 3 * interval_ms
                bars = self.candles(base, exchange, interval_ms, start_ms, self._frozen_ms)
                if bars.open_ms.size:
                    return float(bars.close[-1]), int(bars.open_ms[-1]) + interval_ms
        return None

    def _end(self, interval_ms: int, end_ms: int) -> int:
        # The last bar that had closed opened one interval before the freeze at the latest.
        return min(end_ms, self._frozen_ms - interval_ms + 1)

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        return self._source.candles(base, exchange, interval_ms, start_ms, self._end(interval_ms, end_ms))

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.open_interest(base, exchange, unit, interval_ms, start_ms, end_ms)

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        return self._source.funding_weighted(base, interval_ms, start_ms, self._end(interval_ms, end_ms))

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        return self._source.funding_settled(base, exchange, start_ms, min(end_ms, self._frozen_ms + 1))

    def funding_current(self, base: str, exchange: str) -> tuple[float, int, int] | None:
        key = (base, exchange)
        if key not in self._funding:
            self._funding[key] = self._source.funding_current(base, exchange)
        return self._funding[key]

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.liquidations(base, exchanges, interval_ms, start_ms, end_ms)

    def liquidation_events(
        self, start_ms: int, end_ms: int, base: str | None = None
    ) -> list[LiquidationEvent]:
        return self._source.liquidation_events(start_ms, min(end_ms, self._frozen_ms), base)

    def trade_events(self, base: str, start_ms: int, end_ms: int) -> list[TradeEvent]:
        return self._source.trade_events(base, start_ms, min(end_ms, self._frozen_ms))

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.account_long_share(base, exchange, interval_ms, start_ms, end_ms)

    def top_account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.top_account_long_share(base, exchange, interval_ms, start_ms, end_ms)

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.top_position_long_share(base, exchange, interval_ms, start_ms, end_ms)

    def taker_volume(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> tuple[ValueColumns, ValueColumns]:
        end_ms = self._end(interval_ms, end_ms)
        return self._source.taker_volume(base, exchange, interval_ms, start_ms, end_ms)

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        return self._source.galaxy_score(base, interval_ms, start_ms, self._end(interval_ms, end_ms))

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns:
        return self._source.fear_greed(start_ms, min(end_ms, self._frozen_ms + 1))
