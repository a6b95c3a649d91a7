"""Cascades from the first event to the verdict: phases, sizes, directions, levels, and their mirror."""

from __future__ import annotations

import math

import pytest

from app.core.domain.flow import AlertKind, Finding, Phase
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from app.core.flow.market import confidence
from app.core.flow.stop_hunt import long_levels, short_levels
from tests.event_facts import LEVEL, Play, T, mirrored, ordered, row

MILLION = 1e6


def hunts(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.kind is AlertKind.STOP_HUNT]


def calm(play: Play, *, until_s: float = 0.0) -> None:
    """Five minutes between 59,900 and 60,100 before the story begins."""
    for k in range(60):
        play.tick(LEVEL + (100.0 if k % 2 else -100.0), until_s - 300.0 + k * 5)


def flush(play: Play, *, start_s: float = 0.0, usd: float = 12 * MILLION, side: str = "LONG") -> None:
    """A $500 event, then twelve equal ones in six seconds, while price falls to 59,400."""
    play.liquidate(side, 500.0, start_s)
    for k in range(12):
        play.liquidate(side, usd / 12, start_s + 1 + k / 2)
        play.tick(LEVEL - 100.0 - 50.0 * k if k < 10 else 59_400.0, start_s + 1 + k / 2)


def reclaimed(*, is_mirrored: bool = False) -> Play:
    play = Play(is_mirrored=is_mirrored)
    calm(play)
    flush(play)
    play.market(400.0, below=(59_000.0, 58_000.0), above=(60_500.0, 59_950.0, 61_250.0))
    for second in range(8, 40):
        play.tick(59_400.0 + 20.0 * (second - 8), float(second))
        play.pass_time(float(second))
    return play


class TestSize:
    def test_a_small_event_before_twelve_million_ends_as_twelve_million(self) -> None:
        play = Play()
        flush(play)
        for second in range(8, 60):
            play.pass_time(float(second))
        found = hunts(play.found)
        assert found[-1].is_final
        assert found[-1].usd == pytest.approx(12 * MILLION + 500, abs=0.01)
        assert len({finding.episode for finding in found}) == 1
        assert [finding.usd for finding in found] == sorted(finding.usd for finding in found)
        assert found[0].started_ms == T

    def test_every_event_under_way_is_said_with_the_size_up_to_it(self) -> None:
        play = Play()
        sizes = [[f.usd for f in hunts(play.liquidate("LONG", MILLION, k / 2))] for k in range(10)]
        assert sizes[:2] == [[], []]  # three events make a cascade
        assert sizes[2:] == [[(k + 1) * MILLION] for k in range(2, 10)]

    def test_one_frame_says_it_once_with_its_last_event(self) -> None:
        play = Play()
        rows = [row("LONG", MILLION, k / 10) for k in range(8)]
        (finding,) = hunts(play.engine.on_liquidations(rows[::-1], T + 1_000))
        assert finding.usd == 8 * MILLION

    def test_a_cascade_longer_than_its_window_counts_whole(self) -> None:
        play = Play()
        for second in range(0, 120, 2):
            play.liquidate("LONG", 200_000.0, float(second))
        last = hunts(play.found)[-1]
        assert last.usd == 60 * 200_000.0
        assert last.window_s == 119

    def test_a_late_event_counts_too(self) -> None:
        play = Play()
        for at_s in (0.0, 1.0, 9.0):
            play.liquidate("LONG", MILLION, at_s)
        (finding,) = hunts(play.liquidate("LONG", 5 * MILLION, 2.0))
        assert finding.usd == 8 * MILLION
        assert play.engine.counters()["late"] == 1

    def test_a_late_event_of_before_does_not(self) -> None:
        play = Play()
        for at_s in (40.0, 41.0, 42.0):
            play.liquidate("LONG", MILLION, at_s)
        (finding,) = hunts(play.liquidate("LONG", 5 * MILLION, 5.0))
        assert finding.usd == 3 * MILLION

    def test_what_trickles_in_afterwards_is_not_part_of_it(self) -> None:
        play = Play()
        calm(play)
        flush(play)
        for second in range(60, 600, 20):
            play.liquidate("LONG", 30_000.0, float(second))
        play.tick(59_500.0, 605.0)
        play.tick(60_000.0, 606.0)
        assert hunts(play.found)[-1].phase is Phase.RECLAIM
        assert hunts(play.found)[-1].usd == pytest.approx(12 * MILLION + 500, abs=0.01)


