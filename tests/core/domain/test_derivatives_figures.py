"""Percentiles, spreads and changes of the typed routes: worked numbers, gaps, mirrors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.derivatives import Margin, OpenInterestHistory, VenueFunding, VenueOpenInterest
from app.core.domain.derivatives_figures import (
    change_over,
    funding_spread,
    long_short_ratio,
    open_interest_changes,
    percentile_frac,
)
from app.core.domain.market import DAY_MS, HOUR_MS, Unit


def venue(name: str, rate: float, hours: float = 8.0, margin: Margin = Margin.STABLECOIN) -> VenueFunding:
    return VenueFunding(name, margin, rate, hours, None)


def history(values: dict[int, float]) -> OpenInterestHistory:
    """Bars by hours ago."""
    closes = tuple(sorted(DAY_MS * 10 - HOUR_MS * ago for ago in values))
    close = tuple(values[(DAY_MS * 10 - at) // HOUR_MS] for at in closes)
    return OpenInterestHistory(Unit.USD, HOUR_MS, closes, None, None, None, close, "one exchange")


def test_a_percentile_counts_the_values_before_the_newest() -> None:
    assert percentile_frac([*range(1, 101), 75.5]) == 0.75
    assert percentile_frac([1.0] * 21 + [1.0]) == 0.5


def test_a_percentile_needs_twenty_earlier_values() -> None:
    assert percentile_frac([1.0] * 20) is None
    assert percentile_frac([1.0] * 20 + [2.0]) == 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=22, max_size=60))
def test_a_mirrored_history_has_the_mirrored_percentile(values: list[float]) -> None:
    share = percentile_frac(values)
    mirrored = percentile_frac([-value for value in values])
    assert share is not None
    assert mirrored == pytest.approx(1 - share)


def test_a_ratio_of_all_longs_is_not_a_number() -> None:
    assert long_short_ratio(0.75) == 3.0
    assert long_short_ratio(1.0) is None


def test_funding_of_four_hours_is_doubled_for_eight_and_yearly_for_its_own_period() -> None:
    assert venue("A", 0.0001, 4.0).rate_8h_frac == pytest.approx(0.0002)
    assert venue("A", 0.0001, 4.0).annualised_frac == pytest.approx(0.219)
    assert venue("A", 0.0001).annualised_frac == pytest.approx(0.1095)


def test_a_spread_compares_venues_per_eight_hours_and_names_both_legs() -> None:
    spread = funding_spread([venue("A", 0.0001), venue("B", 0.0001, 4.0), venue("C", 0.00015)])
    assert spread is not None
    assert (spread.long_exchange, spread.short_exchange) == ("A", "B")
    assert spread.spread_8h_frac == pytest.approx(0.0001)
    assert spread.annualised_frac == pytest.approx(0.1095)


def test_a_spread_needs_two_stablecoin_margined_venues() -> None:
    assert funding_spread([venue("A", 0.0001)]) is None
    assert funding_spread([venue("A", 0.0001), venue("B", -0.01, 8.0, Margin.COIN)]) is None


def test_negated_rates_swap_the_legs_of_a_spread() -> None:
    venues = [venue("A", 0.0001), venue("B", -0.0003), venue("C", 0.0002, 4.0)]
    plain = funding_spread(venues)
    mirrored = funding_spread([venue(v.exchange, -v.rate_frac, v.interval_h) for v in venues])
    assert plain is not None
    assert mirrored is not None
    assert (mirrored.long_exchange, mirrored.short_exchange) == (plain.short_exchange, plain.long_exchange)
    assert mirrored.spread_8h_frac == pytest.approx(plain.spread_8h_frac)


def test_a_change_is_taken_over_exactly_the_span_or_not_at_all() -> None:
    bars = history({24: 100.0, 4: 105.0, 0: 110.0})
    assert open_interest_changes(bars, None) == {
        "1h": None,
        "4h": pytest.approx(110 / 105 - 1),
        "24h": pytest.approx(0.1),
    }
    assert open_interest_changes(history({23: 100.0, 0: 110.0}), None)["24h"] is None
    assert change_over([], [], DAY_MS) is None


def test_the_change_stated_with_the_newest_figure_wins() -> None:
    total = VenueOpenInterest("All", True, 1e9, None, {"24h": -0.05})
    found = open_interest_changes(history({24: 100.0, 1: 109.0, 0: 110.0}), total)
    assert found["24h"] == -0.05
    assert found["1h"] == pytest.approx(110 / 109 - 1)
