"""CoinGlass list answers -> facts of the derivatives market, prices and the account plan. Pure.

Percent becomes a fraction; numbers that are null or not finite are None (a list carries a thousand coins and
one odd coin must not hide the rest). Figures of coins listed per thousand are as quoted: the caller, who
knows the list of coins, gives the multiplier. Levels are in `parse_levels`, events in `parse_events`,
histories in `parse`; figures for `/market` are named in `figures`. Called by `standard`, `premium`, `views`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.derivatives import (
    CoinMarket,
    LiquidatedUsd,
    Margin,
    PairMarket,
    VenueFunding,
    VenueOpenInterest,
)
from app.core.domain.history import END_OF_TIME_MS
from app.core.domain.market import Price, PriceKind
from app.services.coinglass import wire
from app.services.coinglass.pairs import read_contract
from app.services.coinglass.parse import bad_payload, decode, to_epoch_ms

_COINS = msgspec.json.Decoder(wire.Envelope[list[wire.CoinMarketRow]], strict=False)
_PAIRS = msgspec.json.Decoder(wire.Envelope[list[wire.PairMarketRow]], strict=False)
_LIQUIDATIONS = msgspec.json.Decoder(wire.Envelope[list[wire.LiquidationExchangeRow]], strict=False)
_FUNDING = msgspec.json.Decoder(wire.Envelope[list[wire.FundingCoinRow]], strict=False)
_OPEN_INTEREST = msgspec.json.Decoder(wire.Envelope[list[wire.OpenInterestExchangeRow]], strict=False)
_SUBSCRIPTION = msgspec.json.Decoder(wire.Envelope[wire.Subscription], strict=False)

ALL_EXCHANGES = "All"
# Longest period between settlements in use; a larger number is another unit.
_MAX_PERIOD_H = 24.0
# 2001: anything before, such as 0, is no end of a plan.
_LEAST_END_MS = 1_000_000_000_000


def finite(value: float | None, scale: float = 1.0) -> float | None:
    """`value * scale`, None when it is absent or not finite."""
    if value is None or not math.isfinite(value * scale):
        return None
    return value * scale


def amount(value: float | None, scale: float = 1.0) -> float | None:
    """Like `finite`, and None below zero: sizes and sums have no sign."""
    found = finite(value, scale)
    return found if found is not None and found >= 0 else None


def price(value: float | None, multiplier: int = 1) -> float | None:
    """USD per single coin, None unless above zero (also after the division)."""
    found = finite(value, 1 / multiplier)
    return found if found is not None and found > 0 else None


def moment_ms(value: float | None) -> int | None:
    """A time by its magnitude, None when absent or not usable."""
    usable = value is not None and math.isfinite(value) and value > 0
    return to_epoch_ms(value, "a list") if usable and value is not None else None


@dataclass(frozen=True, slots=True)
class Account:
    """What CoinGlass says of a key. level: of its plan, in lower case. ends_ms: None when not said."""

    level: str
    is_expired: bool
    ends_ms: int | None

    @property
    def plan(self) -> str | None:
        """The level that holds now, None of a plan that has lapsed."""
        return None if self.is_expired else self.level


def parse_subscription(body: bytes, *, endpoint: str) -> Account | None:
    """The account; None when CoinGlass says nothing of it."""
    data = decode(_SUBSCRIPTION, body, endpoint)
    if data is None:
        return None
    return Account(data.level.lower(), data.expired, _plan_end_ms(data.expire_time))


def _plan_end_ms(value: object) -> int | None:
    """Epoch ms, None for anything else: the plan is known without it."""
    return value if isinstance(value, int) and _LEAST_END_MS < value < END_OF_TIME_MS else None


def parse_coins_markets(body: bytes, *, endpoint: str) -> Mapping[str, wire.CoinMarketRow]:
    """One page of all coins by name, as CoinGlass spells it; rows are read by `coin_market` and `figures`."""
    return {row.symbol: row for row in decode(_COINS, body, endpoint) or []}


def coin_market(row: wire.CoinMarketRow, base: str, multiplier: int) -> CoinMarket | None:
    """The coin over all exchanges; None without a price.

    Worked numbers: funding 0.0066 (percent) -> 0.000066; price change 1.06 (percent) -> 0.0106; an OI to
    market-cap ratio of 0.0327 is a fraction already and stays.
    """
    price_usd = price(row.current_price, multiplier)
    if price_usd is None:
        return None
    open_interest_usd, ratio = amount(row.open_interest_usd), amount(row.open_interest_volume_ratio)
    return CoinMarket(
        base=base,
        scope="all exchanges",
        price=Price(price_usd, PriceKind.AGGREGATED),
        is_reduced=False,
        market_cap_usd=amount(row.market_cap_usd),
        open_interest_usd=open_interest_usd,
        open_interest_base=amount(row.open_interest_quantity, multiplier),
        open_interest_to_market_cap_frac=amount(row.open_interest_market_cap_ratio),
        open_interest_to_volume_frac=ratio,
        funding_oi_weighted_8h_frac=finite(row.avg_funding_rate_by_oi, 0.01),
        funding_volume_weighted_8h_frac=finite(row.avg_funding_rate_by_vol, 0.01),
        # Not sent, but implied by what is: open interest over its ratio to the volume of 24 h.
        volume_24h_usd=finite(open_interest_usd / ratio) if open_interest_usd and ratio else None,
        price_change_frac=_windows(row, "price_change_percent", 0.01),
        open_interest_change_frac=_windows(row, "open_interest_change_percent", 0.01),
        volume_change_frac=_windows(row, "volume_change_percent", 0.01),
        taker_long_short_ratio=_windows(row, "long_short_ratio", 1.0),
        liquidations=_liquidation_windows(row),
    )


_WINDOWS = ("5m", "15m", "30m", "1h", "4h", "12h", "24h")


def _windows(row: msgspec.Struct, prefix: str, scale: float) -> dict[str, float]:
    found = {window: finite(getattr(row, f"{prefix}_{window}", None), scale) for window in _WINDOWS}
    return {window: value for window, value in found.items() if value is not None}


def _liquidation_windows(row: wire.CoinMarketRow) -> dict[str, LiquidatedUsd]:
    found: dict[str, LiquidatedUsd] = {}
    for window in wire.LIQUIDATION_WINDOWS:
        long_usd = amount(getattr(row, f"long_liquidation_usd_{window}"))
        short_usd = amount(getattr(row, f"short_liquidation_usd_{window}"))
        if long_usd is not None and short_usd is not None:
            found[window] = LiquidatedUsd(long_usd, short_usd)
    return found


def parse_pairs_markets(body: bytes, *, endpoint: str, coins: Collection[str] = ()) -> tuple[PairMarket, ...]:
    """Every pair of one coin, in the provider's order; pairs without a price are left out.

    coins: the base asset that was asked for, so that kPEPE is read as a thousand of it.
    """
    pairs = (_pair(row, coins) for row in decode(_PAIRS, body, endpoint) or [])
    return tuple(pair for pair in pairs if pair is not None)


def _pair(row: wire.PairMarketRow, coins: Collection[str]) -> PairMarket | None:
    name, _, quote = row.symbol.partition("/")
    _, multiplier = read_contract(name, coins, row.instrument_id or "")
    price_usd = price(row.current_price, multiplier)
    if price_usd is None:
        return None
    long_usd, short_usd = amount(row.long_liquidation_usd_24h), amount(row.short_liquidation_usd_24h)
    is_split = long_usd is not None and short_usd is not None
    return PairMarket(
        exchange=row.exchange_name,
        instrument=row.instrument_id or row.symbol,
        quote=quote,
        price_usd=price_usd,
        index_price_usd=price(row.index_price, multiplier),
        price_change_24h_frac=finite(row.price_change_percent_24h, 0.01),
        volume_24h_usd=amount(row.volume_usd),
        taker_buy_24h_usd=amount(row.long_volume_usd),
        taker_sell_24h_usd=amount(row.short_volume_usd),
        open_interest_usd=amount(row.open_interest_usd),
        open_interest_base=amount(row.open_interest_quantity, multiplier),
        open_interest_change_24h_frac=finite(row.open_interest_change_percent_24h, 0.01),
        liquidations_24h=LiquidatedUsd(long_usd or 0.0, short_usd or 0.0) if is_split else None,
        funding_frac=finite(row.funding_rate, 0.01),
        next_funding_ms=moment_ms(row.next_funding_time),
    )


@dataclass(frozen=True, slots=True)
class VenueTotals:
    """USD liquidated in one window: on the whole market (the row `All`) and by exchange, largest first."""

    total: LiquidatedUsd | None
    by_exchange: Mapping[str, LiquidatedUsd]


def parse_liquidation_exchange_list(body: bytes, *, endpoint: str) -> VenueTotals:
    """The whole market's total is the row `All`, never a sum; both spellings of the side keys are read.

    Raises:
        ProviderBadPayload: rows without `All`, or `All` without its two sides in either spelling.
    """
    rows = {row.exchange: _sides(row) for row in decode(_LIQUIDATIONS, body, endpoint) or []}
    if not rows:
        return VenueTotals(None, {})
    if ALL_EXCHANGES not in rows:
        raise bad_payload(endpoint, "no row for all exchanges")
    total = rows.pop(ALL_EXCHANGES)
    if total is None:
        raise bad_payload(endpoint, "long or short liquidations are missing or negative")
    known = {exchange: sides for exchange, sides in rows.items() if sides is not None}
    return VenueTotals(total, dict(sorted(known.items(), key=lambda item: -item[1].total_usd)))


def _sides(row: wire.LiquidationExchangeRow) -> LiquidatedUsd | None:
    long_usd = amount(row.long_live_usd if row.long_liquidation_usd is None else row.long_liquidation_usd)
    short_usd = amount(row.short_live_usd if row.short_liquidation_usd is None else row.short_liquidation_usd)
    return None if long_usd is None or short_usd is None else LiquidatedUsd(long_usd, short_usd)


def parse_funding_exchange_list(body: bytes, *, endpoint: str) -> Mapping[str, tuple[VenueFunding, ...]]:
    """Funding per exchange by coin, stablecoin-margined contracts first.

    The wire is in PERCENT per the exchange's own period. Worked number: 0.005 every 4 h -> 0.00005 per 4 h.
    """
    return {
        row.symbol: (
            *_venues(row.stablecoin_margin_list, Margin.STABLECOIN),
            *_venues(row.token_margin_list, Margin.COIN),
        )
        for row in decode(_FUNDING, body, endpoint) or []
    }


def _venues(venues: list[wire.FundingVenue] | None, margin: Margin) -> list[VenueFunding]:
    found = []
    # Of an exchange that comes twice the last row counts, as everywhere.
    for venue in {venue.exchange: venue for venue in venues or []}.values():
        hours, rate = finite(venue.funding_rate_interval), finite(venue.funding_rate, 0.01)
        # Without its period a rate cannot be compared with anything, so it is not shown.
        if hours is not None and 0 < hours <= _MAX_PERIOD_H and rate is not None:
            next_ms = moment_ms(venue.next_funding_time)
            found.append(VenueFunding(venue.exchange, margin, rate, hours, next_ms))
    return found


def parse_open_interest_exchange_list(body: bytes, *, endpoint: str) -> tuple[VenueOpenInterest, ...]:
    """Open interest per exchange: the row `All` first (`is_total`, never a sum), then largest first.

    Rows without a size in USD are left out. Coins are as quoted.
    """
    rows = {row.exchange: row for row in decode(_OPEN_INTEREST, body, endpoint) or []}
    venues = [
        VenueOpenInterest(
            exchange=row.exchange,
            is_total=row.exchange == ALL_EXCHANGES,
            open_interest_usd=usd,
            open_interest_base=amount(row.open_interest_quantity),
            change_frac=_windows(row, "open_interest_change_percent", 0.01),
        )
        for row in rows.values()
        if (usd := amount(row.open_interest_usd)) is not None
    ]
    return tuple(sorted(venues, key=lambda venue: (not venue.is_total, -venue.open_interest_usd)))
