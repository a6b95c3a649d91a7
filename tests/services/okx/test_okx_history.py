"""Pages on a grid, their freshness, and the join; funding periods; hourly liquidation sums."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.market import DAY_MS, HOUR_MS, Price, PriceKind
from app.core.errors import ProviderBadPayload, ProviderNoData, ProviderRateLimited
from app.services.okx.figures import range_figures, ticker_figures
from app.services.okx.funding import (
    build_funding,
    join_settled,
    past_pages_ms,
    periods_h,
    settled_between,
    settled_freshness,
)
from app.services.okx.history import (
    Page,
    days_freshness,
    grid_pages,
    join_pages,
    newest_closed_open_ms,
    newest_days,
    newest_run,
    page_freshness,
    require_enough,
)
from app.services.okx.liquidations import (
    Liquidated,
    Order,
    Walk,
    build_history,
    next_cursor_ms,
    window_start_ms,
)
from app.services.okx.parse import PAGE_ROWS, FundingNow, Rows, TickerFacts
from app.services.transport.cache import Cached

T = 1_760_000_400_000


def _cached(rows: Rows, fetched_ms: int = T) -> Cached[Rows]:
    return Cached(rows, fetched_ms, "miss")


def _hours(first: int, count: int) -> Rows:
    return {first + k * HOUR_MS: (float(k + 1),) for k in range(count)}


class TestGrid:
    @given(now_ms=st.integers(1_500_000_000_000, 2_000_000_000_000))
    def test_pages_cover_every_asked_bar_once(self, now_ms: int) -> None:
        pages = grid_pages(now_ms, page_bars=100, bars=745)
        newest = newest_closed_open_ms(now_ms)
        assert pages[0].start_ms <= newest - 744 * HOUR_MS < pages[0].end_ms
        assert pages[-1].start_ms <= newest < pages[-1].end_ms
        assert all(left.end_ms == right.start_ms for left, right in pairwise(pages))
        assert len({page.start_ms % (50 * HOUR_MS) for page in pages}) == 1
        assert all(page.start_ms % (50 * HOUR_MS) == 0 for page in pages)

    @given(now_ms=st.integers(1_500_000_000_000, 2_000_000_000_000))
    def test_thirty_days_and_a_day_of_candles_are_always_three_pages(self, now_ms: int) -> None:
        assert len(grid_pages(now_ms, page_bars=300, bars=745)) == 3

    def test_an_hour_that_ends_now_is_closed(self) -> None:
        assert newest_closed_open_ms(T) == T - HOUR_MS
        assert newest_closed_open_ms(T - 1) == T - 2 * HOUR_MS


class TestFreshness:
    def test_a_past_page_keeps_for_a_day(self) -> None:
        page = Page(T - 200 * HOUR_MS, T - 100 * HOUR_MS)
        rows = _hours(page.start_ms, 100)
        assert page_freshness(page, rows, T).fresh_ms == DAY_MS

    def test_the_newest_page_keeps_until_the_next_bar_closes(self) -> None:
        page = Page(T - 50 * HOUR_MS, T + 50 * HOUR_MS)
        fresh = page_freshness(page, _hours(page.start_ms, 50), T + 60_000)
        assert fresh.fresh_ms == HOUR_MS - 60_000

    def test_a_late_bar_is_asked_for_again_in_twenty_seconds(self) -> None:
        page = Page(T - 50 * HOUR_MS, T + 50 * HOUR_MS)
        assert page_freshness(page, _hours(page.start_ms, 49), T + 60_000).fresh_ms == 20_000

    def test_a_bar_missing_for_hours_is_not_waited_for(self) -> None:
        page = Page(T - 107 * HOUR_MS, T - 7 * HOUR_MS)
        assert page_freshness(page, {}, T).fresh_ms == DAY_MS


class TestJoin:
    def test_a_bucket_still_filling_when_fetched_stays_out_after_it_closed(self) -> None:
        page = _cached(_hours(T - 2 * HOUR_MS, 3), fetched_ms=T + 60_000)
        joined = join_pages([page], now_ms=T + HOUR_MS + 1, bars=10, endpoint="x")
        assert list(joined) == [T - 2 * HOUR_MS, T - HOUR_MS]

    def test_a_clock_that_stepped_back_sees_no_future_bar(self) -> None:
        page = _cached(_hours(T - 2 * HOUR_MS, 2), fetched_ms=T)
        assert list(join_pages([page], now_ms=T - 1, bars=10, endpoint="x")) == [T - 2 * HOUR_MS]

    def test_overlapping_pages_give_each_bar_once_oldest_first(self) -> None:
        pages = [_cached(_hours(T - 4 * HOUR_MS, 3)), _cached(_hours(T - 3 * HOUR_MS, 3))]
        joined = join_pages(pages, now_ms=T, bars=3, endpoint="x")
        assert list(joined) == [T - 3 * HOUR_MS, T - 2 * HOUR_MS, T - HOUR_MS]

    def test_empty_pages_before_a_listing_are_fine(self) -> None:
        assert join_pages([_cached({}), _cached(_hours(T - HOUR_MS, 1))], now_ms=T, bars=9, endpoint="x")

    def test_an_empty_page_in_the_middle_is_a_hole(self) -> None:
        pages = [_cached(_hours(T - 9 * HOUR_MS, 1)), _cached({}), _cached(_hours(T - HOUR_MS, 1))]
        with pytest.raises(ProviderNoData, match="hole"):
            join_pages(pages, now_ms=T, bars=9, endpoint="x")

    def test_a_frozen_history_is_no_data(self) -> None:
        with pytest.raises(ProviderNoData, match="frozen"):
            join_pages([_cached(_hours(T - 9 * HOUR_MS, 2))], now_ms=T, bars=9, endpoint="x")

    def test_nothing_closed_is_no_data(self) -> None:
        with pytest.raises(ProviderNoData):
            join_pages([_cached(_hours(T, 1))], now_ms=T, bars=9, endpoint="x")


_BUSY = ProviderRateLimited("okx", "x", "call budget used up")


class TestMissingPages:
    def test_the_oldest_pages_may_be_missing(self) -> None:
        newest, older = _cached(_hours(T - HOUR_MS, 1)), _cached(_hours(T - 2 * HOUR_MS, 1))
        assert newest_run([newest, older, _BUSY, _BUSY]) == [older, newest]

    def test_without_the_newest_page_there_is_no_history(self) -> None:
        with pytest.raises(ProviderRateLimited):
            newest_run([_BUSY, _cached(_hours(T - HOUR_MS, 1))])

    def test_a_page_missing_in_the_middle_is_a_hole(self) -> None:
        page = _cached(_hours(T - HOUR_MS, 1))
        with pytest.raises(ProviderRateLimited):
            newest_run([page, _BUSY, page])

    def test_a_hundred_bars_must_be_left(self) -> None:
        page = _cached({})
        require_enough(_hours(T, 100), [page, _BUSY])
        with pytest.raises(ProviderRateLimited):
            require_enough(_hours(T, 99), [page, _BUSY])

    def test_a_young_coin_misses_no_page(self) -> None:
        require_enough(_hours(T, 3), [_cached({}), _cached({})])
        with pytest.raises(ProviderRateLimited):  # as old as any coin, had the second page come
            require_enough(_hours(T, 3), [_cached({}), _BUSY])


@pytest.mark.parametrize("change", [float("inf"), 101.0])
def test_a_change_no_market_makes_in_a_day_is_refused(change: float) -> None:
    facts = TickerFacts(Price(1.0, PriceKind.LAST_TRADE, "OKX"), T, None, None, change, None)
    with pytest.raises(ProviderBadPayload, match="not plausible"):
        ticker_figures(facts)


class TestRange:
    def test_the_last_close_lies_between_the_extremes(self) -> None:
        days = {T: (100.0, 120.0, 90.0, 100.0, 1.0), T + DAY_MS: (100.0, 115.0, 80.0, 110.0, 1.0)}
        figures = {r.name: r.value for r in range_figures(days)}
        assert figures == {"high90dUsd": 120, "low90dUsd": 80, "positionInRangeFrac": 0.75, "days": 2}

    def test_a_price_that_never_moved_has_no_position(self) -> None:
        figures = {r.name for r in range_figures({T: (1.0, 1.0, 1.0, 1.0, 0.0)})}
        assert figures == {"high90dUsd", "low90dUsd", "days"}

    @given(
        closes=st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=90),
        spread=st.floats(0, 1),
    )
    def test_the_position_is_a_fraction(self, closes: list[float], spread: float) -> None:
        days = {
            T + k * DAY_MS: (close, close * (1 + spread), close / (1 + spread), close, 1.0)
            for k, close in enumerate(closes)
        }
        figures = {r.name: r.value for r in range_figures(days)}
        assert 0 <= figures.get("positionInRangeFrac", 0.5) <= 1

    def test_days_cut_like_hours_and_a_late_one_is_asked_for_again(self) -> None:
        midnight = T // DAY_MS * DAY_MS
        days = {midnight - k * DAY_MS: (1.0,) for k in range(100)}
        found = newest_days(_cached(days, midnight + HOUR_MS), now_ms=midnight + DAY_MS, endpoint="x")
        assert (len(found), max(found)) == (90, midnight - DAY_MS)
        assert days_freshness(days, midnight + HOUR_MS).fresh_ms == 23 * HOUR_MS
        assert days_freshness({}, midnight + HOUR_MS).fresh_ms == 20_000

    def test_days_that_stopped_long_ago_are_no_data(self) -> None:
        with pytest.raises(ProviderNoData, match="frozen"):
            newest_days(_cached({T - 5 * DAY_MS: (1.0,)}), now_ms=T, endpoint="x")
        with pytest.raises(ProviderNoData, match="no closed"):
            newest_days(_cached({}), now_ms=T, endpoint="x")


class TestFunding:
    def test_each_settlement_is_normalised_by_its_own_period(self) -> None:
        eight = {T - hours * HOUR_MS: (0.0001,) for hours in (36, 28, 20, 12)}
        four = {T - hours * HOUR_MS: (0.00005,) for hours in (8, 4, 0)}
        running = FundingNow(0.00005, 4, T + 4 * HOUR_MS, T + 60_000)
        series = build_funding(eight | four, running, now_ms=T + 120_000)
        assert series.values == pytest.approx((0.0001,) * 8)
        assert series.close_ms[-1] == T + 60_000
        assert series.interval_ms == 4 * HOUR_MS

    def test_a_missing_settlement_does_not_halve_a_rate(self) -> None:
        stamps = (T - 24 * HOUR_MS, T - 8 * HOUR_MS, T)
        assert periods_h(stamps, 8) == (8, 8, 8)
        four = tuple(T - hours * HOUR_MS for hours in (24, 20, 16, 8, 4, 0))
        assert periods_h(four, 4) == (4,) * 6
        newest = tuple(T - hours * HOUR_MS for hours in (20, 16, 12, 8, 0))
        assert periods_h(newest, 4) == (4,) * 5

    def test_a_change_of_period_is_no_missing_settlement(self) -> None:
        shorter = tuple(T - hours * HOUR_MS for hours in (32, 24, 16, 8, 4, 0))
        assert periods_h(shorter, 4) == (8, 8, 8, 8, 4, 4)
        longer = tuple(T - hours * HOUR_MS for hours in (20, 16, 12, 8, 0))
        assert periods_h(longer, 8) == (4, 4, 4, 4, 8)

    def test_a_running_rate_read_before_its_settlement_is_outdated(self) -> None:
        settled = {T - 8 * HOUR_MS: (0.0003,), T: (0.0009,)}
        running = FundingNow(0.0001, 8, T, T - 20_000)
        series = build_funding(settled, running, now_ms=T + 5_000)
        assert (series.close_ms, series.values) == ((T - 8 * HOUR_MS, T), (0.0003, 0.0009))

    def test_pages_join_whatever_the_period(self) -> None:
        for now_ms in (T, T + DAY_MS - 1, T // DAY_MS * DAY_MS):
            for period_h, least in ((8, 190), (4, 190), (2, 130), (1, 165)):
                period_ms = period_h * HOUR_MS
                pages = [
                    {at // period_ms * period_ms - k * period_ms: (0.0,) for k in range(100)}
                    for at in (now_ms, *(end_ms - 1 for end_ms in past_pages_ms(now_ms)))
                ]
                stamps = sorted(join_settled(pages[0], pages[1:]))
                assert {right - left for left, right in pairwise(stamps)} == {period_ms}
                assert len(stamps) >= least

    def test_a_past_page_that_does_not_reach_the_newest_is_left_out(self) -> None:
        newest = {T: (0.1,)}
        assert join_settled(newest, [{T - 3 * DAY_MS: (0.2,)}]) == newest
        assert join_settled({}, [newest]) == {}
        assert join_settled(newest, [{}]) == newest

    def test_a_provider_clock_ahead_of_ours_is_stamped_now(self) -> None:
        series = build_funding({}, FundingNow(0.0001, 8, T + HOUR_MS, T + 500), now_ms=T)
        assert series.close_ms == (T,)

    def test_at_the_instant_of_settlement_the_running_rate_stands_for_both(self) -> None:
        series = build_funding({T: (0.0009,)}, FundingNow(0.0001, 8, T + 8 * HOUR_MS, T), now_ms=T)
        assert (series.close_ms, series.values) == ((T,), (0.0001,))

    def test_settlements_of_a_stretch_are_all_there_or_unknown(self) -> None:
        settled = {T + hours * HOUR_MS: (0.0001 * hours,) for hours in (0, 8, 16)}
        hour = HOUR_MS
        paid = ((T + 8 * hour, pytest.approx(0.0008)), (T + 16 * hour, pytest.approx(0.0016)))
        assert settled_between(settled, T, T + 16 * hour) == paid
        # Who entered at the stamp does not pay it, who holds at it does.
        assert settled_between(settled, T + 8 * hour, T + 24 * hour - 1) == paid[1:]
        assert settled_between(settled, T + 8 * hour - 1, T + 8 * hour) == paid[:1]
        assert settled_between(settled, T + 9 * hour, T + 10 * hour) == ()
        # Before the first stamp, and once the next settlement is due.
        assert settled_between(settled, T - 1, T + 9 * hour) is None
        assert settled_between(settled, T + 9 * hour, T + 24 * hour) is None
        assert settled_between({}, T, T + 1) is None

    def test_a_hole_between_settlements_makes_the_stretch_over_it_unknown(self) -> None:
        settled = {T + hours * HOUR_MS: (0.0001,) for hours in (0, 8, 16, 32, 40, 48)}
        assert settled_between(settled, T + 10 * HOUR_MS, T + 17 * HOUR_MS) is None
        assert settled_between(settled, T + 25 * HOUR_MS, T + 30 * HOUR_MS) is None
        assert settled_between(settled, T + 33 * HOUR_MS, T + 41 * HOUR_MS) == ((T + 40 * HOUR_MS, 0.0001),)

    def test_settled_history_keeps_until_the_next_settlement(self) -> None:
        settled = {T - 8 * HOUR_MS: (0.0,), T: (0.0,)}
        assert settled_freshness(settled, T + HOUR_MS * 15 // 2).fresh_ms == HOUR_MS // 2
        assert settled_freshness(settled, T + 8 * HOUR_MS + 1).fresh_ms == 20_000


def _order(ts_ms: int, liquidated: Liquidated = Liquidated.LONG, price: float = 50_000.0) -> Order:
    return Order(ts_ms, liquidated, 2.0, price)


class TestLiquidations:
    def test_contracts_become_usd_by_the_contract_size(self) -> None:
        walk = Walk((_order(T - 1),), T, T, ended=True)
        assert build_history(walk, contract_base=0.01).long_usd[-1] == pytest.approx(1_000.0)
        walk = Walk((_order(T - 1, Liquidated.SHORT, 0.1),), T, T, ended=True)
        doge = build_history(walk, contract_base=1000)
        assert doge.short_usd[-1] == pytest.approx(200.0)
        assert doge.long_usd[-1] == 0.0

    def test_bars_are_the_last_24_closed_hours(self) -> None:
        history = build_history(Walk((_order(T - 1),), T + 5, T, ended=True), contract_base=0.01)
        assert history.close_ms[-1] == T
        assert len(history.close_ms) == len(history.long_usd) == 24

    def test_an_order_of_the_running_hour_waits_for_its_close(self) -> None:
        history = build_history(Walk((_order(T + 10),), T + 60_000, T, ended=True), contract_base=0.01)
        assert sum(history.long_usd) == 0.0

    def test_no_order_at_all_is_no_data(self) -> None:
        with pytest.raises(ProviderNoData):
            build_history(Walk((), T, T, ended=True), contract_base=0.01)

    def test_a_bound_hit_early_says_how_far_it_got(self) -> None:
        walk = Walk((_order(T - 1), _order(T - 5 * HOUR_MS)), T, T - 5 * HOUR_MS, ended=False)
        with pytest.raises(ProviderNoData, match="only 5 h of liquidation orders available"):
            build_history(walk, contract_base=0.01)

    def test_an_active_coin_whose_orders_end_early_is_not_filled_with_zeros(self) -> None:
        orders = tuple(_order(T - 1 - k * 60_000) for k in range(PAGE_ROWS + 50))
        with pytest.raises(ProviderNoData, match="only 2 h"):
            build_history(Walk(orders, T, T - HOUR_MS, ended=True), contract_base=0.01)

    def test_a_short_page_is_the_last(self) -> None:
        assert next_cursor_ms([_order(T)], T) is None

    def test_the_cursor_prefers_the_whole_hour(self) -> None:
        page = [_order(T + 60_000 - k * 1000) for k in range(PAGE_ROWS)]
        assert page[-1].ts_ms < T
        assert next_cursor_ms(page, T + HOUR_MS) == T

    def test_within_a_busy_hour_the_oldest_stamp_is_asked_again(self) -> None:
        page = [_order(T + 60_000 - k * 10) for k in range(PAGE_ROWS)]
        assert next_cursor_ms(page, T + 61_000) == page[-1].ts_ms + 1

    def test_a_page_of_one_millisecond_cannot_be_walked(self) -> None:
        with pytest.raises(ProviderNoData):
            next_cursor_ms([_order(T)] * PAGE_ROWS, T + 1)

    def test_the_window_starts_24_hours_before_the_running_hour(self) -> None:
        assert window_start_ms(T + 1) == T - 24 * HOUR_MS
