"""Market facts: price, candles and the histories the factors rank against.

Every history is columnar (parallel tuples, oldest first, closed bars only) because the engine works on
whole columns. Bars are stamped by their CLOSE here: `close_ms[i]` is the first moment at which value `i`
was knowable, which is what makes look-ahead a one-line check.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# Provider clocks run ahead by minutes at times. A stamp further in the future than this is wrong, and so is
# whatever it stamps: no answer may be built on it.
MAX_AHEAD_MS = 10 * 60_000

INTERVAL_MS: dict[str, int] = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}
_UNIT_MS = {"m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def bar_length_ms(interval: str) -> int:
    """Length of a bar by its name, those of a venue's own rhythm too: `2h` -> 7,200,000."""
    return int(interval[:-1]) * _UNIT_MS[interval[-1]]


class PriceKind(StrEnum):
    """What a price is. Never interchangeable."""

    LAST_TRADE = "last_trade"  # last trade of the perpetual on one exchange
    AGGREGATED = "aggregated"  # CoinGlass current price across exchanges
    SPOT_RATE = "spot_rate"  # CoinAPI spot exchange rate
    LAST_CLOSE = "last_close"  # close of the last closed bar: all that a recording knows between bars


@dataclass(frozen=True, slots=True)
class Price:
    """`price_usd` > 0; `kind` says which price it is; `exchange` is None for aggregates."""

    price_usd: float
    kind: PriceKind
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class Candles:
    """Closed candles of one perpetual, oldest first; prices in USD (quote), volume in base coins.

    exchange: where the candles come from. volume_base may be None where the provider gives USD only.
    """

    exchange: str
    interval_ms: int
    close_ms: tuple[int, ...]
    open: tuple[float, ...]
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    volume_base: tuple[float, ...] | None = None


class Unit(StrEnum):
    """Unit of a `Series`. Fractions inside, never percent."""

    USD = "usd"
    BASE = "base"  # coins
    FRAC = "frac"  # 0.01 = 1 %
    FRAC_PER_8H = "frac_per_8h"  # funding, normalised to an eight-hour period; positive: longs pay shorts
    SCORE = "score_0_100"


@dataclass(frozen=True, slots=True)
class Series:
    """One closed-bar history, oldest first, strictly increasing in time, every value finite.

    label: what exactly was measured, in words for a trader ("OI-weighted, Binance,OKX,Bybit").
    """

    unit: Unit
    interval_ms: int
    close_ms: tuple[int, ...]
    values: tuple[float, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class LiquidationHistory:
    """USD liquidated per bar and side. A long liquidation is a forced SELL.

    long_usd / short_usd: USD of LONG / SHORT positions closed by force in the bar that ends at close_ms.
    scope: which exchanges are summed; now and history always come from the same scope.
    """

    interval_ms: int
    close_ms: tuple[int, ...]
    long_usd: tuple[float, ...]
    short_usd: tuple[float, ...]
    scope: str


@dataclass(frozen=True, slots=True)
class MarketReading:
    """One raw figure for `/market/{symbol}`: a value with its unit and a name a trader knows."""

    name: str
    value: float
    unit: str
