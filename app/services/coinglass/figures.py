"""Facts of the derivatives market as the named figures of `/market` and `/debug/premium`. Pure.

Camel case with the unit in the name; fractions. Figures of coins listed per thousand are as quoted until
`per_coin`. Called by `premium`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from app.core.domain.derivatives import (
    HeatmapCell,
    Margin,
    PositionSide,
    VenueFunding,
    VenueOpenInterest,
    WhaleAlert,
    WhalePosition,
)
from app.core.domain.market import MarketReading, Unit
from app.services.coinglass import wire
from app.services.coinglass.parse_market import VenueTotals, price

Figures = tuple[MarketReading, ...]

PRICE = "priceUsd"
# What is a price of the coin and so depends on how many coins it is quoted for.
_PRICES = frozenset({PRICE, "largestLevelPriceUsd", "longMaxPainPriceUsd", "shortMaxPainPriceUsd"})


def figure(name: str, value: float | None, unit: str, scale: float = 1.0) -> Figures:
    """One figure, or none when the value is absent or not finite."""
    if value is None or not math.isfinite(value * scale):
        return ()
    return (MarketReading(name, value * scale, unit),)


def per_coin(figures: Figures, multiplier: int) -> Figures:
    """Figures quoted per `multiplier` coins, per single coin: prices are divided, coins multiplied.

    Worked number: 1000BONK at 0.02 USD with an open interest of 5 -> 0.00002 USD and 5,000 BONK.
    """
    if multiplier == 1:
        return figures
    return tuple(
        scaled
        for item in figures
        for scaled in figure(item.name, item.value, item.unit, _scale(item, multiplier))
    )


def _scale(item: MarketReading, multiplier: int) -> float:
    if item.name in _PRICES:
        return 1 / multiplier
    return float(multiplier) if item.unit == Unit.BASE else 1.0


def coin_figures(row: wire.CoinMarketRow) -> Figures:
    """The all-coins row of one coin, as quoted."""
    return (
        *figure(PRICE, price(row.current_price), "usd"),
        *figure("priceChange24hFrac", row.price_change_percent_24h, "frac", 0.01),
        *figure("marketCapUsd", row.market_cap_usd, "usd"),
        *figure("openInterestUsd", row.open_interest_usd, "usd"),
        *figure("openInterestBase", row.open_interest_quantity, "base"),
        *figure("openInterestChange24hFrac", row.open_interest_change_percent_24h, "frac", 0.01),
        # Already a fraction on the wire, unlike its neighbours.
        *figure("openInterestToMarketCapFrac", row.open_interest_market_cap_ratio, "frac"),
        *figure("fundingRate8h", row.avg_funding_rate_by_oi, "frac_per_8h", 0.01),
        *figure("longLiquidations24hUsd", row.long_liquidation_usd_24h, "usd"),
        *figure("shortLiquidations24hUsd", row.short_liquidation_usd_24h, "usd"),
    )


def liquidation_figures(totals: VenueTotals) -> Figures:
    """Both sides of the whole market in 24 h."""
    if totals.total is None:
        return ()
    return (
        *figure("longLiquidations24hUsd", totals.total.long_usd, "usd"),
        *figure("shortLiquidations24hUsd", totals.total.short_usd, "usd"),
    )


def funding_figures(venues: Iterable[VenueFunding]) -> Figures:
    """Funding of every exchange: as charged (`frac_per_4h` for a four-hour period) and per 8 h."""
    figures: list[MarketReading] = []
    for venue in venues:
        what = "fundingRate" if venue.margin is Margin.STABLECOIN else "coinMarginedFundingRate"
        name = f"{venue.exchange}.{what}"
        if venue.interval_h != 8:
            hours = f"{venue.interval_h:g}h"
            figures += figure(f"{name}{hours}", venue.rate_frac, f"frac_per_{hours}")
        figures += figure(f"{name}8h", venue.rate_8h_frac, "frac_per_8h")
    return tuple(figures)


def open_interest_figures(venues: Iterable[VenueOpenInterest]) -> Figures:
    """Open interest of every exchange; the total is named "allExchanges"."""
    figures: list[MarketReading] = []
    for venue in venues:
        name = "allExchanges" if venue.is_total else venue.exchange
        figures += figure(f"{name}.openInterestUsd", venue.open_interest_usd, "usd")
        figures += figure(f"{name}.openInterestBase", venue.open_interest_base, "base")
        figures += figure(f"{name}.openInterestChange24hFrac", venue.change_frac.get("24h"), "frac")
    return tuple(figures)


def level_figures(cells: Sequence[tuple[float, float]]) -> Figures:
    """The largest of the (price, USD) levels, their sum and their number."""
    if not cells:
        return ()
    price_usd, size_usd = max(cells, key=lambda cell: cell[1])
    return (
        *figure("largestLevelPriceUsd", price_usd, "usd"),
        *figure("largestLevelSizeUsd", size_usd, "usd"),
        *figure("allLevelsSizeUsd", sum(size for _, size in cells), "usd"),
        *figure("levels", float(len(cells)), "count"),
    )


def heatmap_figures(cells: Sequence[HeatmapCell]) -> Figures:
    """As `level_figures`, cell by cell."""
    return level_figures([(cell.price_usd, cell.size_usd) for cell in cells])


def whale_figures(rows: Sequence[WhaleAlert | WhalePosition]) -> Figures:
    """Number and USD of whale longs and shorts of one coin; none when there is no row."""
    if not rows:
        return ()
    figures: list[MarketReading] = []
    for side, name in ((PositionSide.LONG, "long"), (PositionSide.SHORT, "short")):
        sizes = [row.size_usd for row in rows if row.side is side]
        figures += figure(f"{name}Positions", float(len(sizes)), "count")
        figures += figure(f"{name}PositionsUsd", sum(sizes), "usd")
    return tuple(figures)
