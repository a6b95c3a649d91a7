"""CoinGlass list answers -> named figures, prices and the account plan. Pure: bytes in, frozen values out.

Figures are `MarketReading`s: percent becomes a fraction, numbers that are null or not finite are left out
(a list carries a thousand coins and one odd coin must not hide the rest); the reader of one coin raises when
what it needs is absent. Called by `standard` and `premium`; histories are in `parse`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.market import MarketReading
from app.core.domain.symbol import strip_multiplier
from app.services.coinglass import wire
from app.services.coinglass.pairs import contract_multiplier
from app.services.coinglass.parse import bad_payload, decode

Figures = tuple[MarketReading, ...]

_COINS = msgspec.json.Decoder(wire.Envelope[list[wire.CoinMarketRow]], strict=False)
_PAIRS = msgspec.json.Decoder(wire.Envelope[list[wire.PairMarketRow]], strict=False)
_LIQUIDATIONS = msgspec.json.Decoder(wire.Envelope[list[wire.LiquidationExchangeRow]], strict=False)
_FUNDING = msgspec.json.Decoder(wire.Envelope[list[wire.FundingCoinRow]], strict=False)
_OPEN_INTEREST = msgspec.json.Decoder(wire.Envelope[list[wire.OpenInterestExchangeRow]], strict=False)
_HEATMAP = msgspec.json.Decoder(wire.Envelope[wire.Heatmap], strict=False)
_MAP = msgspec.json.Decoder(wire.Envelope[wire.LiquidationMap], strict=False)
_MAX_PAIN = msgspec.json.Decoder(wire.Envelope[list[wire.MaxPainRow]], strict=False)
_WHALES = msgspec.json.Decoder(wire.Envelope[list[wire.WhaleRow]], strict=False)
_SUBSCRIPTION = msgspec.json.Decoder(wire.Envelope[wire.Subscription], strict=False)

ALL_EXCHANGES = "All"
PRICE = "price"


@dataclass(frozen=True, slots=True)
class PairQuote:
    """Last trade of one pair: USD per coin, already divided by the pair's multiplier."""

    exchange: str
    quote: str
    price_usd: float


def _figure(name: str, value: float | None, unit: str, scale: float = 1.0) -> Figures:
    if value is None or not math.isfinite(value * scale):
        return ()
    return (MarketReading(name, value * scale, unit),)


def parse_subscription(body: bytes, *, endpoint: str) -> str | None:
    """The plan level in lower case; None when the plan has lapsed or is not said."""
    data = decode(_SUBSCRIPTION, body, endpoint)
    return data.level.lower() if data is not None and not data.expired else None


