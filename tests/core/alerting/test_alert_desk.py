"""The desk: identity, growth, merging across findings, severity, storms, and what costs nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.alerting.desk import AlertDesk
from app.core.alerting.episodes import EpisodeBook, alert_id
from app.core.alerting.policy import GateRules
from app.core.alerting.severity import severity_of
from app.core.domain.alerts import (
    AlertContext,
    ContextVerdict,
    DropReason,
    FilterLevel,
    GateVerdict,
    Severity,
)
from app.core.domain.flow import AlertKind, Finding, Phase, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from tests.alert_facts import CHAT, NOW_MS, chat, desk, finding

LEVELS = TradeLevels(96_200.0, 95_238.0, (97_162.0,))


def reclaim(**changes: Any) -> Finding:
    given: dict[str, Any] = {
        "phase": Phase.RECLAIM,
        "direction": Direction.LONG,
        "levels": LEVELS,
        "is_final": True,
    }
    return finding(**{**given, **changes})


def flow(direction: Direction = Direction.LONG, **changes: Any) -> Finding:
    """Order flow of the same coin that held before the cascade, its own episode and burst."""
    kind = AlertKind.ACCUMULATION if direction is Direction.LONG else AlertKind.DISTRIBUTION
    given = {"kind": kind, "direction": direction, "episode": "f1", "burst": "f1"}
    given |= {"started_ms": NOW_MS - 90_000, "window_s": 300}
    return finding(**{**given, "side": None, "phase": None, **changes})


def one(verdicts: list[GateVerdict]) -> GateVerdict:
    (verdict,) = verdicts
    return verdict


class TestIdentity:
    def test_the_id_is_sixteen_hex_digits_of_kind_coin_and_episode(self) -> None:
        found = one(desk(chat()).consider([finding()], now_ms=NOW_MS))
        assert found.alert.id == alert_id(AlertKind.STOP_HUNT, "BTC", "e1") == "a56e948544f71633"

    def test_any_other_kind_coin_or_episode_has_another_id(self) -> None:
        ids = {
            alert_id(kind, symbol, episode)
            for kind in AlertKind
            for symbol in ("BTC", "ETH")
            for episode in ("e1", "e2")
        }
        assert len(ids) == len(AlertKind) * 4

    def test_an_alert_carries_what_the_finding_said(self) -> None:
        said = finding(percentile=0.98, evidence=(("events", 41.0), ("broken", float("nan"))))
        alert = one(desk(chat()).consider([said], now_ms=NOW_MS)).alert
        assert (alert.usd, alert.ratio, alert.window_s, alert.price) == (6e6, 3.0, 30, 96_200.0)
        assert (alert.side, alert.phase, alert.percentile) == (LiquidatedSide.LONG, Phase.BUILDING, 0.98)
        assert (alert.started_ms, alert.ts_event_ms, alert.ts_init_ms) == (
            NOW_MS - 20_000,
            NOW_MS - 1_000,
            NOW_MS,
        )
        assert alert.evidence == (("events", 41.0),)
        assert (alert.feeds, alert.data_mode, alert.revision) == (("coinglass",), "live", 1)

    @pytest.mark.parametrize("name", ["usd", "ratio", "confidence"])
    def test_a_figure_that_is_no_number_is_counted_and_not_told(self, name: str) -> None:
        at = desk(chat())
        assert at.consider([finding(**{name: float("nan")})], now_ms=NOW_MS) == []
        assert at.counters() == {"unusable": 1}


class TestGrowth:
    def test_a_cascade_edits_its_own_message_at_twice_the_size_and_at_the_end(self) -> None:
        at = desk(chat())
        told = []
        sizes = [6, 7, 9, 11.9, 12, 13, 20, 24, 30]
        for second, millions in enumerate(sizes):
            grown = finding(usd=millions * 1e6, ratio=millions / 2)
            told += at.consider([grown], now_ms=NOW_MS + 1_000 * second)
        end = finding(usd=30e6, ratio=15.0, is_final=True, phase=Phase.ENDED)
        told += at.consider([end], now_ms=NOW_MS + 900_000)
        assert [(v.alert.usd / 1e6, v.is_edit, v.chats) for v in told] == [
            (6, False, (CHAT,)),
            (12, True, (CHAT,)),
            (24, True, (CHAT,)),
            (30, True, (CHAT,)),
        ]
        assert [v.alert.revision for v in told] == [1, 2, 3, 4]
        assert len({v.alert.id for v in told}) == 1
        assert told[-1].alert.is_final

    def test_the_peak_of_a_growing_cascade_is_never_slept_through(self) -> None:
        """A million events within one millisecond, the confidence rising by a hair each time."""
        at = desk(chat())
        told = []
        for step in range(2_001):
            told += at.consider([finding(confidence=60 + step / 200, usd=1e6 + step)], now_ms=NOW_MS)
        assert [round(v.alert.confidence, 3) for v in told] == [60.0, 70.0]
        assert [v.reason for v in told] == [DropReason.LOW_CONFIDENCE, None]

    def test_what_nobody_hears_is_judged_as_chats_start(self) -> None:
        rules = GateRules(house=chat("", min_confidence=60.0, hourly_cap=None))
        at = desk(rules=rules)
        assert one(at.consider([finding(confidence=65.0)], now_ms=NOW_MS)).reason is DropReason.NO_CHAT

    def test_without_a_chat_the_peak_is_kept_all_the_same(self) -> None:
        at = desk()
        told = []
        for step in range(101):
            told += at.consider([finding(confidence=60 + step / 5)], now_ms=NOW_MS)
        assert [v.reason for v in told] == [DropReason.LOW_CONFIDENCE, DropReason.NO_CHAT]

    def test_a_threshold_of_a_chat_is_met_at_the_very_event(self) -> None:
        at = desk(chat(thresholds={"BTC": 7e6}))
        told = []
        for step in range(200):
            told += at.consider([finding(usd=6e6 + step * 1e4, ratio=3.0)], now_ms=NOW_MS)
        assert [(v.alert.usd, v.reason) for v in told] == [(6e6, DropReason.BELOW_THRESHOLD), (7e6, None)]

    def test_repeats_are_counted_and_nothing_else(self) -> None:
        at = desk(chat())
        at.consider([finding()], now_ms=NOW_MS)
        for _ in range(1_000):
            assert at.consider([finding()], now_ms=NOW_MS) == []
        assert at.counters() == {"kept": 1, "repeat": 1_000}

    def test_past_its_peak_a_cascade_shows_what_it_grew_to(self) -> None:
        at = desk(chat())
        at.consider([finding(usd=9e6, ratio=4.5)], now_ms=NOW_MS)
        # Ten million make it urgent, which is asked for and is no news to this chat.
        assert at.consider([finding(usd=12e6, ratio=6.0)], now_ms=NOW_MS + 1_000) == []
        shown = one(at.consider([finding(usd=12e6, ratio=6.0, phase=Phase.PEAK)], now_ms=NOW_MS + 9_000))
        assert (shown.is_edit, shown.alert.usd) == (True, 12e6)
        later = [finding(usd=usd, ratio=6.0, phase=Phase.PEAK) for usd in (12.5e6, 12.6e6)]
        assert [len(at.consider([each], now_ms=NOW_MS + 10_000)) for each in later] == [0, 1]

    def test_the_reclaim_of_a_told_cascade_ends_its_message_and_is_one_of_its_own(self) -> None:
        at = desk(chat())
        first = one(at.consider([finding()], now_ms=NOW_MS)).alert
        assert at.consider([finding(phase=Phase.PEAK)], now_ms=NOW_MS + 30_000) == []
        end, way_back = at.consider([reclaim()], now_ms=NOW_MS + 60_000)
        assert (end.is_edit, end.alert.id, end.alert.is_final) == (True, first.id, True)
        assert (end.alert.direction, end.alert.levels, end.alert.follows) == (Direction.NEUTRAL, None, None)
        assert (way_back.is_edit, way_back.chats, way_back.alert.revision) == (False, (CHAT,), 1)
        assert way_back.alert.id == alert_id(AlertKind.STOP_HUNT, "BTC", "e1:reclaim")
        assert (way_back.alert.direction, way_back.alert.levels) == (Direction.LONG, LEVELS)
        assert (way_back.alert.follows, way_back.alert.severity) == (first.id, Severity.URGENT)
        assert at.consider([reclaim()], now_ms=NOW_MS + 61_000) == []

    def test_a_cascade_that_nobody_was_told_becomes_its_reclaim(self) -> None:
        at = desk(chat(min_confidence=75.0))
        at.consider([finding(confidence=74.0)], now_ms=NOW_MS)
        verdict = one(at.consider([reclaim(confidence=76.0)], now_ms=NOW_MS + 60_000))
        assert (verdict.is_edit, verdict.chats) == (False, (CHAT,))
        assert (verdict.alert.direction, verdict.alert.revision) == (Direction.LONG, 2)
        assert verdict.alert.follows is None

    def test_a_reclaim_that_the_gate_holds_back_still_ends_the_message(self) -> None:
        at = desk(chat(), context=lambda *_: AlertContext(ContextVerdict.UNFAVORABLE, 0.001, 0.95, 0.0, 0.5))
        at.consider([finding()], now_ms=NOW_MS)
        end, way_back = at.consider([reclaim()], now_ms=NOW_MS + 60_000)
        assert (end.is_edit, end.chats) == (True, (CHAT,))
        assert (way_back.reason, way_back.chats) == (DropReason.CONTEXT, ())

    def test_a_cascade_falling_asleep_in_one_chat_still_ends_in_the_other(self) -> None:
        muting = [chat(), chat("telegram:-2")]
        at = desk(chats=lambda: tuple(muting))
        assert one(at.consider([finding()], now_ms=NOW_MS)).chats == (CHAT, "telegram:-2")
        muting[0] = chat(mute={"*": NOW_MS + 10**9})
        verdict = one(at.consider([finding(is_final=True)], now_ms=NOW_MS + 60_000))
        assert (verdict.chats, verdict.dropped) == (("telegram:-2",), {CHAT: DropReason.MUTED})

    def test_when_a_mute_is_over_the_running_cascade_is_told(self) -> None:
        at = desk(chat(mute={"BTC": NOW_MS + 5_000}))
        told = []
        for second in range(10):
            told += at.consider([finding()], now_ms=NOW_MS + 1_000 * second)
        assert [(v.reason, v.alert.ts_init_ms - NOW_MS) for v in told] == [
            (DropReason.MUTED, 0),
            (None, 5_000),
        ]


class TestMergedFindings:
    def test_a_detector_of_the_same_burst_adds_no_second_alert(self) -> None:
        at = desk(chat())
        spike = finding(kind=AlertKind.LIQUIDATION_ZSCORE, episode="z", confidence=90.0)
        assert one(at.consider([spike, finding()], now_ms=NOW_MS)).alert.kind is AlertKind.STOP_HUNT
        assert at.consider([spike], now_ms=NOW_MS + 10) == []
        assert at.counters() == {"kept": 1, "merged": 1, "repeat": 1}

    def test_findings_seconds_apart_agree(self) -> None:
        at = desk(chat())
        at.consider([flow(ts_event_ms=NOW_MS - 20_000)], now_ms=NOW_MS - 19_000)
        alert = one(at.consider([reclaim(confidence=75.0)], now_ms=NOW_MS)).alert
        assert alert.sources == (AlertKind.STOP_HUNT, AlertKind.ACCUMULATION)
        assert alert.confidence == pytest.approx((0.5 * 75 + 0.35 * 80) / 0.85 + 7)

    def test_findings_minutes_apart_do_not(self) -> None:
        at = desk(chat())
        at.consider([flow(ts_event_ms=NOW_MS - 61_000)], now_ms=NOW_MS - 60_000)
        assert one(at.consider([reclaim()], now_ms=NOW_MS)).alert.sources == (AlertKind.STOP_HUNT,)

    def test_opposite_findings_cancel_and_the_levels_go(self) -> None:
        at = desk(chat())
        alert = one(at.consider([flow(Direction.SHORT), reclaim()], now_ms=NOW_MS)).alert
        assert (alert.kind, alert.direction, alert.levels) == (AlertKind.STOP_HUNT, Direction.NEUTRAL, None)
        assert dict(alert.evidence) == {"opposed_long_confidence": 80, "opposed_short_confidence": 80}

    def test_the_forced_sells_of_a_told_cascade_are_no_message_of_their_own(self) -> None:
        at = desk(chat())
        forced = flow(Direction.SHORT, started_ms=NOW_MS - 15_000, confidence=95.0)
        told = at.consider([finding(), forced], now_ms=NOW_MS)
        told += at.consider([replace(forced, confidence=99.0)], now_ms=NOW_MS + 1_000)
        told += at.consider([reclaim()], now_ms=NOW_MS + 10_000)
        told += at.consider([replace(forced, ts_event_ms=NOW_MS + 200_000)], now_ms=NOW_MS + 200_000)
        assert [(v.alert.kind, v.alert.direction) for v in told] == [
            (AlertKind.STOP_HUNT, Direction.NEUTRAL),
            (AlertKind.STOP_HUNT, Direction.NEUTRAL),
            (AlertKind.STOP_HUNT, Direction.LONG),
        ]
        later = replace(forced, ts_event_ms=NOW_MS + 310_000)
        assert one(at.consider([later], now_ms=NOW_MS + 310_000)).alert.kind is AlertKind.DISTRIBUTION

    def test_the_forced_sells_of_a_cascade_that_nobody_was_told_count(self) -> None:
        at = desk(chat())
        forced = flow(Direction.SHORT, started_ms=NOW_MS - 15_000, confidence=95.0)
        told = at.consider([finding(confidence=60.0), forced], now_ms=NOW_MS)
        assert [(v.alert.kind, v.reason) for v in told] == [
            (AlertKind.STOP_HUNT, DropReason.LOW_CONFIDENCE),
            (AlertKind.DISTRIBUTION, None),
        ]

    def test_a_direction_once_told_is_not_taken_back_and_its_opposite_waits(self) -> None:
        at = desk(chat())
        assert one(at.consider([reclaim()], now_ms=NOW_MS)).alert.direction is Direction.LONG
        short = one(at.consider([flow(Direction.SHORT)], now_ms=NOW_MS + 20_000))
        assert (short.alert.kind, short.reason) == (AlertKind.DISTRIBUTION, DropReason.FLIP)
        later = flow(Direction.SHORT, ts_event_ms=NOW_MS + 60_000)
        assert one(at.consider([later], now_ms=NOW_MS + 60_000)).chats == (CHAT,)

    def test_a_building_cascade_does_not_swallow_a_direction(self) -> None:
        at = desk(chat())
        told = at.consider([finding(), flow()], now_ms=NOW_MS)
        assert [(v.alert.kind, v.alert.direction) for v in told] == [
            (AlertKind.STOP_HUNT, Direction.NEUTRAL),
            (AlertKind.ACCUMULATION, Direction.LONG),
        ]

    def test_a_merge_never_silences_what_is_enough_alone(self) -> None:
        at = desk(chat())
        whales = flow(kind=AlertKind.WHALE_ACCUMULATION, episode="w", burst="w", confidence=85.0)
        told = at.consider([flow(confidence=50.0), whales], now_ms=NOW_MS)
        assert [(v.alert.kind, v.reason) for v in told] == [
            (AlertKind.ACCUMULATION, DropReason.LOW_CONFIDENCE),
            (AlertKind.WHALE_ACCUMULATION, None),
        ]

    def test_a_message_of_its_own_is_finished_also_beside_a_heavier_one(self) -> None:
        at = desk(chat())
        first = one(at.consider([flow()], now_ms=NOW_MS))
        at.consider([reclaim()], now_ms=NOW_MS + 1_000)
        end = one(at.consider([flow(is_final=True, usd=7e6)], now_ms=NOW_MS + 2_000))
        assert (end.alert.id, end.is_edit, end.alert.usd) == (first.alert.id, True, 7e6)

    def test_coins_do_not_mix(self) -> None:
        at = desk(chat())
        told = at.consider([reclaim(), flow(Direction.SHORT, symbol="ETH")], now_ms=NOW_MS)
        assert {(v.alert.symbol, v.alert.direction) for v in told} == {
            ("BTC", Direction.LONG),
            ("ETH", Direction.SHORT),
        }


class TestConfidence:
    def context(self, verdict: ContextVerdict) -> Any:
        return lambda _symbol, _direction: AlertContext(verdict, 0.0001, 0.5, 0.01, 0.5)

    def test_record_and_context_move_it_and_the_base_is_kept(self) -> None:
        at = desk(
            chat(),
            context=self.context(ContextVerdict.FAVORABLE),
            records=lambda setup: (60, 33) if setup == "STOP_HUNT:LONG:1" else None,
        )
        alert = one(at.consider([reclaim()], now_ms=NOW_MS)).alert
        assert (alert.base_confidence, alert.confidence) == (80.0, pytest.approx(85.75))

    def test_an_unfavourable_context_costs_ten_points_and_is_only_adjusted_when_permitted(self) -> None:
        context = self.context(ContextVerdict.UNFAVORABLE)
        dropped = one(desk(chat(), context=context).consider([reclaim()], now_ms=NOW_MS))
        assert (dropped.reason, dropped.alert.confidence) == (DropReason.CONTEXT, 70.0)
        lenient = chat(level=FilterLevel.PERMISSIVE)
        kept = one(desk(lenient, context=context).consider([reclaim()], now_ms=NOW_MS))
        assert (kept.reason, kept.alert.confidence) == (None, 70.0)

    def test_without_direction_neither_is_asked(self) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("asked about an alert without direction")

        alert = one(desk(chat(), context=refuse, records=refuse).consider([finding()], now_ms=NOW_MS)).alert
        assert (alert.confidence, alert.context, alert.record) == (80.0, None, None)

    def test_it_stays_within_a_hundred_points(self) -> None:
        at = desk(chat(), context=self.context(ContextVerdict.FAVORABLE), records=lambda _setup: (500, 500))
        assert one(at.consider([reclaim(confidence=99.0)], now_ms=NOW_MS)).alert.confidence == 100.0


class TestSeverity:
    @pytest.mark.parametrize(
        ("kind", "ratio", "phase", "levels", "severity"),
        [
            (AlertKind.STOP_HUNT, 4.99, Phase.BUILDING, None, Severity.WATCH),
            (AlertKind.STOP_HUNT, 5.0, Phase.BUILDING, None, Severity.URGENT),
            (AlertKind.STOP_HUNT, 1.0, Phase.RECLAIM, LEVELS, Severity.URGENT),
            (AlertKind.STOP_HUNT, 1.0, Phase.RECLAIM, None, Severity.WATCH),
            (AlertKind.ACCUMULATION, 50.0, None, LEVELS, Severity.WATCH),
            (AlertKind.WHALE_POSITION, 50.0, None, None, Severity.WATCH),
            (AlertKind.VOLUME_SPIKE, 50.0, None, None, Severity.INFO),
            (AlertKind.FUNDING_EXTREME, 1.0, None, None, Severity.INFO),
        ],
    )
    def test_the_rules(
        self,
        kind: AlertKind,
        ratio: float,
        phase: Phase | None,
        levels: TradeLevels | None,
        severity: Severity,
    ) -> None:
        assert severity_of(kind, ratio=ratio, phase=phase, levels=levels) is severity

    def test_getting_urgent_calls_the_chat_that_hears_only_urgent_ones(self) -> None:
        at = desk(chat(), chat("telegram:-9", severities=frozenset({Severity.URGENT})))
        assert one(at.consider([finding(usd=8e6, ratio=4.0)], now_ms=NOW_MS)).chats == (CHAT,)
        assert at.consider([finding(usd=9.9e6, ratio=4.95)], now_ms=NOW_MS) == []
        urgent = one(at.consider([finding(usd=10e6, ratio=5.0)], now_ms=NOW_MS))
        assert (urgent.chats, urgent.is_edit) == (("telegram:-9",), False)

    def test_getting_urgent_wakes_a_chat_in_its_quiet_hours(self) -> None:
        at = desk(chat(quiet_from_min=0, quiet_to_min=1_440))
        assert one(at.consider([finding()], now_ms=NOW_MS)).reason is DropReason.QUIET_HOURS
        assert at.consider([finding(usd=9.9e6, ratio=4.95)], now_ms=NOW_MS) == []
        assert one(at.consider([finding(usd=10e6, ratio=5.0)], now_ms=NOW_MS)).chats == (CHAT,)

    def test_within_an_episode_an_alert_only_gets_louder(self) -> None:
        at = desk(chat())
        at.consider([finding(ratio=6.0)], now_ms=NOW_MS)
        end = one(at.consider([finding(ratio=2.0, is_final=True)], now_ms=NOW_MS))
        assert end.alert.severity is Severity.URGENT


class TestStorm:
    @pytest.mark.parametrize("usd", [9e6])
    def test_a_hundred_coins_in_one_frame_give_a_hundred_alerts(self, usd: float) -> None:
        coins = ["BTC", "ETH", *(f"C{number}" for number in range(98))]
        found = [
            finding(
                symbol=coin, episode=f"{coin}:1", burst=coin, usd=usd * part, ratio=usd * part / threshold
            )
            for coin in coins
            for part, threshold in ((1 / 3, 2e6 if coin == "BTC" else 5e4),) * 3
        ]
        told = desk(chat()).consider(found, now_ms=NOW_MS)
        assert [v.chats for v in told] == [(CHAT,)] * 100
        assert {v.alert.symbol for v in told} == set(coins)

    def test_the_cap_counts_messages_and_not_edits(self) -> None:
        at = desk(chat(hourly_cap=3))
        told = []
        for number in range(5):
            coin = {"symbol": f"C{number}", "burst": f"C{number}", "ratio": 2.0}
            told += at.consider([finding(**coin, usd=100_000.0)], now_ms=NOW_MS)
            told += at.consider([finding(**coin, usd=200_000.0)], now_ms=NOW_MS)
        assert [v.reason for v in told if v.reason] == [DropReason.HOURLY_CAP] * 4
        assert sum(bool(v.chats) and not v.is_edit for v in told) == 3
        assert sum(v.is_edit for v in told) == 3
        assert at.counters()["hourly_cap"] == 4


class TestBounds:
    def test_forgotten_episodes_leave_nothing_behind(self) -> None:
        book = EpisodeBook(max_episodes=3)
        for number in range(10):
            made = finding(symbol=f"C{number}")
            book.open(made)
        known = [number for number in range(10) if book.find(finding(symbol=f"C{number}"))]
        assert known == [7, 8, 9]
        assert not list(book.of_coin("C0"))

    def test_an_episode_that_still_has_findings_is_spared(self) -> None:
        book = EpisodeBook(max_episodes=3)
        active = book.open(finding(symbol="LIVE"))
        for number in range(10):
            active.latest = finding(symbol="LIVE", usd=float(number))
            book.open(finding(symbol=f"C{number}"))
        assert book.find(finding(symbol="LIVE")) is active

    def test_no_findings_cost_nothing(self) -> None:
        at = AlertDesk(tier_of=lambda _symbol: 1, data_mode="live", chats=tuple)
        assert at.consider([], now_ms=NOW_MS) == []
        assert at.counters() == {}
