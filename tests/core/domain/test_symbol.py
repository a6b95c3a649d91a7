"""Symbols: every usual spelling, one coin; nothing else gets in."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.symbol import Symbol, SymbolMatches, parse_symbol, resolve_symbol, search_symbols
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


class TestSearch:
    def test_the_exact_coin_comes_first_then_what_begins_so_contains_it_and_looks_like_it(self) -> None:
        known = {"BTC", "BTCDOM", "WBTC", "BTT", "ETH"}
        found = search_symbols("btcusdt", known, 10)
        assert found.exact == Symbol("BTC")
        assert found.found == ("BTC", "BTCDOM", "WBTC", "BTT")
        assert found.listed == 5

    def test_a_part_of_a_name_is_no_exact_match(self) -> None:
        found = search_symbols("pep", {"PEPE", "PEOPLE", "BTC"}, 10)
        assert (found.exact, found.found) == (None, ("PEPE", "PEOPLE"))

    def test_without_any_list_nothing_is_found_and_that_is_said(self) -> None:
        assert search_symbols("BTC", (), 10) == SymbolMatches(None, (), 0)

    def test_names_that_no_question_could_spell_are_left_out(self) -> None:
        assert search_symbols("B", {"BTC", "B币"}, 10).found == ("BTC",)

    def test_what_is_no_symbol_is_refused(self) -> None:
        with pytest.raises(InvalidParameter):
            search_symbols("../x", KNOWN, 10)

    @given(st.sampled_from(sorted(KNOWN)), st.integers(1, 5))
    def test_every_known_coin_finds_itself_first_within_the_limit(self, base: str, limit: int) -> None:
        found = search_symbols(base, KNOWN, limit)
        assert found.exact == resolve_symbol(base, KNOWN)
        assert found.found[0] == found.exact.base
        assert len(found.found) <= limit
