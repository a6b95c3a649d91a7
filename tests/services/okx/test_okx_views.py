"""OKX's part of the typed routes: contracts become USD, sides stay, larger bars are hourly closes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.market import DAY_MS, HOUR_MS, Series, Unit
from app.core.domain.quality import CacheState
from app.core.errors import ProviderNoData
from app.core.ports import Fetched
from app.services.okx.liquidations import Liquidated, Order, Walk
from app.services.okx.views import WINDOWS_MS, resampled, window_totals

NOW_MS = 20 * DAY_MS + 20 * 60_000
LONG, SHORT = Liquidated.LONG, Liquidated.SHORT


def walk(*orders: Order, back_ms: int = DAY_MS, ended: bool = False) -> Walk:
    newest_first = tuple(sorted(orders, key=lambda order: -order.ts_ms))
    return Walk(newest_first, NOW_MS, NOW_MS - back_ms, ended)


def hourly(hours: int) -> Fetched[Series]:
    last_close = NOW_MS - NOW_MS % HOUR_MS
    closes = tuple(last_close - HOUR_MS * n for n in range(hours - 1, -1, -1))
    values = tuple(float(close // HOUR_MS % 1000) for close in closes)
    series = Series(Unit.FRAC, HOUR_MS, closes, values, "OKX accounts net long")
    return Fetched(series, "endpoint", last_close, NOW_MS, CacheState.HIT)


def test_contracts_times_their_size_times_price_are_usd() -> None:
    found = window_totals(walk(Order(NOW_MS - 1_800_000, LONG, 2.0, 50_000.0)), 0.01)
    assert {window: (totals.long_usd, totals.short_usd) for window, totals in found.items()} == dict.fromkeys(
        WINDOWS_MS, (1_000.0, 0.0)
    )


def test_an_order_counts_in_the_windows_that_reach_back_to_it() -> None:
    orders = [Order(NOW_MS - hours * HOUR_MS + 1, SHORT, 1.0, 10.0) for hours in (1, 4, 12, 24)]
    found = window_totals(walk(*orders), 1.0)
    assert [found[window].short_usd for window in WINDOWS_MS] == [10.0, 20.0, 30.0, 40.0]


def test_a_window_that_was_not_read_back_to_is_absent_not_small() -> None:
    orders = [Order(NOW_MS - n * 60_000, LONG, 1.0, 10.0) for n in range(100)]
    assert set(window_totals(walk(*orders, back_ms=5 * HOUR_MS), 1.0)) == {"1h", "4h"}


def test_orders_that_simply_end_half_an_hour_ago_cover_no_hour() -> None:
    orders = [Order(NOW_MS - n * 10_000, LONG, 1.0, 10.0) for n in range(180)]
    assert window_totals(walk(*orders, back_ms=HOUR_MS // 2, ended=True), 1.0) == {}


def test_without_any_order_nothing_is_known() -> None:
    assert window_totals(walk(ended=True), 1.0) == {}


orders = st.lists(
    st.builds(
        Order,
        ts_ms=st.integers(NOW_MS - DAY_MS, NOW_MS),
        liquidated=st.sampled_from(Liquidated),
        contracts=st.floats(0.1, 1e6),
        price_usd=st.floats(1e-6, 1e5),
    ),
    min_size=1,
    max_size=40,
)


@given(orders)
def test_swapping_the_sides_of_all_orders_swaps_the_sums(drawn: list[Order]) -> None:
    swapped = [
        Order(o.ts_ms, SHORT if o.liquidated is LONG else LONG, o.contracts, o.price_usd) for o in drawn
    ]
    plain, mirrored = window_totals(walk(*drawn), 0.01), window_totals(walk(*swapped), 0.01)
    for window, totals in plain.items():
        assert totals.long_usd == pytest.approx(mirrored[window].short_usd)
        assert totals.short_usd == pytest.approx(mirrored[window].long_usd)


@given(orders)
def test_a_wider_window_never_holds_less(drawn: list[Order]) -> None:
    found = [window_totals(walk(*drawn), 1.0)[window].total_usd for window in WINDOWS_MS]
    assert all(narrow <= wide * (1 + 1e-9) for narrow, wide in pairwise(found))


@pytest.mark.parametrize(("interval", "hours"), [("4h", 4), ("8h", 8), ("12h", 12), ("1d", 24)])
def test_a_larger_bar_is_the_hourly_value_at_its_close(interval: str, hours: int) -> None:
    found = resampled(hourly(100), interval)
    assert found.value.interval_ms == hours * HOUR_MS
    assert all(close % (hours * HOUR_MS) == 0 for close in found.value.close_ms)
    assert found.value.values == tuple(float(close // HOUR_MS % 1000) for close in found.value.close_ms)
    assert found.ts_event_ms == found.value.close_ms[-1] <= NOW_MS


def test_an_hour_and_no_interval_are_the_series_itself() -> None:
    assert resampled(hourly(10), None) == resampled(hourly(10), "1h") == hourly(10)


def test_smaller_bars_are_not_invented() -> None:
    with pytest.raises(ProviderNoData, match="hour by hour"):
        resampled(hourly(10), "15m")


def test_a_bar_that_has_not_closed_is_not_shown() -> None:
    with pytest.raises(ProviderNoData, match="1d bar"):
        resampled(hourly(1), "1d") if NOW_MS % DAY_MS >= HOUR_MS else resampled(hourly(0), "1d")
