"""Which event is new, and what its time is."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.flow import StreamFrame
from app.core.domain.stored import LiquidationRow
from app.core.flow import identify
from app.core.flow.identify import MAX_IDS, Identifier
from app.core.flow.ids import liquidation_id
from app.core.heatmap.buckets import bucket_of
from tests.event_facts import T, event, frame, tick, trade


class TestRows:
    def test_a_row_has_the_facts_of_its_event(self) -> None:
        (row,) = Identifier().identify(frame(event("SHORT", 3_858.184, 1.5, price=56_738.0), at_s=2.0))
        facts = ("coinglass", "Binance", "BTCUSDT", T + 1_500, "SHORT", 56_738.0, 3_858.184)
        assert row == LiquidationRow(
            symbol="BTC",
            ts_event_ms=T + 1_500,
            id=liquidation_id(*facts, 0),
            source="coinglass",
            exchange="Binance",
            pair="BTCUSDT",
            liquidated_side="SHORT",
            price=56_738.0,
            usd=3_858.184,
            base=3_858.184 / 56_738.0,
            bucket=bucket_of(56_738.0),
            ts_init_ms=T + 2_000,
        )
        assert isinstance(row, LiquidationRow)

    def test_the_order_of_the_frame_stays(self) -> None:
        rows = Identifier().identify(frame(event(at_s=3.0), event(at_s=1.0), event(at_s=2.0)))
        assert [row.ts_event_ms - T for row in rows] == [3_000, 1_000, 2_000]

    @given(st.floats(1e-9, 1e7))
    def test_the_bucket_is_that_of_the_heatmap(self, price: float) -> None:
        (row,) = Identifier().identify(frame(event(price=price)))
        assert row.bucket == bucket_of(price)


class TestTwins:
    def test_equal_fills_of_one_millisecond_are_two(self) -> None:
        identifier = Identifier()
        rows = identifier.identify(frame(event(), event())) + identifier.identify(frame(event()))
        facts = ("coinglass", "Binance", "BTCUSDT", T, "LONG", 60_000.0, 500.0)
        assert [row.id for row in rows] == [liquidation_id(*facts, nth) for nth in range(3)]
        assert identifier.duplicates == 0

    def test_a_whole_frame_that_comes_again_is_a_repetition(self) -> None:
        identifier = Identifier()
        both = frame(event(), event(usd=7.0))
        assert len(identifier.identify(both)) == 2
        assert identifier.identify(both) == []
        assert identifier.duplicates == 2
        # The same order beside another is its twin.
        assert len(identifier.identify(frame(event(), event(usd=8.0)))) == 2

    def test_other_sources_are_counted_alone(self) -> None:
        identifier = Identifier()
        first = identifier.identify(frame(event()))
        second = identifier.identify(frame(event(), source="okx", gap_s=1.0))
        assert first[0].id != second[0].id
        twin = identifier.identify(frame(event(), event(usd=7.0)))
        assert twin[0].id not in (first[0].id, second[0].id)


class TestReplays:
    def test_what_comes_again_after_a_reconnect_is_left_out(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event(at_s=1.0), event(at_s=2.0)))
        rows = identifier.identify(frame(event(at_s=2.0), event(at_s=1.0), event(at_s=3.0), gap_s=5.0))
        assert [row.ts_event_ms - T for row in rows] == [3_000]
        assert identifier.duplicates == 2

    def test_a_frame_without_liquidations_can_tell_of_the_reconnect(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event()))
        assert identifier.identify(frame(gap_s=1.0)) == []
        assert identifier.identify(frame(event())) == []

    def test_more_of_the_same_than_were_known_are_new(self) -> None:
        identifier = Identifier()
        before = identifier.identify(frame(event(), event()))
        rows = identifier.identify(frame(event(), event(), event(), gap_s=1.0))
        assert len(rows) == 1
        assert rows[0].id not in {row.id for row in before}
        assert identifier.identify(frame(event()))[0].id != rows[0].id

    @settings(max_examples=60)
    @given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
    def test_matching_is_that_of_multisets(self, before: list[int], after: list[int]) -> None:
        identifier = Identifier()
        known = identifier.identify(frame(*(event(at_s=kind) for kind in before)))
        new = identifier.identify(frame(*(event(at_s=kind) for kind in after), gap_s=5.0))
        for kind in range(4):
            expected = max(0, after.count(kind) - before.count(kind))
            assert sum(row.ts_event_ms == T + kind * 1000 for row in new) == expected
        assert len({row.id for row in known + new}) == len(known) + len(new)

    def test_a_second_reconnect_still_knows_all_of_it(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event(at_s=1.0)))
        identifier.identify(frame(event(at_s=2.0), gap_s=5.0))
        assert identifier.identify(frame(event(at_s=1.0), event(at_s=2.0), gap_s=6.0)) == []

    def test_stored_rows_are_remembered_after_a_start(self) -> None:
        rows = Identifier().identify(frame(event(), event(), event(at_s=1.0)))
        identifier = Identifier()
        identifier.remember(rows)
        again = identifier.identify(frame(event(), event(at_s=1.0), event(), event(), gap_s=2.0))
        assert [row.ts_event_ms for row in again] == [T]
        assert again[0].id not in {row.id for row in rows}


class TestMemory:
    def test_ids_are_bounded(self) -> None:
        identifier = Identifier()
        for start in range(0, 3 * MAX_IDS, 10_000):
            events = (event(usd=100.0 + k, at_s=60.0) for k in range(start, start + 10_000))
            identifier.identify(frame(*events))
            assert identifier.remembered <= 2 * MAX_IDS
        assert identifier.remembered > MAX_IDS

    def test_ids_are_kept_for_a_quarter_of_an_hour(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event(at_s=0.0), at_s=0.0))
        for minute in range(1, 15):
            identifier.identify(frame(event(at_s=minute * 60.0), at_s=minute * 60.0))
        assert identifier.identify(frame(event(at_s=0.0), at_s=900.0, gap_s=890.0)) == []

    def test_and_not_for_ever(self) -> None:
        identifier = Identifier()
        for minute in range(0, 46, 5):
            identifier.identify(frame(event(at_s=minute * 60.0), at_s=minute * 60.0))
        assert identifier.remembered < 8

    def test_twins_on_both_sides_of_a_generation_are_two(self) -> None:
        identifier = Identifier()
        one = event(at_s=60.0)
        rows = identifier.identify(frame(one))
        identifier.identify(frame(*(event(usd=1_000.0 + k, at_s=60.0) for k in range(MAX_IDS - 1))))
        rows += identifier.identify(frame(one, event(usd=7.0, at_s=60.0)))
        rows += identifier.identify(frame(one, event(usd=8.0, at_s=60.0)))
        assert len({row.id for row in rows}) == 5
        assert identifier.duplicates == 0


class TestClocks:
    def test_an_event_from_the_future_has_the_time_of_its_arrival(self) -> None:
        identifier = Identifier()
        late, ahead = identifier.identify(frame(event(at_s=9.0), event(at_s=310.0), at_s=10.0))
        assert (late.ts_event_ms, late.extras) == (T + 9_000, None)
        assert ahead.ts_event_ms == T + 10_000
        assert json.loads(ahead.extras or "") == {"stated_ts_ms": T + 310_000}
        assert ahead.id == liquidation_id("coinglass", "Binance", "BTCUSDT", T + 310_000, "LONG", 6e4, 5e2, 0)
        assert identifier.skewed == 1

    def test_prices_from_the_future_have_the_time_of_their_arrival(self) -> None:
        identifier = Identifier()
        prices = StreamFrame(
            "okx", T + 10_000, trades=(trade(True, 5e3, 3_600.0),), ticks=(tick(6e4, 9.0), tick(9e9, 16.0))
        )
        checked = identifier.in_time(prices)
        assert [one.ts_event_ms - T for one in (*checked.trades, *checked.ticks)] == [10_000, 9_000, 10_000]
        assert identifier.skewed == 2
        assert identifier.in_time(checked) is checked

    def test_a_venue_a_little_ahead_is_believed(self) -> None:
        identifier = Identifier()
        (row,) = identifier.identify(frame(event(at_s=14.0), at_s=10.0))
        assert (row.ts_event_ms, identifier.skewed) == (T + 14_000, 0)

    def test_an_hour_old_event_keeps_its_age(self) -> None:
        (row,) = Identifier().identify(frame(event(at_s=-3_600.0), at_s=10.0))
        assert (row.ts_event_ms, row.ts_init_ms) == (T - 3_600_000, T + 10_000)

    def test_our_clock_stepping_back_moves_no_event(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event(at_s=9.0), at_s=10.0))
        rows = identifier.identify(frame(event(at_s=10.0), at_s=10.0 - 3_600.0))
        rows += identifier.identify(frame(event(at_s=20.0), at_s=20.0 - 3_600.0))
        assert [row.ts_event_ms - T for row in rows] == [10_000, 20_000]
        assert identifier.skewed == 0

    def test_a_step_is_forgotten_when_clock_and_events_agree_again(self) -> None:
        identifier = Identifier()
        identifier.identify(frame(event(at_s=9.0), at_s=10.0))
        identifier.identify(frame(event(at_s=10.0), at_s=10.0 - 3_600.0))
        identifier.identify(frame(event(at_s=20.0), at_s=21.0))
        (row,) = identifier.identify(frame(event(at_s=3_000.0), at_s=30.0))
        assert row.ts_event_ms == T + 30_000
        assert identify.MAX_AHEAD_MS == 5_000
