"""Minutes of liquidations that are out of the ordinary, of a coin and of the market."""

from __future__ import annotations

import math
from statistics import pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.flow import AlertKind, Finding, StreamGap
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.flow.bursts import PastMinutes
from app.core.flow.columns import exact
from app.core.flow.coverage import Coverage
from app.core.flow.engine import FlowEngine
from app.core.flow.market import MARKET
from app.core.flow.windows import LiquidationWindows
from tests.event_facts import CONFIG, T, feed, row


def zscores(found: list[Finding], symbol: str) -> list[Finding]:
    return [f for f in found if f.kind is AlertKind.LIQUIDATION_ZSCORE and f.symbol == symbol]


def after_hours(*, minutes: int = 310, symbol: str = "WIF", usd: float = 1_000.0) -> FlowEngine:
    """Minutes with one event each, every tenth ten times as large; the last one before T."""
    engine = FlowEngine(CONFIG)
    rows = [
        row("SHORT", usd * (10 if minute % 10 == 0 else 1), minute * 60.0, symbol=symbol)
        for minute in range(-minutes, 0)
    ]
    engine.restore(rows, T)
    return engine


class TestOrdinary:
    MINUTE = T // 60_000

    def past(self, usd: dict[int, float], reach: int = 300) -> PastMinutes:
        """usd: by minutes before T."""
        windows = LiquidationWindows(hot_s=30, alarm_usd=1e9, floor_usd=1e9, disorder_s=5)
        for ago in sorted(usd, reverse=True):
            windows.add(T - ago * 60_000, True, usd[ago], 1.0)
        past = PastMinutes()
        past.move_to(windows, self.MINUTE, reach)
        return past

    def test_the_worked_numbers(self) -> None:
        ordinary = self.past({200: 1e5, 20: 1e5, 2: 1e5, 0: 7.0}).ordinary(300)
        assert ordinary is not None
        assert ordinary.mean_usd == 1_000.0
        assert ordinary.deviation_usd == pytest.approx(9_950, abs=1)
        assert ordinary.z(31_000.0) == pytest.approx(3.02, abs=0.005)

    def test_where_nothing_varies_there_is_none(self) -> None:
        assert self.past({}).ordinary(300) is None
        assert self.past({ago: 5_000.1 for ago in range(301)}).ordinary(300) is None
        assert self.past({5: 5.0, 0: 1.0}).ordinary(0) is None

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.integers(0, 500), st.floats(1, 1e6)), max_size=60), st.booleans())
    def test_minute_by_minute_or_at_once_it_is_the_same(
        self, events: list[tuple[int, float]], is_ordered: bool
    ) -> None:
        one = LiquidationWindows(hot_s=30, alarm_usd=1e9, floor_usd=1e9, disorder_s=5)
        moving, values = PastMinutes(), [0.0] * 501
        for minute, usd in sorted(events) if is_ordered else events:
            one.add(T + minute * 60_000, True, usd, 1.0)
            values[minute] += exact(usd)
            moving.move_to(one, one.minute, 100)
        at_once, newest = PastMinutes(), max((minute for minute, _ in events), default=0)
        at_once.move_to(one, one.minute, 100)
        assert moving.ordinary(100) == at_once.ordinary(100)
        inside = [values[minute] if minute >= 0 else 0.0 for minute in range(newest - 100, newest)]
        ordinary = at_once.ordinary(100)
        deviation = 0.0 if ordinary is None else ordinary.deviation_usd
        assert deviation == pytest.approx(pstdev(inside), rel=1e-6, abs=1e-6)


