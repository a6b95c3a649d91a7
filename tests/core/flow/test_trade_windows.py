"""Taker volume and traded prices in windows, against sums made the slow way."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.flow.columns import exact
from app.core.flow.price_path import PricePath, PriceRange
from app.core.flow.trade_windows import TRADE_WINDOWS_S, TradeWindows
from tests.event_facts import T

Trade: TypeAlias = tuple[int, bool, float]  # ts_ms, is_buy, usd
LARGE = 10_000.0


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    """In the order of arrival, each late by up to 5 s."""
    facts = st.tuples(st.integers(0, 8_000), st.integers(0, 5_000), st.booleans(), st.floats(1, 30_000))
    arriving, now_ms = [], T
    for step, late_ms, is_buy, usd in draw(st.lists(facts, min_size=1, max_size=80)):
        now_ms += step
        arriving.append((now_ms + late_ms, (now_ms, is_buy, usd)))
    return [trade for _, trade in sorted(arriving)]


def filled(events: list[Trade]) -> TradeWindows:
    made = TradeWindows(large_usd=LARGE, disorder_s=5)
    for trade in events:
        made.add(*trade)
    return made


class TestTradeWindows:
    @settings(max_examples=60)
    @given(trades(), st.integers(0, 400))
    def test_any_order_within_five_seconds_gives_the_same_sums(
        self, events: list[Trade], wait_s: int
    ) -> None:
        made = filled(events)
        as_of_s = max(ts_ms for ts_ms, *_ in events) // 1000 + wait_s
        for window_s in TRADE_WINDOWS_S:
            inside = [trade for trade in events if trade[0] // 1000 >= as_of_s - window_s]
            buys = [exact(usd) for _, is_buy, usd in inside if is_buy]
            sells = [exact(usd) for _, is_buy, usd in inside if not is_buy]
            window = made.window(window_s, as_of_s)
            assert (window.buy_usd, window.sell_usd) == (sum(buys), sum(sells))
            assert (window.buys, window.sells) == (len(buys), len(sells))
            assert window.large_buys == sum(usd >= LARGE for usd in buys)
            assert window.large_sells == sum(usd >= LARGE for usd in sells)

    def test_a_large_order_is_one_at_the_threshold(self) -> None:
        window = filled([(T, True, LARGE), (T, True, LARGE - 0.01), (T, False, LARGE)]).window(60, 0)
        assert (window.large_buys, window.large_sells) == (1, 1)

    def test_rows_are_bounded_and_what_is_older_is_refused(self) -> None:
        made = filled([(T + k * 1000, True, 10.0) for k in range(5_000)])
        before = made.last(300, 0)
        made.add(T, False, 1e6)
        assert made.last(300, 0) == before
        assert (before.trades, made.late) == (301, 1)


class TestPricePath:
    def test_the_newest_price_counts_whatever_the_order(self) -> None:
        path = PricePath()
        path.add(T + 2_000, 101.0)
        path.add(T + 1_000, 99.0)
        assert (path.at(T + 2_500), path.last_ms) == (101.0, T + 2_000)

    def test_a_price_of_over_a_minute_ago_is_none(self) -> None:
        path = PricePath()
        assert path.at(T) is None
        path.add(T, 100.0)
        assert path.at(T + 60_000) == 100.0
        assert path.at(T + 60_001) is None

    def test_the_range_ends_before_the_second_asked_for(self) -> None:
        path = PricePath()
        for second, price in enumerate((100.0, 98.0, 103.0, 50.0)):
            path.add(T + second * 1000 + 5, price)
        first = T // 1000
        assert path.range_between(first, first + 3) == PriceRange(98.0, 103.0)
        assert path.range_between(first + 4, first + 9) is None

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 350_000), st.floats(100.0, 120.0)), min_size=1, max_size=60))
    def test_any_order_gives_the_same_range(self, prices: list[tuple[int, float]]) -> None:
        path = PricePath()
        for at_ms, price in prices:
            path.add(T + at_ms, price)
        first, last = T // 1000 + 20, T // 1000 + 320
        inside = [price for at_ms, price in prices if first <= (T + at_ms) // 1000 < last]
        wanted = PriceRange(min(inside), max(inside)) if inside else None
        assert path.range_between(first, last) == wanted
