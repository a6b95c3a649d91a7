"""CoinGlass list answers -> named figures, prices and the account plan. Pure: bytes in, frozen values out.

Figures are `MarketReading`s, named in camel case with the unit in the name: percent becomes a fraction,
numbers that are null or not finite are left out (a list carries a thousand coins and one odd coin must not
hide the rest); the reader of one coin raises when what it needs is absent. Figures of coins listed per
thousand are as quoted until `per_coin`. Called by `standard` and `premium`; histories are in `parse`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.market import MarketReading, Unit
from app.services.coinglass import wire
from app.services.coinglass.pairs import read_contract
from app.services.coinglass.parse import bad_payload, decode, require_at_most

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
PRICE = "priceUsd"
# What is a price of the coin and so depends on how many coins it is quoted for.
_PRICES = frozenset({PRICE, "largestLevelPriceUsd", "longMaxPainPriceUsd", "shortMaxPainPriceUsd"})
# Cells of a heatmap or map: a few tens of thousands are usual.
_MAX_CELLS = 200_000


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


def per_coin(figures: Figures, multiplier: int) -> Figures:
    """Figures quoted per `multiplier` coins, per single coin: prices are divided, coins multiplied.

    Worked number: 1000BONK at 0.02 USD with an open interest of 5 -> 0.00002 USD and 5,000 BONK.
    """
    if multiplier == 1:
        return figures
    return tuple(
        scaled
        for item in figures
        for scaled in _figure(item.name, item.value, item.unit, _scale(item, multiplier))
    )


def _scale(figure: MarketReading, multiplier: int) -> float:
    if figure.name in _PRICES:
        return 1 / multiplier
    return float(multiplier) if figure.unit == Unit.BASE else 1.0


def parse_subscription(body: bytes, *, endpoint: str) -> str | None:
    """The plan level in lower case; None when the plan has lapsed or is not said."""
    data = decode(_SUBSCRIPTION, body, endpoint)
    return data.level.lower() if data is not None and not data.expired else None


def parse_coins_markets(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """One page of all coins: figures by coin as CoinGlass spells it, the price among them."""
    rows = decode(_COINS, body, endpoint) or []
    return {row.symbol: _coin_figures(row) for row in rows}


def _coin_figures(row: wire.CoinMarketRow) -> Figures:
    price = row.current_price
    return (
        *_figure(PRICE, price if price is not None and price > 0 else None, "usd"),
        *_figure("priceChange24hFrac", row.price_change_percent_24h, "frac", 0.01),
        *_figure("marketCapUsd", row.market_cap_usd, "usd"),
        *_figure("openInterestUsd", row.open_interest_usd, "usd"),
        *_figure("openInterestBase", row.open_interest_quantity, "base"),
        *_figure("openInterestChange24hFrac", row.open_interest_change_percent_24h, "frac", 0.01),
        # Already a fraction on the wire, unlike its neighbours.
        *_figure("openInterestToMarketCapFrac", row.open_interest_market_cap_ratio, "frac"),
        *_figure("fundingRate8h", row.avg_funding_rate_by_oi, "frac_per_8h", 0.01),
        *_figure("longLiquidations24hUsd", row.long_liquidation_usd_24h, "usd"),
        *_figure("shortLiquidations24hUsd", row.short_liquidation_usd_24h, "usd"),
    )


def parse_pairs_markets(body: bytes, *, endpoint: str, coins: Collection[str] = ()) -> tuple[PairQuote, ...]:
    """Last price of every pair of one coin, in the provider's order; pairs without a price are left out.

    coins: the base asset that was asked for, so that kPEPE is read as a thousand of it.
    """
    quotes = []
    for row in decode(_PAIRS, body, endpoint) or []:
        name, _, quote = row.symbol.partition("/")
        _, multiplier = read_contract(name, coins, row.instrument_id or "")
        price = row.current_price
        if price is not None and math.isfinite(price) and price / multiplier > 0:
            quotes.append(PairQuote(row.exchange_name, quote, price / multiplier))
    return tuple(quotes)


def parse_liquidation_exchange_list(body: bytes, *, endpoint: str) -> Figures:
    """USD of LONG and SHORT positions liquidated on the whole market in 24 h: the row `All`, never a sum.

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
    sides = (
        *_figure("longLiquidations24hUsd", long_usd, "usd"),
        *_figure("shortLiquidations24hUsd", short_usd, "usd"),
    )
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
            *_venues(row.stablecoin_margin_list, "fundingRate"),
            *_venues(row.token_margin_list, "coinMarginedFundingRate"),
        )
        for row in decode(_FUNDING, body, endpoint) or []
    }


