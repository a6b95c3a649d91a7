"""Pairs come from the provider's list; contracts per thousand coins map to the coin itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.errors import ProviderBadPayload
from app.services.coinglass.pairs import PairRef, base_of, contract_multiplier, parse_coins, parse_pairs

Body = Callable[[str, str], bytes]
ORDER = ("Binance", "OKX", "Bybit")
PAIRS = "futures_supported_exchange_pairs"


@pytest.mark.parametrize(
    ("base", "pair"),
    [
        ("BTC", PairRef("Binance", "BTCUSDT", 1)),
        ("PEPE", PairRef("Binance", "1000PEPEUSDT", 1000)),
        ("MOG", PairRef("Binance", "1000000MOGUSDT", 1_000_000)),
        ("1INCH", PairRef("Binance", "1INCHUSDT", 1)),
        ("HYPE", PairRef("OKX", "HYPE-USDT-SWAP", 1)),
        ("SHIB", PairRef("Bybit", "SHIB1000USDT", 1000)),
        ("LTC", PairRef("Binance", "LTCUSD_PERP", 1)),
    ],
)
def test_the_first_exchange_of_the_order_gives_the_pair(body: Body, base: str, pair: PairRef) -> None:
    assert parse_pairs(body(PAIRS, "normal"), endpoint=PAIRS).find(base, ORDER) == pair


def test_another_order_gives_another_exchange(body: Body) -> None:
    directory = parse_pairs(body(PAIRS, "normal"), endpoint=PAIRS)
    assert directory.find("BTC", ("OKX", "Binance")) == PairRef("OKX", "BTC-USDT-SWAP", 1)


@pytest.mark.parametrize("base", ["ZZZ", "NOPE"])
def test_a_coin_on_no_configured_exchange_has_no_pair(body: Body, base: str) -> None:
    assert parse_pairs(body(PAIRS, "normal"), endpoint=PAIRS).find(base, ORDER) is None


def test_an_empty_list_of_pairs_is_refused(body: Body) -> None:
    with pytest.raises(ProviderBadPayload):
        parse_pairs(body(PAIRS, "empty"), endpoint=PAIRS)


@pytest.mark.parametrize(
    ("instrument", "base", "multiplier"),
    [
        ("1000PEPEUSDT", "PEPE", 1000),
        ("10000SATSUSDT", "SATS", 10_000),
        ("1MBABYDOGEUSDT", "BABYDOGE", 1_000_000),
        ("SHIB1000USDT", "SHIB", 1000),
        ("PEPE-USDT-SWAP", "PEPE", 1),
        ("1INCHUSDT", "1INCH", 1),
        ("BTCUSDT", "BTC", 1),
        ("BTCUSDT", "ETH", 1),
    ],
)
def test_the_multiplier_is_read_from_the_instrument(instrument: str, base: str, multiplier: int) -> None:
    assert contract_multiplier(instrument, base) == multiplier


@pytest.mark.parametrize(
    ("wire", "base"), [("1000PEPE", "PEPE"), ("SHIB1000", "SHIB"), ("btc", "BTC"), ("1INCH", "1INCH")]
)
def test_bases_lose_their_multiplier(wire: str, base: str) -> None:
    assert base_of(wire) == base


def test_coins_keep_the_plain_spelling_where_both_are_listed(body: Body) -> None:
    endpoint = "futures_supported_coins"
    coins = parse_coins(body(endpoint, "normal"), endpoint=endpoint)
    assert coins["PEPE"] == "PEPE"
    assert coins["BONK"] == "1000BONK"
    assert "龙" not in coins


def test_an_empty_list_of_coins_is_refused(body: Body) -> None:
    endpoint = "futures_supported_coins"
    with pytest.raises(ProviderBadPayload):
        parse_coins(body(endpoint, "empty"), endpoint=endpoint)
