"""Rolling windows of liquidations against sums made the slow way."""

from __future__ import annotations

import random
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.flow.columns import exact
from app.core.flow.windows import WINDOWS_S, LiquidationWindows
from tests.event_facts import T

Event: TypeAlias = tuple[int, bool, float, float]  # ts_ms, is_long, usd, price

SECOND_WINDOWS = [window_s for window_s in WINDOWS_S if window_s <= 300]


def windows() -> LiquidationWindows:
    return LiquidationWindows(hot_s=30, alarm_usd=50_000.0, floor_usd=5_000.0, disorder_s=5)


def filled(events: list[Event]) -> LiquidationWindows:
    made = windows()
    for event in events:
        made.add(*event)
    return made


def slow_sums(events: list[Event], from_s: int) -> tuple[float, float, int, int]:
    longs = [exact(usd) for ts_ms, is_long, usd, _ in events if ts_ms // 1000 >= from_s and is_long]
    shorts = [exact(usd) for ts_ms, is_long, usd, _ in events if ts_ms // 1000 >= from_s and not is_long]
    return sum(longs), sum(shorts), len(longs), len(shorts)


def slow_extremes(events: list[Event], from_s: int) -> tuple[float, float | None, float | None]:
    inside = [event for event in events if event[0] // 1000 >= from_s]
    prices = [price for _, _, _, price in inside]
    largest = max((exact(usd) for _, _, usd, _ in inside), default=0.0)
    return largest, min(prices, default=None), max(prices, default=None)


def check(made: LiquidationWindows, events: list[Event], window_s: int, edge_s: int, as_of_s: int) -> None:
    window = made.window(window_s, as_of_s)
    sums = window.long_usd, window.short_usd, window.long_events, window.short_events
    assert sums == slow_sums(events, edge_s)
    assert (window.largest_usd, window.low, window.high) == slow_extremes(events, edge_s)


@st.composite
def arrivals(draw: st.DrawFn, most_late_ms: int = 5_000) -> list[Event]:
    """Events in the order in which they arrive, each late by up to 5 s; quiet and busy stretches."""
    steps = st.one_of(st.integers(0, 1_500), st.integers(0, 90_000))
    usd = st.floats(0.01, 5e6)
    facts = st.tuples(steps, st.integers(0, most_late_ms), st.booleans(), usd, st.floats(1e-6, 1e6))
    arriving, now_ms = [], T
    for step, late_ms, is_long, amount, price in draw(st.lists(facts, min_size=1, max_size=40)):
        now_ms += step
        arriving.append((now_ms + late_ms, (now_ms, is_long, amount, price)))
    return [event for _, event in sorted(arriving)]


class TestAgainstSlowSums:
    @settings(max_examples=80)
    @given(arrivals(), st.integers(0, 400))
    def test_any_order_within_five_seconds_gives_the_same_sums(
        self, events: list[Event], wait_s: int
    ) -> None:
        made = filled(events)
        newest_s = max(ts_ms for ts_ms, *_ in events) // 1000
        for as_of_s in (newest_s, newest_s + wait_s):
            for window_s in WINDOWS_S:
                check(made, events, window_s, as_of_s - window_s, as_of_s)
        assert made.late == 0

    @settings(max_examples=30)
    @given(arrivals(most_late_ms=290_000))
    def test_so_does_any_order_within_the_retained_seconds(self, events: list[Event]) -> None:
        newest_s = max(ts_ms for ts_ms, *_ in events) // 1000
        for window_s in SECOND_WINDOWS:
            check(filled(events), events, window_s, newest_s - window_s, newest_s)

    @settings(max_examples=30)
    @given(arrivals())
    def test_the_mirror_of_the_events_has_the_mirror_of_the_sums(self, events: list[Event]) -> None:
        swapped = [(ts_ms, not is_long, usd, price) for ts_ms, is_long, usd, price in events]
        as_they_are, mirror = filled(events), filled(swapped)
        for window_s in WINDOWS_S:
            one, other = as_they_are.window(window_s, 0), mirror.window(window_s, 0)
            assert (one.long_usd, one.long_events) == (other.short_usd, other.short_events)
            assert (one.short_usd, one.short_events) == (other.long_usd, other.long_events)
            assert one.largest_usd == other.largest_usd

    def test_a_day_with_late_and_very_late_events(self) -> None:
        """Long enough that old seconds were folded into minutes and old minutes dropped."""
        draw = random.Random(11)
        made, events, now_ms = windows(), [], T
        for number in range(9_000):
            now_ms += draw.choice((0, 200, 1_000, 9_000, 40_000))
            late_ms = draw.choice((0, 0, 0, 3_000, 4_900, 60_000, 1_200_000)) if number > 3_000 else 0
            event = (now_ms - late_ms, draw.random() < 0.4, draw.uniform(10, 9_000), draw.uniform(50, 60))
            made.add(*event)
            events.append(event)
            if number % 900 == 899:
                newest_s = now_ms // 1000
                for window_s in SECOND_WINDOWS:
                    check(made, events, window_s, made.second - window_s, 0)
                for window_s in (3_600, 86_400):
                    edge_s = made.second - window_s
                    whole_minutes = edge_s if edge_s > made.seconds.units[0] else edge_s // 60 * 60
                    check(made, events, window_s, whole_minutes, 0)
                assert newest_s - made.second <= 5
        assert now_ms - T > 86_400_000
        assert made.late > 1_000

    def test_minutes_before_are_the_sums_of_whole_minutes(self) -> None:
        draw = random.Random(12)
        events = [(T + draw.randrange(20_000_000), draw.random() < 0.5, 100.0, 5.0) for _ in range(3_000)]
        events.sort(key=lambda event: event[0] + draw.randrange(5_000))
        made = filled(events)
        for count in (1, 30, 300):
            past: dict[int, float] = {}
            for ts_ms, _, usd, _ in events:
                past[ts_ms // 60_000] = past.get(ts_ms // 60_000, 0.0) + usd
            first = made.minute - count
            wanted = {minute: past[minute] for minute in sorted(past) if first <= minute < made.minute}
            assert list(made.minutes_before(made.minute, count).items()) == list(wanted.items())


class TestEdges:
    def test_a_window_covers_its_seconds_and_up_to_one_more(self) -> None:
        made = filled([(T, True, 100.0, 5.0), (T + 30_999, False, 50.0, 6.0)])
        assert made.window(30, 0).long_usd == 100.0
        made.add(T + 31_000, True, 1.0, 5.0)
        assert made.window(30, 0).long_usd == 1.0

    def test_windows_empty_as_time_passes(self) -> None:
        made = filled([(T, True, 100.0, 5.0)])
        second = T // 1000
        assert made.window(10, second + 10).long_events == 1
        empty = made.window(10, second + 11)
        assert (empty.long_usd, empty.long_events, empty.largest_usd, empty.low) == (0.0, 0, 0.0, None)

    def test_nothing_is_nothing(self) -> None:
        assert windows().window(86_400, T // 1000).low is None

    def test_cents_add_up_exactly(self) -> None:
        made = filled([(T + 10 * k, True, 0.1, 5.0) for k in range(10_000)])
        assert made.window(300, 0).long_usd == 10_000 * exact(0.1)
        assert exact(0.1) == pytest.approx(0.1, abs=0.0005)
        assert exact(3_858.184) == 3_858.18359375


class TestLateness:
    def test_more_than_five_seconds_behind_counts_as_late(self) -> None:
        made = filled(
            [(T + 10_000, True, 1.0, 5.0), (T + 5_000, True, 1.0, 5.0), (T + 4_999, True, 1.0, 5.0)]
        )
        assert made.late == 1

    def test_an_event_of_yesterday_is_in_no_window(self) -> None:
        made = windows()
        for minute in range(3_000):
            made.add(T + minute * 60_000, True, 1.0, 5.0)
        before = [made.window(window_s, 0) for window_s in WINDOWS_S]
        assert not made.add(T, True, 1e9, 5.0)
        assert [made.window(window_s, 0) for window_s in WINDOWS_S] == before

    def test_an_hour_old_event_is_in_the_day_and_not_in_the_minute(self) -> None:
        made = windows()
        for second in range(8_000):
            made.add(T + second * 1000, True, 1.0, 5.0)
        before = made.window(60, 0)
        assert not made.add(T + 1_000_000, False, 500.0, 4.0)
        assert made.window(60, 0) == before
        day = made.window(86_400, 0)
        assert (day.short_usd, day.largest_usd, day.low) == (500.0, 500.0, 4.0)


class TestCost:
    def test_memory_is_bounded(self) -> None:
        made = windows()
        for second in range(100_000):
            made.add(T + second * 1000, True, 1.0, 5.0)
        assert len(made.seconds.units) <= 700
        assert len(made.minutes.units) <= 1_441 + 256 + 2

    def test_quiet_events_wake_nobody(self) -> None:
        made = windows()
        woken = [made.add(T + k * 1000, k % 2 == 0, 40.0, 5.0) for k in range(500)]
        assert not any(woken)

    def test_the_event_that_reaches_the_threshold_wakes(self) -> None:
        made = windows()
        assert not made.add(T, True, 4_999.0, 5.0)
        assert made.add(T, True, 1.0, 5.0)  # the minute is loud
        made.no_alarm_below(float("inf"))
        assert not made.add(T + 29_000, True, 44_999.0, 5.0)
        assert made.add(T + 30_999, True, 1.0, 5.0)  # 50,000 within 30 s
        assert not made.add(T + 60_000, True, 1.0, 5.0)
