"""Facts of the derivatives market beyond the engine's inputs: per exchange, per position, per price level.

Owns the shapes that the typed routes show; adapters build them, nobody computes scores from them. Fractions
inside, never percent; USD or coins in the name; None is "not said", never zero. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.market import Price, Unit


class PositionSide(StrEnum):
    """Side of a position. A liquidated LONG is a forced sell, a liquidated SHORT a forced buy."""

    LONG = "LONG"
    SHORT = "SHORT"


class Margin(StrEnum):
    """What a contract is margined in."""

    STABLECOIN = "stablecoin"
    COIN = "coin"


class WhaleAction(StrEnum):
    """What a whale just did with its position."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LiquidatedUsd:
    """USD of LONG and of SHORT positions closed by force; both >= 0."""

    long_usd: float
    short_usd: float

    @property
    def total_usd(self) -> float:
        return self.long_usd + self.short_usd


# Window such as "1h" -> value. A window that was not answered is absent.
ByWindow = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CoinMarket:
    """One coin over all exchanges of the source, or over one where `scope` says so.

    scope: which exchanges the figures cover, in words. *_change_frac: by window, fractions (0.01 = 1 %).
    funding_*: fractions per 8 h, positive: longs pay shorts. taker_long_short_ratio: taker buys divided by
    taker sells by window. is_reduced: the source knows only a part; the rest is None or absent.
    """

    base: str
    scope: str
    price: Price
    is_reduced: bool
    market_cap_usd: float | None
    open_interest_usd: float | None
    open_interest_base: float | None
    open_interest_to_market_cap_frac: float | None
    open_interest_to_volume_frac: float | None
    funding_oi_weighted_8h_frac: float | None
    funding_volume_weighted_8h_frac: float | None
    volume_24h_usd: float | None
    price_change_frac: ByWindow
    open_interest_change_frac: ByWindow
    volume_change_frac: ByWindow
    taker_long_short_ratio: ByWindow
    liquidations: Mapping[str, LiquidatedUsd]


@dataclass(frozen=True, slots=True)
class PairMarket:
    """One perpetual on one exchange. Prices are per single coin, whatever the contract is quoted for.

    funding_frac: fraction per the exchange's own period (positive: longs pay shorts); its length is in
    `VenueFunding`. taker_buy_usd / taker_sell_usd, liquidations, volume: last 24 h.
    """

    exchange: str
    instrument: str
    quote: str
    price_usd: float
    index_price_usd: float | None
    price_change_24h_frac: float | None
    volume_24h_usd: float | None
    taker_buy_24h_usd: float | None
    taker_sell_24h_usd: float | None
    open_interest_usd: float | None
    open_interest_base: float | None
    open_interest_change_24h_frac: float | None
    liquidations_24h: LiquidatedUsd | None
    funding_frac: float | None
    next_funding_ms: int | None


@dataclass(frozen=True, slots=True)
class LiquidationTotals:
    """USD liquidated by window, counted back from the time of the reading.

    scope: which exchanges are summed, in words. by_exchange: the widest window split by exchange, largest
    first; empty where the source does not say.
    """

    scope: str
    by_window: Mapping[str, LiquidatedUsd]
    by_exchange: Mapping[str, LiquidatedUsd]


@dataclass(frozen=True, slots=True)
class LiquidationOrder:
    """One forced order that happened. price_usd is per single coin (a bankruptcy price, not a trade)."""

    exchange: str
    instrument: str
    liquidated_side: PositionSide
    price_usd: float
    size_usd: float
    ts_event_ms: int


@dataclass(frozen=True, slots=True)
class LiquidationOrders:
    """Newest forced orders, newest first. min_usd: smaller ones are left out by the source, None: none are.

    is_cut: the source has older ones that it did not send.
    """

    orders: tuple[LiquidationOrder, ...]
    min_usd: float | None
    is_cut: bool


@dataclass(frozen=True, slots=True)
class LiquidationLevel:
    """An ESTIMATED price at which positions would be closed by force: below the price longs, above shorts."""

    price_usd: float
    size_usd: float
    liquidated_side: PositionSide


@dataclass(frozen=True, slots=True)
class LiquidationLevels:
    """Estimated levels around `price_usd`, lowest first. model: whose estimate, in words."""

    model: str
    price_usd: float
    levels: tuple[LiquidationLevel, ...]


@dataclass(frozen=True, slots=True)
class HeatmapCell:
    """Liquidation volume at one price and time, USD.

    liquidated_side: whose positions were closed, of volume that happened; None for an estimate, where the
    price says it (below it longs, above it shorts).
    """

    ts_event_ms: int
    price_usd: float
    size_usd: float
    liquidated_side: PositionSide | None = None


@dataclass(frozen=True, slots=True)
class LiquidationHeatmap:
    """Liquidation volume over time and price, in the source's order.

    model: whose figures, in words. is_estimate: of future liquidations; False: they happened.
    """

    model: str
    price_usd: float | None
    cells: tuple[HeatmapCell, ...]
    is_estimate: bool = True


@dataclass(frozen=True, slots=True)
class VenueFunding:
    """Funding of one exchange. rate_frac: per its own period of `interval_h` hours, positive: longs pay.

    Worked numbers: 0.0001 every 4 h -> 0.0002 per 8 h -> 0.219 a year (2190 periods of 4 h).
    """

    exchange: str
    margin: Margin
    rate_frac: float
    interval_h: float
    next_funding_ms: int | None

    @property
    def rate_8h_frac(self) -> float:
        return self.rate_frac * 8 / self.interval_h

    @property
    def annualised_frac(self) -> float:
        """Simple, not compounded: the rate times the periods of 365 days."""
        return self.rate_frac * 24 * 365 / self.interval_h


@dataclass(frozen=True, slots=True)
class OpenInterestHistory:
    """Open interest bars, oldest first, closed only, stamped by their close.

    unit: USD or BASE. open/high/low are None where the source gives one value per bar.
    """

    unit: Unit
    interval_ms: int
    close_ms: tuple[int, ...]
    open: tuple[float, ...] | None
    high: tuple[float, ...] | None
    low: tuple[float, ...] | None
    close: tuple[float, ...]
    label: str


@dataclass(frozen=True, slots=True)
class VenueOpenInterest:
    """Open interest of one exchange, or of all together (`is_total`, never summed with the others)."""

    exchange: str
    is_total: bool
    open_interest_usd: float
    open_interest_base: float | None
    change_frac: ByWindow


@dataclass(frozen=True, slots=True)
class WhaleAlert:
    """A position above 1 M USD that was just opened or closed. size_base > 0; the side is `side`."""

    wallet: str
    base: str
    side: PositionSide
    action: WhaleAction
    size_base: float
    size_usd: float
    entry_price_usd: float
    liquidation_price_usd: float | None
    ts_event_ms: int


@dataclass(frozen=True, slots=True)
class WhalePosition:
    """An open position above 1 M USD. size_base > 0; pnl and funding are signed, from the wallet's view."""

    wallet: str
    base: str
    side: PositionSide
    size_base: float
    size_usd: float
    entry_price_usd: float
    mark_price_usd: float | None
    liquidation_price_usd: float | None
    leverage: float | None
    margin_usd: float | None
    unrealized_pnl_usd: float | None
    funding_usd: float | None
    opened_ms: int | None
    updated_ms: int


@dataclass(frozen=True, slots=True)
class ExchangeListing:
    """The perpetuals one exchange lists, as (instrument, base asset, quote asset)."""

    exchange: str
    instruments: tuple[tuple[str, str, str], ...]
