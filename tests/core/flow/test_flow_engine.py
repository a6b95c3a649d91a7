"""The engine as a whole: the same again, rebuilt, in the mirror, bounded, and with clocks that are wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.domain.flow import AlertKind, Finding, FlowSnapshot, Phase, StreamGap
from app.core.domain.flow_config import FlowConfig
from app.core.domain.signal import Direction
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from tests.event_facts import (
    CONFIG,
    LEVEL,
    Play,
    T,
    event,
    feed,
    frame,
    mirrored,
    random_rows,
    row,
    shuffled,
    tick,
    trade,
)

Step = tuple[str, float, bool, float, float]


def snapshots(engine: FlowEngine, at_s: float) -> list[FlowSnapshot]:
    """Of every coin, and of the market."""
    shots = (engine.snapshot(symbol, T + round(at_s * 1000)) for symbol in (*engine.symbols(), "MARKET"))
    return [shot for shot in shots if shot is not None]


class TestRestore:
    def test_stored_rows_give_the_windows_of_live_feeding(self) -> None:
        rows = random_rows(1, 4_000, span_s=90_000)
        live, rebuilt = FlowEngine(CONFIG), FlowEngine(CONFIG)
        feed(live, *shuffled(rows, 2))
        rebuilt.restore(shuffled(rows, 3, within_s=1e6), T + 90_000_000)
        for symbol in ("BTC", "PEPE", "MARKET"):
            one, other = (engine.snapshot(symbol, T + 90_000_000) for engine in (live, rebuilt))
            assert one is not None
            assert other is not None
            assert one.liquidations == other.liquidations
            assert one.newest_event_ms == other.newest_event_ms

    def test_what_follows_is_found_alike(self) -> None:
        rows = random_rows(4, 3_000, span_s=40_000)
        live, rebuilt = FlowEngine(CONFIG), FlowEngine(CONFIG)
        feed(live, *rows)
        live.advance(T + 40_000_000)
        rebuilt.restore(rows, T + 40_000_000)
        coming = [row("LONG", 30_000.0 * k, 40_010.0 + k, symbol="PEPE") for k in range(1, 12)]
        found = feed(rebuilt, *coming)
        assert {finding.kind for finding in found} == {AlertKind.STOP_HUNT, AlertKind.LIQUIDATION_ZSCORE}
        assert found == feed(live, *coming)

    def test_a_cascade_cut_by_a_restart_goes_on_as_the_same_episode(self) -> None:
        rows = [row("LONG", 1e6, k / 2) for k in range(12)]
        live, rebuilt = FlowEngine(CONFIG), FlowEngine(CONFIG)
        before = feed(live, *rows[:8])
        rebuilt.restore(rows[:8], T + 4_000)
        after = feed(rebuilt, *rows[8:])
        assert {finding.episode for finding in before} == {finding.episode for finding in after}
        assert after[-1].usd == 12e6

    def test_nothing_restored_is_nothing(self) -> None:
        engine = FlowEngine(CONFIG)
        engine.restore([], T)
        assert (engine.symbols(), engine.advance(T)) == ((), [])


def story_of(seed: int) -> list[Step]:
    """Liquidations, prices, trades and passing time of one coin, big enough to find something."""
    draw = random.Random(seed)
    long_share = draw.choice((0.1, 0.5, 0.9))
    return [
        (
            draw.choice(("liquidate", "liquidate", "tick", "trade", "pass_time")),
            draw.choice((0.1, 0.4, 3.0, 20.0)),
            draw.random() < long_share,
            draw.choice((500.0, 60_000.0, 700_000.0, 2_500_000.0)),
            LEVEL + draw.randint(-800, 800) / 2,
        )
        for _ in range(draw.randint(5, 80))
    ]


stories = st.integers(0, 100_000).map(story_of)


def tell(story: list[Step], *, is_mirrored: bool) -> list[Finding]:
    play, at_s = Play(is_mirrored=is_mirrored), 0.0
    play.tick(LEVEL, -1.0)
    play.market(400.0, below=(59_500.0, 58_000.0), above=(60_500.0, 62_000.0))
    for kind, wait_s, is_long, usd, price in story:
        at_s += wait_s
        if kind == "liquidate":
            play.liquidate("LONG" if is_long else "SHORT", usd, at_s, price)
        elif kind == "tick":
            play.tick(price, at_s)
        elif kind == "trade":
            play.trade(is_long, usd, at_s, price)
        else:
            play.pass_time(at_s)
    play.tick(LEVEL - 600.0, at_s + 1_990)
    play.pass_time(at_s + 2_400)
    return play.found


def bare(finding: Finding) -> Finding:
    """Without the order of evidence and the share whose mirror is rounded."""
    evidence = [pair for pair in finding.evidence if pair[0] != "buy_share_frac"]
    return replace(finding, evidence=tuple(sorted(evidence)))


def by_name(finding: Finding) -> tuple[int, str, bool]:
    return finding.ts_event_ms, finding.episode, finding.is_final


class TestProperties:
    @settings(max_examples=60)
    @given(stories)
    def test_the_mirror_of_a_story_has_the_mirror_of_its_findings(self, story: list[Step]) -> None:
        as_it_is = tell(story, is_mirrored=False)
        mirror = [mirrored(finding) for finding in tell(story, is_mirrored=True)]
        assert sorted(map(bare, mirror), key=by_name) == sorted(map(bare, as_it_is), key=by_name)

    @settings(max_examples=25)
    @given(stories)
    def test_the_same_story_gives_the_same_findings(self, story: list[Step]) -> None:
        assert tell(story, is_mirrored=False) == tell(story, is_mirrored=False)

    @settings(max_examples=60)
    @given(stories)
    def test_levels_stand_in_order_and_only_a_reclaim_has_any(self, story: list[Step]) -> None:
        for is_mirrored in (False, True):
            for finding in tell(story, is_mirrored=is_mirrored):
                levels = finding.levels
                assert levels is None or finding.phase is Phase.RECLAIM
                if levels is not None:
                    sign = 1 if finding.direction == "LONG" else -1
                    assert finding.direction != "NEUTRAL"
                    assert sign * levels.stop < sign * levels.entry
                    assert all(sign * target > sign * levels.entry for target in levels.targets)

    @settings(max_examples=60)
    @given(stories)
    def test_every_episode_ends_once_time_has_passed(self, story: list[Step]) -> None:
        found = tell(story, is_mirrored=False)
        last = {finding.episode: finding.is_final for finding in found}
        assert all(last.values())

    def test_the_stories_have_something_to_tell(self) -> None:
        found = [finding for seed in range(60) for finding in tell(story_of(seed), is_mirrored=False)]
        assert {finding.phase for finding in found} == {*Phase, None}
        assert {finding.direction for finding in found} == {*Direction}
        assert any(finding.levels for finding in found)

    @pytest.mark.parametrize("seed", [1, 2])
    def test_how_events_are_cut_into_frames_changes_no_size(self, seed: int) -> None:
        rows = [row("LONG", 100_000.0 + k, k / 5) for k in range(200)]
        one_by_one, together = FlowEngine(CONFIG), FlowEngine(CONFIG)
        singles = feed(one_by_one, *rows)
        draw, start, frames = random.Random(seed), 0, []
        while start < len(rows):
            size = draw.randint(1, 40)
            frames.append(rows[start : start + size])
            start += size
        found = [f for part in frames for f in together.on_liquidations(part, part[-1].ts_init_ms)]
        assert found[-1] == singles[-1]
        assert found[-1].usd == sum(one.usd for one in rows)


class TestBounds:
    def test_the_idlest_coins_make_room(self) -> None:
        engine = FlowEngine(replace(CONFIG, max_symbols=32))
        feed(engine, *(row("LONG", 10.0, k / 10, symbol=f"C{k}") for k in range(100)))
        assert len(engine.symbols()) <= 32
        assert "C99" in engine.symbols()
        assert "C0" not in engine.symbols()
        assert engine.counters()["evicted"] == 100 - len(engine.symbols())

    def test_a_coin_without_events_for_a_day_is_forgotten(self) -> None:
        engine = FlowEngine(CONFIG)
        feed(engine, row("LONG", 10.0, 0.0, symbol="OLD"), row("LONG", 10.0, 86_000.0, symbol="NEW"))
        engine.advance(T + 86_300_000)
        assert set(engine.symbols()) == {"OLD", "NEW"}
        feed(engine, row("LONG", 10.0, 86_500.0, symbol="NEW"))
        engine.advance(T + 86_501_000)
        assert engine.symbols() == ("NEW",)
        assert engine.snapshot("OLD", T) is None

    def test_unknown_coins_are_tier_three(self) -> None:
        engine = FlowEngine(CONFIG)
        feed(engine, row("LONG", 10.0, 0.0, symbol="BRANDNEW"), row("LONG", 10.0, 0.0, symbol="SOL"))
        tiers = {one.symbol: one.tier for one in snapshots(engine, 1.0)}
        assert (tiers["BRANDNEW"], tiers["SOL"]) == (3, 2)

    def test_counters(self) -> None:
        engine = FlowEngine(FlowConfig())
        feed(engine, row("LONG", 10.0, 10.0), row("LONG", 10.0, 1.0), row("LONG", 10.0, 9.0, symbol="ETH"))
        engine.on_ticks([tick(LEVEL, 1.0)], T + 1_000)
        engine.on_trades([trade(True, 10.0, 1.0), trade(True, 10.0, 2.0)], T + 2_000)
        counters = engine.counters()
        names = ("events", "late", "symbols", "ticks", "trades")
        assert [counters[name] for name in names] == [3, 1, 2, 1, 2]


class TestSnapshot:
    def test_it_has_windows_price_and_cascade(self) -> None:
        play = Play()
        play.tick(60_010.0, 0.0)
        play.trade(True, 20_000.0, 1.0, price=60_020.0)
        for k in range(4):
            play.liquidate("LONG", 1e6, 2.0 + k)
        shot = play.engine.snapshot("BTC", T + 10_000)
        assert shot is not None
        assert (shot.price, shot.price_ms, shot.tier) == (60_020.0, T + 1_000, 1)
        assert [window.window_s for window in shot.liquidations] == [10, 30, 60, 300, 3_600, 86_400]
        assert [window.long_usd for window in shot.liquidations] == [4e6] * 6
        assert [(window.window_s, window.large_buys) for window in shot.trades] == [(60, 1), (300, 1)]
        assert shot.cascade is not None
        assert (shot.cascade.usd, shot.cascade.events, shot.cascade.phase) == (4e6, 4, Phase.BUILDING)
        assert (shot.source, shot.newest_event_ms) == ("coinglass", T + 5_000)

    def test_a_stale_price_is_none(self) -> None:
        play = Play()
        play.tick(60_000.0, 0.0)
        shot = play.engine.snapshot("BTC", T + 61_000)
        assert shot is not None
        assert (shot.price, shot.price_ms) == (None, None)

    def test_it_says_since_when_nothing_is_missing(self) -> None:
        engine = FlowEngine(CONFIG)
        feed(engine, row("LONG", 10.0, 5.0))
        assert [one.covered_since_ms for one in snapshots(engine, 10.0) if one is not None] == [T + 5_000] * 2
        engine.note_gap(StreamGap("coinglass", T + 20_000, T + 30_000, "drop"))
        assert [one.covered_since_ms for one in snapshots(engine, 40.0) if one is not None] == [
            T + 30_000
        ] * 2

    def test_a_coin_nobody_saw_has_none(self) -> None:
        engine = FlowEngine(CONFIG)
        engine.note_market("BTC", atr=1.0, below=(), above=())
        assert engine.snapshot("BTC", T) is None


class TestClocks:
    """R11: venues five minutes ahead or behind, ours stepping back by an hour."""

    def cascade(self, shift_s: float, now_of: Callable[[float], float]) -> list[Finding]:
        """Twelve million in six seconds; venue time is `shift_s` ahead of true time."""
        engine, identifier, found = FlowEngine(CONFIG), Identifier(), []
        for k in range(12):
            now_s = now_of(k / 2)
            rows = identifier.identify(frame(event("LONG", 1e6, k / 2 + shift_s - 0.2), at_s=now_s))
            found += engine.on_liquidations(rows, T + round(now_s * 1000))
            found += engine.advance(T + round(now_s * 1000))
        for second in range(6, 60):
            found += engine.advance(T + round(now_of(float(second)) * 1000))
        return found

    @pytest.mark.parametrize("shift_s", [-300.0, 0.0, 300.0])
    def test_venues_minutes_off_give_the_same_cascade(self, shift_s: float) -> None:
        found = self.cascade(shift_s, lambda at_s: at_s)
        assert [f.phase for f in found[:10]] == [Phase.BUILDING] * 10
        assert [f.phase for f in found[10:]] == [Phase.PEAK, Phase.ENDED]
        assert found[-1].usd == 12e6

    def test_our_clock_stepping_back_an_hour_loses_nothing(self) -> None:
        found = self.cascade(0.0, lambda at_s: at_s if at_s < 3 else at_s - 3_600.0)
        assert found[-1].usd == 12e6
        assert found[-1].is_final

    def test_one_venue_from_the_future_hides_nothing(self) -> None:
        engine, identifier, found = FlowEngine(CONFIG), Identifier(), []
        for k in range(12):
            events = event("LONG", 1e6, k / 2 - 0.2), event("LONG", 10.0, k / 2 + 50.0, pair="BTC-PERP")
            rows = identifier.identify(frame(*events, at_s=k / 2))
            found += engine.on_liquidations(rows, T + k * 500)
        assert found[-1].usd == 12e6 + 120.0
        assert identifier.skewed == 12

    def test_hour_old_events_do_not_look_fresh(self) -> None:
        engine = FlowEngine(CONFIG)
        feed(engine, row("LONG", 10.0, 0.0))
        found = feed(engine, *(row("LONG", 5e6, -3_700.0 + k, late_s=3_700.0) for k in range(5)))
        shot = engine.snapshot("BTC", T + 1_000)
        assert shot is not None
        assert [window.long_usd for window in shot.liquidations] == [10.0] * 4 + [10.0, 25e6 + 10.0]
        assert engine.counters()["late"] == 5
        assert found == []