class TestOfACoin:
    def test_more_than_three_deviations_are_said_as_soon_as_reached(self) -> None:
        engine = after_hours()
        mean, deviation = 1_900.0, 2_700.0
        small = feed(engine, row("LONG", mean + 3 * deviation - 1, 1.0, symbol="WIF"))
        (finding,) = zscores(feed(engine, row("LONG", 1_001.0, 2.0, symbol="WIF")), "WIF")
        assert zscores(small, "WIF") == []
        assert finding.usd == 11_000.0
        assert (finding.side, finding.direction) == (LiquidatedSide.LONG, Direction.NEUTRAL)
        evidence = dict(finding.evidence)
        assert evidence["z"] == pytest.approx((11_000 - mean) / deviation)
        assert (evidence["mean_minute_usd"], evidence["minutes"]) == (mean, 300.0)
        assert finding.percentile == 1.0

    def test_a_small_minute_says_nothing_however_quiet_the_coin(self) -> None:
        engine = after_hours(usd=1.0)
        assert zscores(feed(engine, row("LONG", 4_999.0, 1.0, symbol="WIF")), "WIF") == []
        assert zscores(feed(engine, row("LONG", 1.0, 2.0, symbol="WIF")), "WIF") != []

    def test_five_hours_must_have_been_seen(self) -> None:
        assert zscores(feed(after_hours(minutes=250), row("LONG", 45_000.0, 1.0, symbol="WIF")), "WIF") == []

    def test_it_ends_after_a_minute_without(self) -> None:
        engine = after_hours()
        feed(engine, row("LONG", 30_000.0, 1.0, symbol="WIF"), row("LONG", 10_000.0, 59.0, symbol="WIF"))
        assert zscores(engine.advance(T + 119_200), "WIF") == []
        (finding,) = zscores(engine.advance(T + 121_000), "WIF")
        assert (finding.is_final, finding.usd) == (True, 40_000.0)
        assert engine.counters()["busy"] == 0

    def test_minutes_that_follow_are_one_episode(self) -> None:
        engine = after_hours()
        rows = [row("LONG", 30_000.0, at_s, symbol="WIF") for at_s in (1.0, 61.0, 400.0)]
        found = zscores(feed(engine, *rows), "WIF")
        assert [finding.is_final for finding in found] == [False, False, True, False]
        assert len({finding.episode for finding in found}) == 2


class TestOfTheMarket:
    def test_many_coins_together_are_a_burst_of_the_market(self) -> None:
        engine = FlowEngine(CONFIG)
        feed(engine, *(row("LONG", 50_000.0 * (1 + m % 2), m * 60.0, symbol="ETH") for m in range(-310, 0)))
        rows = [row("LONG", 20_000.0, 1.0 + k / 100, symbol=f"COIN{k}") for k in range(15)]
        (finding,) = zscores(engine.on_liquidations(rows, T + 2_000), MARKET)
        assert (finding.usd, finding.side, finding.price) == (300_000.0, LiquidatedSide.LONG, None)
        assert dict(finding.evidence)["z"] > 3
        assert finding.ratio == 300_000.0 / CONFIG.tier_1.cascade_usd

    def test_its_windows_are_the_sum_of_the_coins(self) -> None:
        engine = FlowEngine(CONFIG)
        rows = [row("LONG" if k % 3 else "SHORT", 10.0 + k, k / 7, symbol=f"COIN{k % 5}") for k in range(200)]
        engine.on_liquidations(rows[:120][::-1], T + 20_000)
        engine.on_liquidations(rows[120:], T + 30_000)
        market = engine.snapshot(MARKET, T + 30_000)
        assert market is not None
        for k, window in enumerate(market.liquidations):
            coins = [engine.snapshot(symbol, T + 30_000) for symbol in engine.symbols()]
            windows = [coin.liquidations[k] for coin in coins if coin is not None]
            assert window.long_usd == sum(other.long_usd for other in windows)
            assert window.short_events == sum(other.short_events for other in windows)
            assert window.largest_usd == max(other.largest_usd for other in windows)
            assert (window.low, window.high) == (None, None)
        assert MARKET not in engine.symbols()


class TestCoverage:
    MINUTE = T // 60_000

    def test_the_first_minute_is_not_whole(self) -> None:
        coverage = Coverage()
        assert coverage.whole_minutes(self.MINUTE, 300) == 0
        coverage.begin(T - 100 * 60_000 + 5)
        assert coverage.whole_minutes(self.MINUTE, 300) == 99
        assert coverage.whole_minutes(self.MINUTE, 50) == 50

    def test_minutes_touched_by_a_gap_do_not_count(self) -> None:
        coverage = Coverage()
        coverage.begin(T - 1_000 * 60_000)
        assert coverage.whole_minutes(self.MINUTE, 300) == 300
        coverage.note_gap(StreamGap("coinglass", T - 150_000, T - 30_000, "drop"))
        assert coverage.whole_minutes(self.MINUTE, 300) == 297
        assert coverage.since_ms == T - 30_000

    def test_a_long_gap_silences_the_z_score(self) -> None:
        engine = after_hours()
        engine.note_gap(StreamGap("coinglass", T - 4_000_000, T - 2_000_000, "drop"))
        assert zscores(feed(engine, row("LONG", 45_000.0, 1.0, symbol="WIF")), "WIF") == []
        assert math.isinf(engine._coins["WIF"].market.windows._minute_floor_usd)
