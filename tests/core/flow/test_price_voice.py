"""Which prices are believed, and that a reclaim needs one exchange and more than one price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import AlertKind, Finding, Phase, PriceTick
from app.core.flow.price_path import PricePath, PriceRange
from app.core.flow.price_voice import FORGET_MS, PriceVoice
from tests.event_facts import Play, T


def hear(*prices: float, every_ms: int = 1_000) -> list[bool]:
    voice = PriceVoice()
    return [voice.believes("OKX", price, T + n * every_ms) for n, price in enumerate(prices)]


def test_a_lone_leap_is_not_believed_and_a_second_one_is() -> None:
    assert hear(100.0, 130.0, 101.0) == [True, False, True]
    assert hear(100.0, 130.0, 131.0) == [True, False, True]
    assert hear(100.0, 70.0, 71.0, 72.0) == [True, False, True, True]
    assert hear(100.0, 130.0, 70.0, 100.0) == [True, False, False, True]
    assert hear(100.0, 130.0, 101.0, 131.0) == [True, False, True, False]


def test_after_a_silence_nothing_is_a_leap() -> None:
    assert hear(100.0, 300.0, every_ms=FORGET_MS) == [True, True]


@given(st.lists(st.floats(1e-9, 1e9), max_size=30))
def test_a_voice_is_never_stuck(prices: list[float]) -> None:
    """Whatever came, the same price three times is believed."""
    assert any(hear(*prices, 50.0, 50.0, 50.0)[-3:])


def test_a_path_holds_what_one_exchange_says() -> None:
    path = PricePath()
    for n, (exchange, price) in enumerate(
        [("OKX", 100.0), ("Binance", 90.0), ("OKX", 101.0), ("OKX", 250.0)]
    ):
        path.add(T + n * 1_000, price, exchange)
    assert path.range_between(T // 1000, T // 1000 + 10) == PriceRange(100.0, 101.0)
    assert (path.at(T + 4_000), path.exchange) == (101.0, "OKX")


def two_exchanges(is_mirrored: bool) -> list[Finding]:
    """Binance stands 0.1 % below OKX all the time; both fall by 0.08 % and stay there."""
    play = Play(is_mirrored=is_mirrored)
    sign = -1.0 if is_mirrored else 1.0
    found: list[Finding] = []
    for second in range(-300, 60):
        level = 60_000.0 if second < 1 else 59_952.0
        for exchange, price in (("OKX", level), ("Binance", level - 60.0)):
            price = 60_000.0 + sign * (price - 60_000.0)
            ticks = (PriceTick("BTC", exchange, price, T + second * 1_000),)
            found += play.engine.on_ticks(ticks, T + second * 1_000 + 200)
        if 0 <= second < 5:
            found += play.liquidate("LONG", 1e6, second + 0.1)
        found += play.pass_time(second + 0.5)
    return [one for one in found if one.kind is AlertKind.STOP_HUNT]


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_the_spread_between_two_exchanges_is_no_reclaim(is_mirrored: bool) -> None:
    found = two_exchanges(is_mirrored)
    assert found
    assert {one.phase for one in found} == {Phase.BUILDING, Phase.PEAK}
