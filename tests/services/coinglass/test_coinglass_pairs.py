"""Pairs come from the provider's list; contracts per thousand coins map to the coin itself."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.core.errors import ProviderBadPayload
from app.services.coinglass.pairs import (
    ListedPair,
    PairDirectory,
    PairRef,
    build_directory,
    find_row,
    parse_coins,
    parse_pairs,
    read_contract,
)

Body = Callable[[str, str], bytes]
ORDER = ("Binance", "OKX", "Bybit")
PAIRS = "futures_supported_exchange_pairs"


def directory(body: Body) -> PairDirectory:
    return build_directory(parse_pairs(body(PAIRS, "normal"), endpoint=PAIRS))


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
    assert directory(body).find(base, ORDER) == pair


def test_another_order_gives_another_exchange(body: Body) -> None:
    assert directory(body).find("BTC", ("OKX", "Binance")) == PairRef("OKX", "BTC-USDT-SWAP", 1)


@pytest.mark.parametrize("base", ["ZZZ", "NOPE"])
def test_a_coin_on_no_configured_exchange_has_no_pair(body: Body, base: str) -> None:
    assert directory(body).find(base, ORDER) is None


def test_an_empty_list_of_pairs_is_refused(body: Body) -> None:
    with pytest.raises(ProviderBadPayload):
        parse_pairs(body(PAIRS, "empty"), endpoint=PAIRS)


COINS = frozenset({"PEPE", "SHIB", "AVA", "KAVA", "KAS", "AS", "1INCH", "BTC"})


@pytest.mark.parametrize(
    ("name", "instrument", "base", "multiplier"),
    [
        ("1000PEPE", "1000PEPEUSDT", "PEPE", 1000),
        ("1000PEPE", "", "PEPE", 1000),
        ("PEPE", "1000PEPEUSDT", "PEPE", 1000),
        ("PEPE", "PEPE-USDT-SWAP", "PEPE", 1),
        ("10000SATS", "10000SATSUSDT", "SATS", 10_000),
        ("1MBABYDOGE", "1MBABYDOGEUSDT", "BABYDOGE", 1_000_000),
        ("1000000MOG", "", "MOG", 1_000_000),
        ("SHIB1000", "SHIB1000USDT", "SHIB", 1000),
        ("SHIB", "SHIB1000USDT", "SHIB", 1000),
        ("kPEPE", "", "PEPE", 1000),
        ("PEPE", "kPEPE", "PEPE", 1000),
        ("KPEPE", "", "PEPE", 1000),
        ("kUNKNOWN", "", "KUNKNOWN", 1),
        ("KAVA", "KAVAUSDT", "KAVA", 1),
        ("KAS", "KASUSDT", "KAS", 1),
        ("1INCH", "1INCHUSDT", "1INCH", 1),
        ("btc", "BTCUSDT", "BTC", 1),
        ("BTC", "XBTUSDTM", "BTC", 1),
    ],
)
def test_base_and_multiplier_are_read_from_any_spelling(
    name: str, instrument: str, base: str, multiplier: int
) -> None:
    assert read_contract(name, COINS, instrument) == (base, multiplier)


def test_without_a_list_a_leading_k_is_a_letter() -> None:
    assert read_contract("kPEPE") == ("KPEPE", 1)


def test_a_pair_per_thousand_is_found_by_its_coin() -> None:
    pairs = [
        ListedPair("Hyperliquid", "kPEPE", "kPEPE", (2, 5, "kPEPE")),
        ListedPair("Binance", "KAVA", "KAVAUSDT", (0, 8, "KAVAUSDT")),
    ]
    listed = build_directory(pairs, COINS)
    assert listed.find("PEPE", ("Hyperliquid",)) == PairRef("Hyperliquid", "kPEPE", 1000)
    assert listed.find("KAVA", ("Binance",)) == PairRef("Binance", "KAVAUSDT", 1)
    assert listed.find("AVA", ("Binance",)) is None


def test_a_row_is_found_whatever_its_name_and_the_plain_one_wins() -> None:
    assert find_row({"kPEPE": 1}, "PEPE", COINS) == (1, 1000)
    assert find_row({"1000PEPE": 1, "PEPE": 2}, "PEPE", COINS) == (2, 1)
    assert find_row({"KAVA": 1}, "AVA", COINS) is None


def test_endless_lists_are_refused() -> None:
    names = json.dumps({"code": "0", "data": ["BTC"] * 20_001}).encode()
    with pytest.raises(ProviderBadPayload, match="20001 rows"):
        parse_coins(names, endpoint="futures_supported_coins")
    pairs = json.dumps({"code": "0", "data": {"X": [{}] * 20_001}}).encode()
    with pytest.raises(ProviderBadPayload, match="20001 rows"):
        parse_pairs(pairs, endpoint=PAIRS)


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