def _venues(venues: list[wire.FundingVenue] | None, what: str) -> Figures:
    figures: list[MarketReading] = []
    # Of an exchange that comes twice the last row counts, as everywhere.
    for venue in {venue.exchange: venue for venue in venues or []}.values():
        hours = venue.funding_rate_interval
        # Without its period a rate cannot be compared with anything, so it is not shown.
        if hours is None or not math.isfinite(hours) or hours <= 0:
            continue
        name = f"{venue.exchange}.{what}"
        if hours != 8:
            figures += _figure(f"{name}{hours:g}h", venue.funding_rate, f"frac_per_{hours:g}h", 0.01)
        figures += _figure(f"{name}8h", venue.funding_rate, "frac_per_8h", 0.01 * 8 / hours)
    return tuple(figures)


def parse_open_interest_exchange_list(body: bytes, *, endpoint: str) -> Figures:
    """Open interest per exchange in USD and coins; the row `All` is named "allExchanges", not summed."""
    figures: list[MarketReading] = []
    rows = {row.exchange: row for row in decode(_OPEN_INTEREST, body, endpoint) or []}
    for row in rows.values():
        name = "allExchanges" if row.exchange == ALL_EXCHANGES else row.exchange
        change = row.open_interest_change_percent_24h
        figures += _figure(f"{name}.openInterestUsd", row.open_interest_usd, "usd")
        figures += _figure(f"{name}.openInterestBase", row.open_interest_quantity, "base")
        figures += _figure(f"{name}.openInterestChange24hFrac", change, "frac", 0.01)
    return tuple(figures)


def parse_heatmap(body: bytes, *, endpoint: str) -> Figures:
    """Largest cell of the heatmap and the total; triples that point outside the price axis are left out."""
    data = decode(_HEATMAP, body, endpoint)
    triples = data.liquidation_leverage_data if data is not None else []
    require_at_most(len(triples), endpoint, _MAX_CELLS)
    cells = []
    for triple in triples:
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
    lists = [entries for levels in parts for entries in levels.values()]
    require_at_most(sum(map(len, lists)), endpoint, _MAX_CELLS)
    cells = []
    for entry in (entry for entries in lists for entry in entries):
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
        *_figure("largestLevelPriceUsd", price_usd, "usd"),
        *_figure("largestLevelSizeUsd", size_usd, "usd"),
        *_figure("allLevelsSizeUsd", sum(size for _, size in usable), "usd"),
        *_figure("levels", float(len(usable)), "count"),
    )


def parse_max_pain(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """Price and USD size of the long and short max-pain levels, by coin."""
    return {
        row.symbol: (
            *_figure(PRICE, row.price, "usd"),
            *_figure("longMaxPainPriceUsd", row.long_max_pain_liq_price, "usd"),
            *_figure("longMaxPainSizeUsd", row.long_max_pain_liq_level, "usd"),
            *_figure("shortMaxPainPriceUsd", row.short_max_pain_liq_price, "usd"),
            *_figure("shortMaxPainSizeUsd", row.short_max_pain_liq_level, "usd"),
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
                *_figure(f"{side}Positions", float(len(by_side.get(side, ()))), "count"),
                *_figure(f"{side}PositionsUsd", sum(by_side.get(side, ())), "usd"),
            )
        )
        for symbol, by_side in sides.items()
    }
