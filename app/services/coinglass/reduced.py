"""The market of one coin on plans without the all-coins list: put together from lists by exchange. Pure.

What those lists do not say is None, never zero. Called by `views`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.core.domain.derivatives import (
    CoinMarket,
    LiquidatedUsd,
    Margin,
    PairMarket,
    VenueFunding,
    VenueOpenInterest,
)
from app.core.domain.market import Price, PriceKind


def coin_market(
    base: str,
    best: PairMarket,
    pairs: Sequence[PairMarket],
    interest: Sequence[VenueOpenInterest],
    funding: Sequence[VenueFunding],
) -> CoinMarket:
    """The reduced form. best: the pair whose price and 24 h change stand for the coin."""
    total = next((venue for venue in interest if venue.is_total), None)
    volume_usd = _sum(pairs, lambda pair: pair.volume_24h_usd)
    interest_usd = None if total is None else total.open_interest_usd
    sides = [pair.liquidations_24h for pair in pairs if pair.liquidations_24h is not None]
    change = best.price_change_24h_frac
    return CoinMarket(
        base=base,
        scope=f"all exchanges; price and change of {best.exchange} {best.instrument}",
        price=Price(best.price_usd, PriceKind.LAST_TRADE, best.exchange),
        is_reduced=True,
        market_cap_usd=None,
        open_interest_usd=interest_usd,
        open_interest_base=None if total is None else total.open_interest_base,
        open_interest_to_market_cap_frac=None,
        open_interest_to_volume_frac=interest_usd / volume_usd if interest_usd and volume_usd else None,
        funding_oi_weighted_8h_frac=weighted_funding(funding, interest),
        funding_volume_weighted_8h_frac=None,
        volume_24h_usd=volume_usd,
        price_change_frac={} if change is None else {"24h": change},
        open_interest_change_frac={} if total is None else total.change_frac,
        volume_change_frac={},
        taker_long_short_ratio={},
        liquidations={"24h": _both(sides)} if sides else {},
    )


def weighted_funding(funding: Iterable[VenueFunding], interest: Iterable[VenueOpenInterest]) -> float | None:
    """Funding per 8 h weighted by the open interest of each exchange; None without a common exchange.

    Each rate is first brought to 8 h: exchanges settle every 1, 4 or 8 h. Worked number: 0.0001 per 8 h with
    3 bn and 0.0001 per 4 h (0.0002 per 8 h) with 1 bn -> 0.000125.
    """
    sizes = {venue.exchange: venue.open_interest_usd for venue in interest if not venue.is_total}
    rows = [
        (venue.rate_8h_frac, sizes[venue.exchange])
        for venue in funding
        if venue.margin is Margin.STABLECOIN and sizes.get(venue.exchange, 0) > 0
    ]
    weight = sum(size for _, size in rows)
    return sum(rate * size for rate, size in rows) / weight if weight else None


def _sum(pairs: Sequence[PairMarket], of: Callable[[PairMarket], float | None]) -> float | None:
    values = [value for pair in pairs if (value := of(pair)) is not None]
    return sum(values) if values else None


def _both(sides: Sequence[LiquidatedUsd]) -> LiquidatedUsd:
    return LiquidatedUsd(sum(side.long_usd for side in sides), sum(side.short_usd for side in sides))
