"""Which coin trades under which pair name on which exchange.

Owns the spelling of pairs: BTCUSDT, 1000PEPEUSDT (Binance counts cheap coins by the thousand), BTC-USDT-SWAP,
BTC_USDT. Used by the CoinGlass servers; OKX ids live here too because CoinGlass repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.sim.market import Coin, MarketSource

_FORMATS = {
    "OKX": "{}-USDT-SWAP",
    "Bitget": "{}USDT_UMCBL",
    "Gate": "{}_USDT",
    "MEXC": "{}_USDT",
    "Hyperliquid": "{}",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair. multiplier: coins per contract unit; prices of the pair are per `multiplier` coins."""

    exchange: str
    pair: str
    base_asset: str
    multiplier: int
    coin: Coin


def list_on(exchange: str, coin: Coin) -> Listing:
    """The pair of `coin` on `exchange`. Worked: (Binance, PEPE x1000) -> 1000PEPEUSDT, base 1000PEPE."""
    multiplier = coin.binance_multiplier if exchange == "Binance" else 1
    base_asset = f"{multiplier}{coin.base}" if multiplier > 1 else coin.base
    pair = _FORMATS.get(exchange, "{}USDT").format(base_asset)
    return Listing(exchange, pair, base_asset, multiplier, coin)


def find_pair(market: MarketSource, exchange: str, pair: str) -> Listing | None:
    """The listing behind a pair name as that exchange spells it, or None."""
    if exchange not in market.exchanges():
        return None
    for coin in market.coins():
        if coin.base in pair and exchange not in coin.absent_from:
            listing = list_on(exchange, coin)
            if listing.pair == pair:
                return listing
    return None


_SPOT_FORMATS = {"OKX": "{}-USDT", "Gate": "{}_USDT", "Hyperliquid": "{}/USDC"}


def list_spot(exchange: str, coin: Coin) -> Listing:
    """The spot pair of `coin`; spot counts single coins everywhere. Worked: (OKX, PEPE) -> PEPE-USDT."""
    pair = _SPOT_FORMATS.get(exchange, "{}USDT").format(coin.base)
    return Listing(exchange, pair, coin.base, 1, coin)


def find_spot_pair(market: MarketSource, exchange: str, pair: str) -> Listing | None:
    """As `find_pair`, on the spot market."""
    if exchange not in market.exchanges():
        return None
    listings = (
        list_spot(exchange, coin) for coin in listed_on(market, exchange) if pair.startswith(coin.base)
    )
    return next((listing for listing in listings if listing.pair == pair), None)


def quote_of(listing: Listing) -> str:
    """The currency a pair is quoted in."""
    return "USDC" if listing.pair.endswith("/USDC") else "USDT"


def listed_on(market: MarketSource, exchange: str) -> tuple[Coin, ...]:
    """The coins an exchange lists."""
    return tuple(coin for coin in market.coins() if exchange not in coin.absent_from)


def find_coin(market: MarketSource, base: str) -> Coin | None:
    """The coin of a base asset, exact spelling, or None."""
    return next((coin for coin in market.coins() if coin.base == base), None)
