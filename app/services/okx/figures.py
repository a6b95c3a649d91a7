"""Raw OKX figures for `/market/{symbol}`: one function per group, facts to named readings. Pure.

Funding here is shown per period, as OKX quotes it, beside the eight-hour figure the engine uses.
"""

from __future__ import annotations

from app.core.domain.market import MarketReading, Unit
from app.services.okx.parse import FundingNow, OpenInterestNow, Rows, TickerFacts, reject

# A hundredfold: more than any listed perpetual did in a day, less than a price in the wrong unit.
MAX_CHANGE_24H_FRAC = 100.0

Readings = tuple[MarketReading, ...]


def ticker_figures(facts: TickerFacts) -> Readings:
    """Last trade, best quotes, change and volume of 24 h; what OKX left empty is left out.

    Raises: `ProviderBadPayload` for a change no market makes in a day.
    """
    if facts.change_24h_frac is not None and not facts.change_24h_frac <= MAX_CHANGE_24H_FRAC:
        reject("market_ticker", "the change of 24 h is not plausible")
    figures = (
        ("lastUsd", facts.price.price_usd, Unit.USD),
        ("bidUsd", facts.bid_usd, Unit.USD),
        ("askUsd", facts.ask_usd, Unit.USD),
        ("priceChange24hFrac", facts.change_24h_frac, Unit.FRAC),
        ("volume24hBase", facts.volume_24h_base, Unit.BASE),
    )
    return tuple(MarketReading(name, value, unit) for name, value, unit in figures if value is not None)


def mark_figures(fact: tuple[float, int]) -> Readings:
    return (MarketReading("markPriceUsd", fact[0], Unit.USD),)


def open_interest_figures(fact: OpenInterestNow) -> Readings:
    base = MarketReading("openInterestBase", fact.base, Unit.BASE)
    return (base,) if fact.usd is None else (base, MarketReading("openInterestUsd", fact.usd, Unit.USD))


def funding_figures(fact: FundingNow) -> Readings:
    return (
        MarketReading("fundingRatePerPeriod", fact.rate_frac, "frac_per_period"),
        MarketReading("fundingRate8h", fact.rate_8h_frac, Unit.FRAC_PER_8H),
        MarketReading("fundingPeriodH", fact.period_h, "h"),
        MarketReading("nextFundingTimeMs", fact.settles_ms, "ms"),
    )


def ratio_figures(accounts: float, top_accounts: float, top_positions: float) -> Readings:
    """Long shares, 0..1: of all accounts, and of the top 5 % of traders by accounts and by positions."""
    shares = (
        ("accountsLongFrac", accounts),
        ("topAccountsLongFrac", top_accounts),
        ("topPositionsLongFrac", top_positions),
    )
    return tuple(MarketReading(name, share, Unit.FRAC) for name, share in shares)


def range_figures(days: Rows) -> Readings:
    """High and low of closed days, and where the last close lies between them: 0 at the low, 1 at the high.

    Worked number: low 80, high 120, last close 110 -> 0.75. A price that never moved has no position.
    `days` says how many there are: a young coin has fewer than 90.
    """
    high_usd = max(row[1] for row in days.values())
    low_usd = min(row[2] for row in days.values())
    close_usd = days[max(days)][3]
    extremes = (
        MarketReading("high90dUsd", high_usd, Unit.USD),
        MarketReading("low90dUsd", low_usd, Unit.USD),
    )
    count = MarketReading("days", float(len(days)), "count")
    if high_usd == low_usd:
        return (*extremes, count)
    position = (close_usd - low_usd) / (high_usd - low_usd)
    return (*extremes, MarketReading("positionInRangeFrac", position, Unit.FRAC), count)


def taker_figures(row: tuple[float, ...]) -> Readings:
    """`row` is (buy, sell) USD of the last closed hour; side is the side of the taker."""
    buy, sell = row
    return (
        MarketReading("takerBuyVolumeUsd", buy, Unit.USD),
        MarketReading("takerSellVolumeUsd", sell, Unit.USD),
    )
