"""One exchange speaks for a coin, until it falls silent."""

from __future__ import annotations

from app.core.domain.flow import PriceTick, TradeEvent
from app.core.flow.price_voice import SILENT_MS
from app.services.streaming.price_choice import MAX_COINS, PriceChoice


def tick(exchange: str, price: float, at_ms: int, symbol: str = "BTC") -> PriceTick:
    return PriceTick(symbol, exchange, price, at_ms)


def test_a_second_exchange_is_not_heard_while_the_first_speaks() -> None:
    choice = PriceChoice()
    found = list(choice.choose([tick("OKX", 100.0, 0), tick("Binance", 101.0, 1), tick("OKX", 102.0, 2)], ()))
    assert found == [("BTC", 100.0, 0), ("BTC", 102.0, 2)]


def test_it_takes_over_when_the_first_has_been_silent_for_long() -> None:
    choice = PriceChoice()
    list(choice.choose([tick("OKX", 100.0, 0)], ()))
    assert list(choice.choose([tick("Binance", 101.0, SILENT_MS - 1)], ())) == []
    assert list(choice.choose([tick("Binance", 101.0, SILENT_MS)], ())) == [("BTC", 101.0, SILENT_MS)]
    assert list(choice.choose([tick("OKX", 99.0, SILENT_MS + 1)], ())) == []


def test_a_late_price_does_not_make_its_exchange_look_silent() -> None:
    choice = PriceChoice()
    list(choice.choose([tick("OKX", 100.0, 50_000), tick("OKX", 99.0, 10_000)], ()))
    assert list(choice.choose([tick("Binance", 101.0, 50_001)], ())) == []


def test_ticks_come_before_trades_of_the_same_frame() -> None:
    trade = TradeEvent("BTC", "OKX", "BTC-USDT-SWAP", True, 105.0, 1_000.0, 3)
    assert list(PriceChoice().choose([tick("OKX", 100.0, 2)], [trade])) == [
        ("BTC", 100.0, 2),
        ("BTC", 105.0, 3),
    ]


def test_the_memory_is_bounded() -> None:
    choice = PriceChoice()
    many = [tick("OKX", 1.0, 0, f"C{number}") for number in range(MAX_COINS + 5)]
    assert len(list(choice.choose(many, ()))) == MAX_COINS + 5
    assert len(choice._voices) <= MAX_COINS