class TestThreshold:
    @pytest.mark.parametrize(("symbol", "usd"), [("BTC", 2e6), ("SOL", 2e5), ("WIF", 5e4)])
    def test_each_tier_has_its_own(self, symbol: str, usd: float) -> None:
        below, at = Play(symbol=symbol), Play(symbol=symbol)
        for k in range(4):
            below.liquidate("LONG", usd / 4 - 1, float(k))
            at.liquidate("LONG", usd / 4, float(k))
        assert hunts(below.found) == []
        assert [(f.usd, f.ratio, f.confidence) for f in hunts(at.found)] == [(usd, 1.0, 70.0)]

    def test_two_events_are_no_cascade(self) -> None:
        play = Play()
        play.liquidate("LONG", 9 * MILLION, 0.0)
        play.liquidate("LONG", 9 * MILLION, 1.0)
        assert hunts(play.found) == []

    def test_both_sides_alike_are_no_cascade(self) -> None:
        play = Play()
        for k in range(10):
            play.liquidate("LONG" if k % 2 else "SHORT", MILLION / (1 + k // 2), float(k))
        assert hunts(play.found) == []

    def test_sixty_five_percent_on_one_side_are_one(self) -> None:
        play = Play()
        play.liquidate("SHORT", 3.5 * MILLION, 0.0)
        play.liquidate("LONG", 3.0 * MILLION, 1.0)
        (finding,) = play.liquidate("LONG", 3.5 * MILLION, 2.0)
        assert (finding.side, dict(finding.evidence)["side_share_frac"]) == (LiquidatedSide.LONG, 0.65)
        assert finding.confidence == pytest.approx(50 + 15 * math.log2(5))

    def test_events_further_apart_than_the_window_are_none(self) -> None:
        play = Play()
        for k in range(20):
            play.liquidate("LONG", 900_000.0, k * 16.0)
        assert hunts(play.found) == []

    def test_confidence_has_the_worked_number(self) -> None:
        assert confidence(4.0, 0.93) == pytest.approx(96.0)
        assert confidence(1.0, 0.65) == 50.0
        assert (confidence(1e9, 1.0), confidence(1e-9, 0.5), confidence(0.0, 1.0)) == (100.0, 0.0, 0.0)


class TestPhases:
    def test_peak_when_the_rate_falls_then_reclaim_with_direction_and_levels(self) -> None:
        found = hunts(reclaimed().found)
        phases = [finding.phase for finding in found]
        assert phases == sorted(phases, key=("building", "peak", "reclaim").index)
        assert set(phases) == {Phase.BUILDING, Phase.PEAK, Phase.RECLAIM}
        assert all(finding.direction is Direction.NEUTRAL for finding in found[:-1])
        last = found[-1]
        assert (last.direction, last.is_final, last.side) == (Direction.LONG, True, LiquidatedSide.LONG)
        assert last.price == 59_900.0  # the lowest price of the five minutes before
        assert last.levels is not None
        assert (last.levels.entry, last.levels.stop) == (59_900.0, 59_300.0)  # 59,400 less 0.25 x 400
        assert last.levels.targets == (60_500.0, 61_250.0)

    def test_the_mirror_is_a_short(self) -> None:
        mirror = reclaimed(is_mirrored=True).found
        assert hunts(mirror)[-1].direction is Direction.SHORT
        assert [mirrored(finding) for finding in mirror] == [ordered(f) for f in reclaimed().found]

    def test_no_reclaim_before_the_peak(self) -> None:
        play = Play()
        calm(play)
        for k in range(8):
            play.liquidate("LONG", MILLION * (1 + k), float(k))
            play.tick(59_000.0 if k % 2 else 60_000.0, float(k))
        assert {finding.phase for finding in hunts(play.found)} == {Phase.BUILDING}

    def test_no_sweep_no_reclaim(self) -> None:
        play = Play()
        calm(play)
        for k in range(12):
            play.liquidate("LONG", MILLION, k / 2)
            play.tick(59_950.0, k / 2)
        for second in range(6, 1_000, 5):
            play.tick(60_000.0, float(second))
            play.pass_time(float(second))
        last = hunts(play.found)[-1]
        assert (last.phase, last.direction, last.is_final) == (Phase.ENDED, Direction.NEUTRAL, True)

    def test_not_back_after_a_quarter_of_an_hour_is_a_continuation_without_direction(self) -> None:
        play = Play()
        calm(play)
        flush(play)
        for second in range(8, 1_000, 4):
            play.tick(59_500.0, float(second))
            play.pass_time(float(second))
        last = hunts(play.found)[-1]
        assert (last.phase, last.direction, last.levels) == (Phase.CONTINUATION, Direction.NEUTRAL, None)
        assert last.is_final
        assert 900_000 <= last.ts_event_ms - T <= 930_000
        assert play.engine.counters()["busy"] == 0

    def test_without_a_price_path_it_ends_without_direction(self) -> None:
        play = Play()
        flush_only = [play.liquidate("LONG", MILLION, k / 2, price=59_000.0 - k) for k in range(10)]
        for second in range(5, 50):
            play.pass_time(float(second))
        found = hunts(play.found)
        assert flush_only[-1][0].price is None
        assert found[-1].phase is Phase.ENDED
        assert {finding.direction for finding in found} == {Direction.NEUTRAL}
        assert "sweep_extreme" not in dict(found[-1].evidence)

    def test_prices_that_stopped_give_no_verdict(self) -> None:
        play = Play()
        calm(play)
        flush(play)
        for second in range(8, 1_000, 10):
            play.pass_time(float(second))
        assert hunts(play.found)[-1].phase is Phase.ENDED

    def test_the_range_of_before_knows_nothing_of_the_cascade(self) -> None:
        play = Play()
        calm(play)
        play.tick(50_000.0, 0.05)  # in the second of the first event
        flush(play)
        evidence = dict(hunts(play.found)[-1].evidence)
        assert (evidence["range_low"], evidence["range_high"]) == (59_900.0, 60_100.0)
        assert evidence["sweep_extreme"] == 50_000.0

    @pytest.mark.parametrize("is_mirrored", [False, True])
    def test_a_sweep_that_was_traded_before_its_liquidations_were_told_counts(
        self, is_mirrored: bool
    ) -> None:
        """Prices come at once, liquidations twelve seconds late: the stop belongs beyond what was traded."""
        play = Play(is_mirrored=is_mirrored)
        calm(play)
        play.market(400.0, below=(58_000.0,), above=(61_500.0,))
        for second, price in enumerate((59_850.0, 59_500.0, 59_300.0, 59_000.0, 59_600.0, 59_950.0)):
            play.tick(price, second + 1.0)
        for k in range(4):
            play.liquidate("LONG", MILLION, 0.5 + k / 2, late_s=12.0)
        play.tick(59_960.0, 13.0)
        play.pass_time(20.0)
        last = hunts(play.found)[-1]
        assert (last.phase, last.levels is not None) == (Phase.RECLAIM, True)
        lowest = 61_000.0 if is_mirrored else 59_000.0
        assert dict(last.evidence)["sweep_extreme"] == lowest

    @pytest.mark.parametrize(("known_s", "phase"), [(70, Phase.RECLAIM), (59, Phase.ENDED), (5, Phase.ENDED)])
    def test_prices_of_a_few_seconds_are_no_range_to_reclaim(self, known_s: int, phase: Phase) -> None:
        """Just started: every dip would be a sweep and every bounce a signal."""
        play = Play()
        for second in range(-known_s, 0):
            play.tick(LEVEL, float(second))
        for k in range(4):
            play.liquidate("LONG", MILLION, k + 0.5)
        play.tick(LEVEL - 5.0, 2.0)
        for second in range(5, 60):
            play.tick(LEVEL, float(second))
            play.pass_time(float(second))
        assert hunts(play.found)[-1].phase is phase

    def test_a_new_rush_after_the_peak_is_building_again(self) -> None:
        play = Play()
        for at_s, usd in ((0, 1.0), (1, 1.0), (2, 1.0), (13, 0.1), (14, 4.0), (15, 4.0)):
            play.liquidate("LONG", usd * MILLION, float(at_s))
        phases = [finding.phase for finding in hunts(play.found)]
        assert Phase.PEAK in phases
        assert phases[-1] is Phase.BUILDING
        assert len({finding.episode for finding in hunts(play.found)}) == 1


class TestAfterwards:
    def test_what_one_cascade_counted_starts_no_other(self) -> None:
        play = reclaimed()
        play.liquidate("LONG", 100.0, 31.0)
        assert [finding for finding in hunts(play.found) if finding.started_ms > T] == []

    def test_the_next_one_has_its_own_episode(self) -> None:
        play = reclaimed()
        flush(play, start_s=400.0)
        episodes = {finding.episode for finding in hunts(play.found)}
        assert episodes == {f"STOP_HUNT:BTC:LONG:{T}", f"STOP_HUNT:BTC:LONG:{T + 400_000}"}
        assert hunts(play.found)[-1].usd == pytest.approx(12 * MILLION + 500, abs=0.01)

    def test_nobody_looking_in_between_does_not_join_two(self) -> None:
        play = Play()
        flush(play)
        flush(play, start_s=3_600.0)
        found = hunts(play.found)
        assert found[-1].usd == pytest.approx(12 * MILLION + 500, abs=0.01)
        assert len({finding.episode for finding in found}) == 2

    def test_a_squeeze_after_a_flush_is_a_cascade_of_its_own(self) -> None:
        play = Play()
        calm(play)
        flush(play)
        for k in range(20):
            play.liquidate("SHORT", 3 * MILLION, 40.0 + k / 4)
        sides = {(finding.side, finding.episode) for finding in hunts(play.found)}
        assert len(sides) == 2
        assert hunts(play.found)[-1].side is LiquidatedSide.SHORT
        assert hunts(play.found)[-1].usd == 60 * MILLION


class TestLevels:
    @pytest.mark.parametrize(("measured_s", "has_levels"), [(-1_700.0, True), (-1_900.0, False)])
    def test_there_are_none_from_an_atr_and_clusters_of_an_hour_ago(
        self, measured_s: float, has_levels: bool
    ) -> None:
        play = Play()
        calm(play)
        flush(play)
        as_of_ms = T + round(measured_s * 1000)
        play.engine.note_market("BTC", atr=400.0, below=(), above=(61_200.0,), as_of_ms=as_of_ms)
        play.tick(60_000.0, 20.0)
        last = hunts(play.found)[-1]
        assert (last.phase, last.direction) == (Phase.RECLAIM, Direction.LONG)
        assert (last.levels is not None, "atr_usd" in dict(last.evidence)) == (has_levels, has_levels)

    def test_the_worked_numbers(self) -> None:
        clusters = (59_900.0, 60_500.0, 61_200.0, 65_000.0)
        levels = long_levels(60_000.0, 59_400.0 - 0.25 * 400.0, clusters, 10 * 400.0)
        assert levels is not None
        assert (levels.stop, levels.targets) == (59_300.0, (61_200.0,))

    @pytest.mark.parametrize(
        ("cluster", "is_target"),
        [(60_699.0, False), (60_700.0, True), (64_000.0, True), (64_001.0, False)],
    )
    def test_a_target_pays_at_least_what_is_risked_and_is_within_reach(
        self, cluster: float, is_target: bool
    ) -> None:
        up = long_levels(60_000.0, 59_300.0, (cluster,), 4_000.0)
        down = short_levels(60_000.0, 60_700.0, (120_000.0 - cluster,), 4_000.0)
        assert (up is not None, down is not None) == (is_target, is_target)

    @pytest.mark.parametrize(
        ("entry", "stop", "clusters"),
        [(100.0, 100.0, (110.0,)), (100.0, 101.0, (110.0,)), (100.0, 90.0, (95.0,)), (100.0, 90.0, ())],
    )
    def test_out_of_order_there_are_none(
        self, entry: float, stop: float, clusters: tuple[float, ...]
    ) -> None:
        mirrored = tuple(200.0 - price for price in clusters)
        assert long_levels(entry, stop, clusters, 50.0) is None
        assert short_levels(200.0 - entry, 200.0 - stop, mirrored, 50.0) is None

    def test_a_stop_below_zero_is_none(self) -> None:
        assert long_levels(0.001, -0.0001, (0.002,), 1.0) is None

    def test_without_atr_or_clusters_there_are_none(self) -> None:
        play = Play()
        calm(play)
        flush(play)
        for second in range(8, 40):
            play.tick(60_000.0, float(second))
        last = hunts(play.found)[-1]
        assert (last.phase, last.direction, last.levels) == (Phase.RECLAIM, Direction.LONG, None)


class TestEvidence:
    def test_absorption_is_taker_buying_against_forced_sells(self) -> None:
        play = Play()
        play.trade(True, 70_000.0, -10.0)  # before: does not count
        for k in range(4):
            play.liquidate("LONG", MILLION, float(k))
            play.trade(True, 60_000.0, k + 0.1)
            play.trade(False, 500_000.0, k + 0.2)
        evidence = dict(hunts(play.liquidate("LONG", MILLION, 5.0))[0].evidence)
        assert evidence["absorbed_usd"] == 240_000.0
        assert evidence["absorption_ratio"] == 2.4

    def test_findings_of_one_rush_share_a_burst(self) -> None:
        play = reclaimed()
        assert len({finding.burst for finding in play.found}) == 1
        flush(play, start_s=800.0)
        assert len({finding.burst for finding in play.found}) == 2

    def test_the_percentile_is_that_of_minutes_seen_whole(self) -> None:
        play = Play()
        for minute in range(-100, 0):
            play.liquidate("LONG", 1_000.0 if minute % 10 else 15 * MILLION, minute * 60.0)
        flush(play)
        last = hunts(play.found)[-1]
        # Nine of the 99 minutes seen from their beginning held more.
        assert last.percentile == pytest.approx(1 - 9 / 99)