def parse_coins_markets(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """One page of all coins: figures by coin as CoinGlass spells it, `price` in USD among them."""
    rows = decode(_COINS, body, endpoint) or []
    return {row.symbol: _coin_figures(row) for row in rows}


def _coin_figures(row: wire.CoinMarketRow) -> Figures:
    price = row.current_price
    return (
        *_figure(PRICE, price if price is not None and price > 0 else None, "usd"),
        *_figure("price change 24h", row.price_change_percent_24h, "frac", 0.01),
        *_figure("market cap", row.market_cap_usd, "usd"),
        *_figure("open interest", row.open_interest_usd, "usd"),
        *_figure("open interest", row.open_interest_quantity, "base"),
        *_figure("open interest change 24h", row.open_interest_change_percent_24h, "frac", 0.01),
        # Already a fraction on the wire, unlike its neighbours.
        *_figure("open interest to market cap", row.open_interest_market_cap_ratio, "frac"),
        *_figure("funding, OI-weighted", row.avg_funding_rate_by_oi, "frac_per_8h", 0.01),
        *_figure("long liquidations 24h", row.long_liquidation_usd_24h, "usd"),
        *_figure("short liquidations 24h", row.short_liquidation_usd_24h, "usd"),
    )


def parse_pairs_markets(body: bytes, *, endpoint: str) -> tuple[PairQuote, ...]:
    """Last price of every pair of one coin, in the provider's order; pairs without a price are left out."""
    quotes = []
    for row in decode(_PAIRS, body, endpoint) or []:
        base, _, quote = row.symbol.partition("/")
        multiplier = contract_multiplier(row.instrument_id or base, strip_multiplier(base))
        price = row.current_price
        if price is not None and math.isfinite(price) and price / multiplier > 0:
            quotes.append(PairQuote(row.exchange_name, quote, price / multiplier))
    return tuple(quotes)


def parse_liquidation_exchange_list(body: bytes, *, endpoint: str) -> Figures:
    """USD of LONG and SHORT positions liquidated on the whole market: the row `All`, never a sum.

    Raises:
        ProviderBadPayload: rows without `All`, or `All` without its two sides in either spelling.
    """
    rows = decode(_LIQUIDATIONS, body, endpoint) or []
    if not rows:
        return ()
    total = next((row for row in rows if row.exchange == ALL_EXCHANGES), None)
    if total is None:
        raise bad_payload(endpoint, "no row for all exchanges")
    long_usd = total.long_live_usd if total.long_liquidation_usd is None else total.long_liquidation_usd
    short_usd = total.short_live_usd if total.short_liquidation_usd is None else total.short_liquidation_usd
    sides = (*_figure("long liquidations", long_usd, "usd"), *_figure("short liquidations", short_usd, "usd"))
    if len(sides) != 2 or min(side.value for side in sides) < 0:
        raise bad_payload(endpoint, "long or short liquidations are missing or negative")
    return sides


def parse_funding_exchange_list(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """Funding per exchange and coin: as charged (`frac_per_4h` for a four-hour period) and per 8 h.

    The wire is in PERCENT per the exchange's own period. Worked number: 0.005 every 4 h -> 0.00005 per 4 h
    and 0.0001 per 8 h.
    """
    return {
        row.symbol: (
            *_venues(row.stablecoin_margin_list, ""),
            *_venues(row.token_margin_list, " coin-margined"),
        )
        for row in decode(_FUNDING, body, endpoint) or []
    }


def _venues(venues: list[wire.FundingVenue] | None, suffix: str) -> Figures:
    figures: list[MarketReading] = []
    for venue in venues or []:
        hours = venue.funding_rate_interval
        # Without its period a rate cannot be compared with anything, so it is not shown.
        if hours is None or not math.isfinite(hours) or hours <= 0:
            continue
        name = f"{venue.exchange}{suffix}"
        if hours != 8:
            figures += _figure(name, venue.funding_rate, f"frac_per_{hours:g}h", 0.01)
        figures += _figure(name, venue.funding_rate, "frac_per_8h", 0.01 * 8 / hours)
    return tuple(figures)


def parse_open_interest_exchange_list(body: bytes, *, endpoint: str) -> Figures:
    """Open interest per exchange in USD and coins; the row `All` is named "All exchanges", not summed."""
    figures: list[MarketReading] = []
    for row in decode(_OPEN_INTEREST, body, endpoint) or []:
        name = "All exchanges" if row.exchange == ALL_EXCHANGES else row.exchange
        figures += _figure(name, row.open_interest_usd, "usd")
        figures += _figure(name, row.open_interest_quantity, "base")
        figures += _figure(f"{name} change 24h", row.open_interest_change_percent_24h, "frac", 0.01)
    return tuple(figures)


def parse_heatmap(body: bytes, *, endpoint: str) -> Figures:
    """Largest cell of the heatmap and the total; triples that point outside the price axis are left out."""
    data = decode(_HEATMAP, body, endpoint)
    cells = []
    for triple in data.liquidation_leverage_data if data is not None else []:
        if len(triple) < 3 or not all(math.isfinite(item) for item in triple):
            raise bad_payload(endpoint, "a heatmap cell is not [time index, price index, USD]")
        index = int(triple[1])
        if data is not None and 0 <= index < len(data.y_axis):
            cells.append((data.y_axis[index], triple[2]))
    return _levels(cells)


def parse_liquidation_map(body: bytes, *, endpoint: str) -> Figures:
    """Largest level of the map and the total, in the documented shape and in the one seen live."""
    outer = decode(_MAP, body, endpoint)
    data = outer.data if outer is not None else None
    parts = [part.levels for part in data] if isinstance(data, list) else [data or {}]
    cells = []
    for entry in (entry for levels in parts for entries in levels.values() for entry in entries):
        if len(entry) < 2 or entry[0] is None or entry[1] is None:
            raise bad_payload(endpoint, "a map level is not [price, USD, ...]")
        cells.append((entry[0], entry[1]))
    return _levels(cells)


def _levels(cells: list[tuple[float, float]]) -> Figures:
    usable = [cell for cell in cells if all(math.isfinite(item) for item in cell)]
    if not usable:
        return ()
    price_usd, size_usd = max(usable, key=lambda cell: cell[1])
    return (
        *_figure("largest level price", price_usd, "usd"),
        *_figure("largest level size", size_usd, "usd"),
        *_figure("all levels size", sum(size for _, size in usable), "usd"),
        *_figure("levels", float(len(usable)), "count"),
    )


def parse_max_pain(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """Price and USD size of the long and short max-pain levels, by coin."""
    return {
        row.symbol: (
            *_figure(PRICE, row.price, "usd"),
            *_figure("long max pain price", row.long_max_pain_liq_price, "usd"),
            *_figure("long max pain size", row.long_max_pain_liq_level, "usd"),
            *_figure("short max pain price", row.short_max_pain_liq_price, "usd"),
            *_figure("short max pain size", row.short_max_pain_liq_level, "usd"),
        )
        for row in decode(_MAX_PAIN, body, endpoint) or []
    }


def parse_whales(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """Count and USD of whale longs and shorts by coin; a positive size is long, a negative one short.

    Raises:
        ProviderBadPayload: a position without a size or value (its side would be a guess).
    """
    sides: dict[str, dict[str, list[float]]] = {}
    for row in decode(_WHALES, body, endpoint) or []:
        if not (math.isfinite(row.position_size) and math.isfinite(row.position_value_usd)):
            raise bad_payload(endpoint, "a whale position is not finite")
        if row.position_size == 0:
            continue
        side = "long" if row.position_size > 0 else "short"
        sides.setdefault(row.symbol, {}).setdefault(side, []).append(abs(row.position_value_usd))
    return {
        symbol: tuple(
            reading
            for side in ("long", "short")
            for reading in (
                *_figure(f"{side} positions", float(len(by_side.get(side, ()))), "count"),
                *_figure(f"{side} positions", sum(by_side.get(side, ())), "usd"),
            )
        )
        for symbol, by_side in sides.items()
    }
