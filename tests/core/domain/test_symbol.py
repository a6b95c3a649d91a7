"""Symbols: every usual spelling, one coin; nothing else gets in."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.symbol import Symbol, parse_symbol, resolve_symbol
from app.core.errors import InvalidParameter, UnknownSymbol

KNOWN = frozenset({"BTC", "ETH", "PEPE", "1INCH", "W", "FDUSD", "SOL"})


@pytest.mark.parametrize(
    "text",
    [
        "BTC",
        "btc",
        " BTC ",
        "BTCUSDT",
        "BTCUSD",
        "BTCPERP",
        "BTC-USDT",
        "BTC-USDT-SWAP",
        "BTC/USDT:USDT",
        "ＢＴＣ",
        "btc_usdt",
    ],
)
def test_every_usual_spelling_is_the_same_coin(text: str) -> None:
    assert resolve_symbol(text, KNOWN) == parse_symbol(text) == Symbol("BTC")


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("1000PEPE", "PEPE"),
        ("1000PEPEUSDT", "PEPE"),
        ("1INCH", "1INCH"),
        ("1INCHUSDT", "1INCH"),
        ("WUSDT", "W"),
        ("W", "W"),
        ("FDUSD", "FDUSD"),
        ("FDUSD-USDT", "FDUSD"),
    ],
)
def test_a_listed_coin_wins_over_what_its_letters_look_like(text: str, base: str) -> None:
    assert resolve_symbol(text, KNOWN) == Symbol(base)


def test_an_unknown_coin_names_near_matches() -> None:
    with pytest.raises(UnknownSymbol) as caught:
        resolve_symbol("BTCC", KNOWN)
    assert caught.value.near == ("BTC",)


def test_without_any_list_the_providers_decide() -> None:
    assert resolve_symbol("NEWCOINUSDT", frozenset()) == Symbol("NEWCOIN")


@pytest.mark.parametrize(
    "text", ["", " ", "../etc", "BTC?x=1", "BTC%00", "BTC\r\nX: y", "🚀", "A" * 41, "BTC/..", "a b", "-BTC"]
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_symbol(text)


@given(st.text(max_size=60))
def test_whatever_is_accepted_is_letters_and_digits_only(text: str) -> None:
    try:
        base = parse_symbol(text).base
    except InvalidParameter:
        return
    assert 1 <= len(base) <= 15
    assert set(base) <= set(string.ascii_uppercase + string.digits)
