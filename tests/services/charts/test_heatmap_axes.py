"""Ranges, ticks and colours of the picture, for prices from 1e-8 to 1e7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.heatmap import GridRow
from app.services.charts.heatmap_axes import (
    LONG_RAMP,
    SHORT_RAMP,
    PriceRange,
    price_range,
    price_ticks,
    ramp_colour,
    strength,
    time_ticks,
)

PRICES = st.floats(1e-8, 1e7)


def row(low: float, usd: float = 1.0) -> GridRow:
    return GridRow(low, low * 1.0025, usd, 0.0, 1)


class TestPriceRange:
    def test_worked_number(self) -> None:
        shown = price_range([row(100.0)], None, 1)
        assert (shown.low_usd, shown.high_usd) == (
            pytest.approx(98.64, abs=5e-3),
            pytest.approx(101.64, abs=5e-3),
        )

    def test_one_stray_order_does_not_squeeze_the_rest(self) -> None:
        shown = price_range([row(1.0), *(row(100.0 + n, 1e6) for n in range(9)), row(9e5)], None, 1)
        assert shown.low_usd > 95
        assert shown.high_usd < 115

    def test_a_near_price_is_shown_and_a_far_one_is_not(self) -> None:
        rows = [row(100.0 + n) for n in range(9)]
        assert price_range(rows, 110.0, 1).holds(110.0)
        assert not price_range(rows, 150.0, 1).holds(150.0)

    def test_rows_without_any_usd_have_a_range_too(self) -> None:
        assert price_range([row(1.0, 0.0), row(2.0, 0.0)], None, 1).holds(1.0)

    @given(st.lists(PRICES, min_size=1, max_size=20), st.one_of(st.none(), PRICES), st.integers(1, 20))
    def test_every_range_is_a_range_around_positive_prices(
        self, lows: list[float], price: float | None, width: int
    ) -> None:
        shown = price_range([row(low) for low in sorted(lows)], price, width)
        assert 0 < shown.low_usd < shown.high_usd
        assert shown.frac(shown.low_usd) == pytest.approx(0, abs=1e-9)
        assert shown.frac(shown.high_usd) == pytest.approx(1)


class TestTicks:
    @pytest.mark.parametrize(
        ("low", "high", "texts"),
        [
            (95_900.0, 97_100.0, ["$96,000", "$96,500", "$97,000"]),
            (1.495, 1.505, ["$1.495", "$1.500", "$1.505"]),
            (0.00001171, 0.00001189, ["$0.0000118"]),
        ],
    )
    def test_prices_have_the_digits_that_tell_them_apart(
        self, low: float, high: float, texts: list[str]
    ) -> None:
        assert [text for _, text in price_ticks(PriceRange(low, high), most=3)] == texts

    @given(PRICES, st.floats(1.02, 3.0))
    def test_no_two_ticks_read_alike_and_none_reads_zero(self, low: float, factor: float) -> None:
        ticks = price_ticks(PriceRange(low, low * factor), most=9)
        texts = [text for _, text in ticks]
        assert 1 <= len(ticks) <= 10
        assert len(set(texts)) == len(texts)
        assert all(float(text.strip("$").replace(",", "")) == pytest.approx(price) for price, text in ticks)

    def test_midnight_is_a_date_and_the_rest_a_clock_time(self) -> None:
        midnight = 1_772_064_000 // 60
        found = time_ticks(midnight - 700, midnight + 700, most=9)
        assert (midnight, "Feb 26") in found
        assert "21:00" in [text for _, text in found]
        assert len(found) <= 9

    @given(st.integers(0, 40_000_000), st.integers(10, 10_080))
    def test_every_window_has_a_few_ticks_inside(self, start: int, minutes: int) -> None:
        found = time_ticks(start, start + minutes, most=9)
        assert 1 <= len(found) <= 10
        assert all(start <= minute <= start + minutes for minute, _ in found)


class TestColours:
    def test_worked_strengths(self) -> None:
        found = [strength(usd, 1e6) for usd in (1e6, 1e5, 1e3, 1.0, 0.0)]
        assert found == pytest.approx([1.0, 2 / 3, 0.0, 0.0, 0.0])

    def test_the_sides_stay_apart_at_every_strength(self) -> None:
        """Red against blue: a difference that all kinds of colour blindness keep."""
        for step in range(11):
            long_red, _, long_blue = ramp_colour(LONG_RAMP, step / 10)
            short_red, _, short_blue = ramp_colour(SHORT_RAMP, step / 10)
            assert long_red > long_blue + 30
            assert short_blue > short_red + 30

    def test_more_is_brighter(self) -> None:
        for ramp in (LONG_RAMP, SHORT_RAMP):
            light = [sum(ramp_colour(ramp, step / 20)) for step in range(21)]
            assert light == sorted(light)
