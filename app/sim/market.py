"""What the simulator's servers ask of a market, synthetic or recorded.

The servers (CoinGlass, OKX, ...) translate these plain facts into each provider's wire format; the world and
the recorded folder implement `MarketSource`. Nothing here knows HTTP or a wire key.

All times are UTC epoch milliseconds; bars are stamped by OPEN time (as every provider does on the wire) and
`[start_ms, end_ms)` selects by open time. A bar whose end lies after `now_ms` is still forming: sources
return it last when asked for it (value so far), and servers decide whether the provider would show it.
A method returns an EMPTY column when the source has nothing: servers answer "no data", never a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coin:
    """One listed coin. contract_base: coins per OKX contract (ctVal).

    binance_multiplier: coins per Binance contract unit (1000 for 1000PEPEUSDT, else 1).
    funding_interval_h: hours between settlements. tick: price step in USD. absent_from: exchanges that do not
    list it.
    """

    base: str
    name: str
    rank: int
    contract_base: float
    binance_multiplier: int
    funding_interval_h: int
    tick: float
    circulating: float
    absent_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CandleColumns:
    open_ms: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume_base: Floats
    is_closed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ValueColumns:
    """One value per bar (its close); OHLC servers derive open from the previous close."""

    open_ms: Int64s
    values: Floats
    is_closed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LiquidationColumns:
    open_ms: Int64s
    long_usd: Floats
    short_usd: Floats
    is_closed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LiquidationEvent:
    """One forced order. liquidated: "long" (a forced sell) or "short" (a forced buy)."""

    ts_ms: int
    exchange: str
    base: str
    liquidated: str
    price_usd: float
    usd: float


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """One trade; taker: "buy" or "sell"."""

    ts_ms: int
    exchange: str
    base: str
    price_usd: float
    usd: float
    taker: str


class MarketSource(Protocol):
    """A market at a moving `now_ms`. Never reveals anything that happens after `now_ms`."""

    def now_ms(self) -> int: ...

    def coins(self) -> tuple[Coin, ...]: ...

    def exchanges(self) -> tuple[str, ...]:
        """Exchange names as CoinGlass spells them: Binance, OKX, Bybit, Bitget, ..."""
        ...

    def last_price(self, base: str) -> tuple[float, int] | None:
        """(price in USD, time it was made), or None when unknown. Recorded: the last CLOSED close."""
        ...

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns: ...

    def open_interest(
        self, base: str, exchange: str, unit: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """unit "usd" or "base"; exchange "All" is the total across exchanges."""
        ...

    def funding_weighted(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        """OI-weighted funding of the whole market, FRACTION per 8 h."""
        ...

    def funding_settled(self, base: str, exchange: str, start_ms: int, end_ms: int) -> ValueColumns:
        """Settled rates of one exchange, FRACTION per funding period, stamped at settlement."""
        ...

    def funding_current(self, base: str, exchange: str) -> tuple[float, int, int] | None:
        """(rate of the running period as FRACTION, previous settlement ms, next settlement ms)."""
        ...

    def liquidations(
        self, base: str, exchanges: tuple[str, ...], interval_ms: int, start_ms: int, end_ms: int
    ) -> LiquidationColumns:
        """USD liquidated per bar, summed over the named exchanges (("All",) = whole market)."""
        ...

    def liquidation_events(
        self, start_ms: int, end_ms: int, base: str | None = None
    ) -> list[LiquidationEvent]:
        """Every forced order in [start, end) by time, of one coin or of all."""
        ...

    def trade_events(self, base: str, start_ms: int, end_ms: int) -> list[TradeEvent]: ...

    def account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns:
        """Share of accounts net long, FRACTION."""
        ...

    def top_account_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns: ...

    def top_position_long_share(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> ValueColumns: ...

    def taker_volume(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> tuple[ValueColumns, ValueColumns]:
        """(buy USD, sell USD) per bar."""
        ...

    def galaxy_score(self, base: str, interval_ms: int, start_ms: int, end_ms: int) -> ValueColumns:
        """LunarCrush galaxy score 0-100 per hour bucket."""
        ...

    def fear_greed(self, start_ms: int, end_ms: int) -> ValueColumns:
        """Daily index 0-100, stamped 00:00 UTC of its day (known from that moment)."""
        ...
