"""Coins in any spelling: which one is meant, also when no provider lists it any more."""

from __future__ import annotations

import pytest

from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import InvalidParameter, NotWatched, UnknownSymbol
from app.services.coin_service import CoinService
from app.services.watchlist import Watchlist
from tests.watch_facts import MemoryCoins, make_watchlist

KNOWN = frozenset({"BTC", "ETH", "SOL", "DOGE", "PEPE", "FD", "FDUSD"})


def coins_over(watchlist: Watchlist, known: frozenset[str] = KNOWN) -> CoinService:
    def resolve(text: str) -> Symbol:
        return resolve_symbol(text, known)

    return CoinService(watchlist, resolve=resolve)


@pytest.mark.parametrize(
    "text", ["doge", "DOGEUSDT", "doge-usdt-swap", "DOGE/USDT:USDT", "1000DOGE", "ＤＯＧＥ"]
)
async def test_any_usual_spelling_is_followed_and_taken_out_again(text: str) -> None:
    watchlist = make_watchlist(MemoryCoins())
    coins = coins_over(watchlist)
    assert (await coins.add(text)).symbol == "DOGE"
    assert (await coins.toggle(text, is_on=None)).did_change is True
    assert [(coin.symbol, coin.is_on) for coin in coins.coins()][-1] == ("DOGE", False)
    assert (await coins.remove(text)).symbol == "DOGE"
    assert watchlist.symbols() == ("BTC", "ETH", "SOL")


async def test_a_coin_that_nobody_lists_is_unknown_and_its_look_alikes_are_named() -> None:
    coins = coins_over(make_watchlist(MemoryCoins()))
    with pytest.raises(UnknownSymbol) as refused:
        await coins.add("PEPPE")
    assert refused.value.near == ("PEPE",)
    for write in (coins.remove("PEPPE"), coins.toggle("PEPPE", is_on=True)):
        with pytest.raises(UnknownSymbol):
            await write


async def test_what_is_no_symbol_is_refused() -> None:
    coins = coins_over(make_watchlist(MemoryCoins()))
    for write in (coins.add("../x"), coins.remove("../x"), coins.toggle("a b", is_on=None)):
        with pytest.raises(InvalidParameter):
            await write


async def test_a_known_coin_that_is_not_in_the_list_cannot_be_switched() -> None:
    coins = coins_over(make_watchlist(MemoryCoins()))
    for write in (coins.remove("DOGE"), coins.toggle("DOGE", is_on=True)):
        with pytest.raises(NotWatched, match="DOGE"):
            await write


@pytest.mark.parametrize("text", ["LUNA", "luna", "LUNAUSDT", "1000LUNA-USDT-SWAP"])
async def test_a_delisted_coin_can_still_be_switched_and_removed(text: str) -> None:
    watchlist = make_watchlist(MemoryCoins(), "BTC", "LUNA")
    coins = coins_over(watchlist)
    await coins.toggle(text, is_on=False)
    assert watchlist.symbols() == ("BTC",)
    await coins.remove(text)
    assert [coin.symbol for coin in coins.coins()] == ["BTC"]


async def test_a_coin_whose_name_ends_like_a_quote_is_never_taken_for_another() -> None:
    watchlist = make_watchlist(MemoryCoins(), "FD")
    coins = coins_over(watchlist)
    with pytest.raises(NotWatched, match="FDUSD"):
        await coins.remove("FDUSD")
    await coins.add("FDUSD")
    await coins.remove("fdusd")
    assert watchlist.symbols() == ("FD",)
    # Known to nobody now, and still the one that is spelled.
    delisted = make_watchlist(MemoryCoins(), "FD", "FDUSD")
    await coins_over(delisted, frozenset({"FD"})).remove("FDUSD")
    assert delisted.symbols() == ("FD",)


async def test_an_empty_list_knows_no_coin() -> None:
    watchlist = make_watchlist(MemoryCoins(), "BTC")
    coins = coins_over(watchlist)
    await coins.remove("BTC")
    with pytest.raises(UnknownSymbol):
        await coins.remove("LUNA")
