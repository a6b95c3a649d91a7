"""The one gate: each reason, their order, and what an edit is not asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerting.memory import HOUR_MS, ChatMemory, Said, Told, state_key, told_by
from app.core.alerting.policy import GATE, GateRules, decide, furthest, levels_are_valid
from app.core.domain.alerts import (
    Alert,
    AlertContext,
    ChatSettings,
    ContextVerdict,
    DropReason,
    FilterLevel,
    GateVerdict,
    Severity,
)
from app.core.domain.flow import AlertKind, TradeLevels
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from tests.alert_facts import CHAT, NOW_MS, alert, chat

MINUTE_MS = 60_000


def ask(
    asked: Alert,
    *chats: ChatSettings,
    memory: ChatMemory | None = None,
    told: Mapping[str, Told] | None = None,
    watchlist: frozenset[str] | None = None,
    now_ms: int = NOW_MS,
) -> GateVerdict:
    return decide(
        asked,
        chats=chats or (chat(),),
        memories={} if memory is None else {CHAT: memory},
        told=told or {},
        watchlist=watchlist,
        now_ms=now_ms,
        rules=GateRules(),
    )


def context(verdict: ContextVerdict) -> AlertContext:
    return AlertContext(verdict, 0.0001, 0.5, 0.01, 0.5)


def heard(*, minutes_ago: float = 10, **changes: Any) -> ChatMemory:
    """A chat that was told the usual alert, with changes, some minutes ago."""
    memory = ChatMemory()
    memory.note(alert(ts_init_ms=NOW_MS - round(minutes_ago * MINUTE_MS), **changes), is_edit=False)
    return memory


def spent(times: int, *, minutes_ago: float = 10) -> ChatMemory:
    memory = ChatMemory()
    for number in range(times):
        memory.spent[str(number)] = NOW_MS - round(minutes_ago * MINUTE_MS)
    return memory


class TestReasons:
    def test_a_sound_alert_goes_to_every_chat_in_their_order(self) -> None:
        verdict = ask(alert(), chat("telegram:-2"), chat("webhook"), chat("telegram:-1"))
        assert verdict.chats == ("telegram:-2", "webhook", "telegram:-1")
        assert (verdict.reason, verdict.dropped, verdict.is_edit) == (None, {}, False)

    @pytest.mark.parametrize("price", [None, 0.0, -1.0, float("nan"), float("inf")])
    def test_a_direction_needs_a_traded_price(self, price: float | None) -> None:
        assert ask(alert(price=price)).reason is DropReason.NO_PRICE

    def test_without_direction_an_unknown_price_is_no_fault_but_a_wrong_one_is(self) -> None:
        silent = {"direction": Direction.NEUTRAL, "levels": None}
        assert ask(alert(price=None, **silent)).reason is None
        assert ask(alert(price=0.0, **silent)).reason is DropReason.NO_PRICE

    def test_an_alert_may_carry_no_levels_but_no_wrong_ones(self) -> None:
        assert ask(alert(levels=None)).reason is None
        assert ask(alert(levels=TradeLevels(96_200, 97_000, (98_000,)))).reason is DropReason.BAD_LEVELS
        assert ask(alert(direction=Direction.NEUTRAL)).reason is DropReason.BAD_LEVELS

    def test_watchlists_are_those_of_the_service_unless_the_chat_has_its_own(self) -> None:
        others = frozenset({"ETH"})
        assert ask(alert(), watchlist=others).reason is DropReason.NOT_WATCHED
        assert ask(alert(), chat(watch=frozenset({"BTC"})), watchlist=others).reason is None
        assert ask(alert(), chat(watch=others)).reason is DropReason.NOT_WATCHED
        assert ask(alert(), chat(unwatch=frozenset({"BTC"}))).reason is DropReason.NOT_WATCHED

    def test_a_market_wide_alert_passes_every_watchlist(self) -> None:
        assert ask(alert(symbol="MARKET"), watchlist=frozenset({"ETH"})).reason is None

    @pytest.mark.parametrize("muted", ["BTC", "*"])
    def test_a_muted_coin_is_silent_until_the_time_is_over(self, muted: str) -> None:
        assert ask(alert(), chat(mute={muted: NOW_MS + 1})).reason is DropReason.MUTED
        assert ask(alert(), chat(mute={muted: NOW_MS, "ETH": NOW_MS + 1})).reason is None

    @pytest.mark.parametrize(
        ("level", "passing"),
        [
            (FilterLevel.STRICT, {ContextVerdict.FAVORABLE}),
            (FilterLevel.NORMAL, {ContextVerdict.FAVORABLE, ContextVerdict.NEUTRAL}),
            (FilterLevel.PERMISSIVE, set(ContextVerdict)),
        ],
    )
    def test_the_level_of_the_chat_decides_what_the_context_blocks(
        self, level: FilterLevel, passing: set[ContextVerdict]
    ) -> None:
        for verdict in ContextVerdict:
            reason = ask(alert(context=context(verdict)), chat(level=level)).reason
            assert reason is (None if verdict in passing else DropReason.CONTEXT)

    def test_an_unknown_context_is_a_neutral_one(self) -> None:
        assert ask(alert(context=None)).reason is None
        assert ask(alert(context=None), chat(level=FilterLevel.STRICT)).reason is DropReason.CONTEXT

    def test_what_has_no_direction_is_not_filtered(self) -> None:
        silent = alert(direction=Direction.NEUTRAL, levels=None, context=None)
        assert ask(silent, chat(level=FilterLevel.STRICT)).reason is None

    def test_seventy_points_are_the_least(self) -> None:
        assert ask(alert(confidence=70.0)).reason is None
        assert ask(alert(confidence=69.999)).reason is DropReason.LOW_CONFIDENCE
        assert ask(alert(confidence=float("nan"))).reason is DropReason.LOW_CONFIDENCE
        assert ask(alert(confidence=60.0), chat(min_confidence=60.0)).reason is None

    def test_the_least_size_is_that_of_the_coin_or_of_all(self) -> None:
        assert ask(alert(usd=9e5), chat(thresholds={"*": 1e6})).reason is DropReason.BELOW_THRESHOLD
        assert ask(alert(usd=9e5), chat(thresholds={"*": 1e6, "BTC": 5e5})).reason is None
        assert ask(alert(usd=1e6), chat(thresholds={"*": 1e6})).reason is None

    def test_a_funding_rate_has_no_size_to_be_under(self) -> None:
        funding = alert(kind=AlertKind.FUNDING_EXTREME, usd=0.0)
        assert ask(funding, chat(thresholds={"*": 1e6})).reason is None

    def test_old_events_are_not_told(self) -> None:
        assert ask(alert(ts_event_ms=NOW_MS - 300_000)).reason is None
        assert ask(alert(ts_event_ms=NOW_MS - 300_001)).reason is DropReason.EXPIRED
        polled = alert(kind=AlertKind.OI_SPIKE, ts_event_ms=NOW_MS - 300_001)
        assert ask(polled).reason is None

    @pytest.mark.parametrize(
        ("start", "end", "is_quiet"),
        [
            (700, 730, True),
            (720, 721, True),
            (700, 720, False),
            (721, 719, False),
            (600, 60, True),
            (1_400, 721, True),
            (720, 720, False),
            (None, 730, False),
        ],
    )
    def test_quiet_hours_are_minutes_of_the_utc_day(
        self, start: int | None, end: int, is_quiet: bool
    ) -> None:
        """It is 12:00, minute 720."""
        quiet = chat(quiet_from_min=start, quiet_to_min=end)
        assert ask(alert(), quiet).reason is (DropReason.QUIET_HOURS if is_quiet else None)
        assert ask(alert(severity=Severity.URGENT), quiet).reason is None

    def test_fifty_in_an_hour_are_the_most_and_urgent_ones_are_exempt(self) -> None:
        assert ask(alert(), memory=spent(49)).reason is None
        assert ask(alert(), memory=spent(50)).reason is DropReason.HOURLY_CAP
        assert ask(alert(), memory=spent(50, minutes_ago=60)).reason is None
        assert ask(alert(severity=Severity.URGENT), memory=spent(50)).reason is None
        assert ask(alert(), chat(hourly_cap=None), memory=spent(500)).reason is None


class TestStateChange:
    def test_inside_the_cooldown_nothing_is_repeated(self) -> None:
        changed = alert(confidence=99.0, usd=90e6)
        assert ask(changed, memory=heard(minutes_ago=4.99)).reason is DropReason.NO_CHANGE
        assert ask(changed, memory=heard(minutes_ago=5)).reason is None

    @pytest.mark.parametrize(
        ("changes", "is_new"),
        [
            ({}, False),
            ({"confidence": 91.9}, False),
            ({"confidence": 92.0}, True),
            ({"confidence": 72.0}, True),
            ({"usd": 23.9e6}, False),
            ({"usd": 24e6}, True),
            ({"usd": 6e6}, True),
            ({"usd": 6.1e6}, False),
        ],
    )
    def test_after_it_ten_points_or_twice_the_size_are_new(
        self, changes: dict[str, float], is_new: bool
    ) -> None:
        """It was told at 82 points and $12M."""
        verdict = ask(alert(**changes), memory=heard())
        assert verdict.reason is (None if is_new else DropReason.NO_CHANGE)

    def test_a_value_that_wavers_never_flips_in_and_out(self) -> None:
        memory = heard(confidence=72.4)
        for points in (72.6, 72.4, 77.5, 70.0, 72.6):
            assert ask(alert(confidence=points), memory=memory).reason is DropReason.NO_CHANGE

    def test_another_coin_kind_direction_or_side_is_another_statement(self) -> None:
        memory = heard(minutes_ago=2)
        for other in (
            {"symbol": "ETH"},
            {"kind": AlertKind.ACCUMULATION},
            {"direction": Direction.NEUTRAL, "levels": None},
            {"direction": Direction.SHORT, "levels": None},
            {"side": LiquidatedSide.SHORT},
        ):
            assert ask(alert(**other), memory=memory).reason is None

    def test_after_an_hour_the_same_is_news_again(self) -> None:
        assert ask(alert(), memory=heard(minutes_ago=59)).reason is DropReason.NO_CHANGE
        assert ask(alert(), memory=heard(minutes_ago=60)).reason is None

    def test_the_cooldown_is_the_chats_own(self) -> None:
        changed = alert(confidence=95.0)
        memory = heard(minutes_ago=4)
        assert ask(changed, chat(cooldown_s=60), memory=memory).reason is None

    def test_a_clock_that_steps_back_does_not_mute_a_coin_for_hours(self) -> None:
        told_later = heard(minutes_ago=-61)  # by a clock that then went back
        assert ask(alert(), memory=told_later).reason is None
        assert ask(alert(), memory=heard(minutes_ago=-2)).reason is DropReason.NO_CHANGE


class TestFlip:
    short = alert(direction=Direction.SHORT, side=LiquidatedSide.SHORT, levels=None)

    def test_the_opposite_waits_a_minute(self) -> None:
        assert ask(self.short, memory=heard(minutes_ago=0.99)).reason is DropReason.FLIP
        assert ask(self.short, memory=heard(minutes_ago=1)).reason is None

    def test_it_is_the_opposite_of_any_kind_in_that_coin_only(self) -> None:
        memory = heard(minutes_ago=0.5, kind=AlertKind.ACCUMULATION)
        assert ask(self.short, memory=memory).reason is DropReason.FLIP
        assert ask(alert(), memory=memory).reason is None
        other_coin = heard(minutes_ago=0.5, symbol="ETH")
        assert ask(self.short, memory=other_coin).reason is None

    def test_what_has_no_direction_neither_flips_nor_is_flipped(self) -> None:
        silent = alert(direction=Direction.NEUTRAL, levels=None)
        assert ask(silent, memory=heard(minutes_ago=0.1)).reason is None
        memory = heard(minutes_ago=0.1, direction=Direction.NEUTRAL, levels=None)
        assert ask(alert(), memory=memory).reason is None


# Everything wrong at once, and what cures it, in the order in which the gate asks.
CURES: tuple[tuple[DropReason, dict[str, Any], dict[str, Any]], ...] = (
    (DropReason.NO_PRICE, {"price": 96_200.0}, {}),
    (DropReason.BAD_LEVELS, {"levels": None}, {}),
    (DropReason.NOT_WATCHED, {}, {"watch": None}),
    (DropReason.MUTED, {}, {"mute": {}}),
    (DropReason.CONTEXT, {"context": None}, {}),
    (DropReason.LOW_CONFIDENCE, {"confidence": 82.0}, {}),
    (DropReason.BELOW_THRESHOLD, {}, {"thresholds": {}}),
    (DropReason.NO_CHANGE, {}, {"cooldown_s": 0, "memory": "changed"}),
    (DropReason.FLIP, {}, {"memory": "no direction"}),
    (DropReason.EXPIRED, {"ts_event_ms": NOW_MS}, {}),
    (DropReason.QUIET_HOURS, {}, {"quiet_from_min": None}),
    (DropReason.HOURLY_CAP, {}, {"hourly_cap": None}),
)


class TestOrder:
    def test_the_gate_asks_in_the_order_of_the_reasons(self) -> None:
        asked = [reason for reason, _ in GATE]
        assert asked == [reason for reason in DropReason if reason is not DropReason.NO_CHAT]

    def test_curing_one_fault_after_the_other_shows_the_next(self) -> None:
        sick = alert(
            price=None,
            context=context(ContextVerdict.UNFAVORABLE),
            confidence=10.0,
            ts_event_ms=NOW_MS - HOUR_MS,
        )
        fields = {"watch": frozenset({"ETH"}), "mute": {"*": NOW_MS + 1}, "thresholds": {"*": 1e9}}
        quiet = {"quiet_from_min": 0, "quiet_to_min": 1_440, "hourly_cap": 0}
        memory = ChatMemory(said={"BTC": Said(NOW_MS, Direction.SHORT)})
        memory.states[state_key(sick)] = told_by(alert(ts_init_ms=NOW_MS))
        changes: dict[str, Any] = {}
        settings: dict[str, Any] = {**fields, **quiet}
        seen = []
        for reason, cure, setting in CURES:
            levels = changes.get("levels", TradeLevels(1.0, 2.0, (3.0,)))
            asked = alert(
                **{
                    "price": None,
                    "context": sick.context,
                    "confidence": 10.0,
                    "ts_event_ms": sick.ts_event_ms,
                    **changes,
                    "levels": levels,
                }
            )
            seen.append(ask(asked, chat(**settings), memory=memory).reason)
            changes |= cure
            settings |= {name: value for name, value in setting.items() if name != "memory"}
            if setting.get("memory") == "changed":
                memory.states.clear()
            elif setting.get("memory"):
                memory.said.clear()
            del reason
        assert seen == [reason for reason, _, _ in CURES]
        assert ask(alert(levels=None, context=None), chat(**settings), memory=memory).reason is None

    def test_noise_does_not_use_up_the_cap(self) -> None:
        """The verdict changes nothing; only what is told is counted (`desk`)."""
        memory = ChatMemory()
        for _ in range(100):
            assert ask(alert(confidence=10.0), memory=memory).reason is DropReason.LOW_CONFIDENCE
        assert memory.sent_last_hour(NOW_MS) == 0


class TestChats:
    def test_only_chats_that_take_this_severity_are_asked(self) -> None:
        urgent_only = chat("telegram:-9", severities=frozenset({Severity.URGENT}))
        verdict = ask(alert(), urgent_only, chat())
        assert verdict.chats == (CHAT,)
        assert verdict.dropped == {}

    def test_a_disabled_chat_is_not_asked(self) -> None:
        assert ask(alert(), chat(is_disabled=True)).reason is DropReason.NO_CHAT

    def test_without_chats_the_alert_is_judged_all_the_same(self) -> None:
        nobody: dict[str, Any] = {
            "chats": (),
            "memories": {},
            "told": {},
            "watchlist": None,
            "now_ms": NOW_MS,
            "rules": GateRules(),
        }
        assert decide(alert(), **nobody).reason is DropReason.NO_CHAT
        assert decide(alert(confidence=10.0), **nobody).reason is DropReason.LOW_CONFIDENCE

    def test_one_chat_that_passes_keeps_the_alert_and_the_others_have_their_reasons(self) -> None:
        verdict = ask(alert(), chat(), chat("telegram:-2", mute={"*": NOW_MS + 1}))
        assert (verdict.reason, verdict.chats) == (None, (CHAT,))
        assert verdict.dropped == {"telegram:-2": DropReason.MUTED}

    def test_the_reason_is_that_of_the_chat_that_came_furthest(self) -> None:
        verdict = ask(alert(), chat(mute={"*": NOW_MS + 1}), chat("telegram:-2", min_confidence=95.0))
        assert verdict.reason is DropReason.LOW_CONFIDENCE
        assert furthest([]) is None


class TestEdits:
    before = told_by(alert(usd=5e6, is_final=False, confidence=90.0))

    def edit(self, *chats: ChatSettings, memory: ChatMemory | None = None, **changes: Any) -> GateVerdict:
        return ask(alert(**changes), *chats, memory=memory, told={CHAT: self.before})

    def test_twice_the_size_or_the_end_is_shown_in_the_same_message(self) -> None:
        for changes in ({"usd": 10e6, "is_final": False}, {"usd": 5e6, "is_final": True}):
            verdict = self.edit(**changes)
            assert (verdict.chats, verdict.is_edit) == ((CHAT,), True)

    def test_less_than_that_is_not_shown(self) -> None:
        verdict = self.edit(usd=9.9e6, is_final=False)
        assert (verdict.chats, verdict.dropped, verdict.reason) == ((), {}, None)

    def test_cooldown_age_quiet_hours_and_cap_do_not_hold_it_up(self) -> None:
        quiet = chat(quiet_from_min=0, quiet_to_min=1_440, hourly_cap=0)
        memory = heard(minutes_ago=1)
        assert self.edit(quiet, memory=memory, ts_event_ms=NOW_MS - HOUR_MS).chats == (CHAT,)

    def test_once_sure_it_stays_told(self) -> None:
        assert self.edit(confidence=69.0).chats == (CHAT,)

    def test_watchlist_mute_and_context_hold(self) -> None:
        assert self.edit(chat(mute={"BTC": NOW_MS + 1})).dropped == {CHAT: DropReason.MUTED}
        assert self.edit(chat(unwatch=frozenset({"BTC"}))).dropped == {CHAT: DropReason.NOT_WATCHED}
        bad = context(ContextVerdict.UNFAVORABLE)
        assert self.edit(context=bad).dropped == {CHAT: DropReason.CONTEXT}
        assert self.edit(price=None).dropped == {CHAT: DropReason.NO_PRICE}

    def test_a_direction_that_the_message_did_not_have_is_a_new_claim(self) -> None:
        silent = {CHAT: told_by(alert(direction=Direction.NEUTRAL))}
        assert ask(alert(), told=silent).chats == (CHAT,)
        assert ask(alert(confidence=60.0), told=silent).dropped == {CHAT: DropReason.LOW_CONFIDENCE}
        opposite = heard(minutes_ago=0.5, direction=Direction.SHORT, levels=None)
        assert ask(alert(), told=silent, memory=opposite).dropped == {CHAT: DropReason.FLIP}

    def test_a_message_is_finished_also_when_it_got_too_loud_for_its_chat(self) -> None:
        calm = chat(severities=frozenset({Severity.WATCH}))
        assert self.edit(calm, severity=Severity.URGENT).chats == (CHAT,)


PRICES = st.floats(1e-6, 1e6)


class TestLevels:
    @pytest.mark.parametrize(
        ("levels", "is_valid"),
        [
            (TradeLevels(100, 99, (101, 102)), True),
            (TradeLevels(100, 100, (101,)), False),
            (TradeLevels(100, 101, (102,)), False),
            (TradeLevels(100, 99, (100,)), False),
            (TradeLevels(100, 99, (102, 101)), False),
            (TradeLevels(100, 99, ()), False),
            (TradeLevels(100, -1, (101,)), False),
            (TradeLevels(100, float("nan"), (101,)), False),
            (TradeLevels(100, 99, (float("inf"),)), False),
        ],
    )
    def test_a_long_rises_from_stop_over_entry_to_targets(self, levels: TradeLevels, is_valid: bool) -> None:
        assert levels_are_valid(levels, Direction.LONG, 100.2) is is_valid
        assert not levels_are_valid(levels, Direction.SHORT, 100.2)

    @pytest.mark.parametrize("price", [99.0, 98.0, 101.0, 110.0])
    def test_levels_the_price_has_left_behind_are_no_levels(self, price: float) -> None:
        assert not levels_are_valid(TradeLevels(100, 99, (101,)), Direction.LONG, price)

    @given(PRICES, PRICES, st.lists(PRICES, max_size=3), PRICES)
    def test_a_short_is_a_long_in_the_mirror(
        self, entry: float, stop: float, targets: list[float], price: float
    ) -> None:
        top = 2e6  # exact enough: compared are orders, and none of these is changed by rounding to steps of 1
        values = [round(value) + 1 for value in (entry, stop, *targets, price)]
        here = TradeLevels(values[0], values[1], tuple(values[2:-1]))
        there = TradeLevels(top - values[0], top - values[1], tuple(top - value for value in values[2:-1]))
        assert levels_are_valid(here, Direction.LONG, values[-1]) is levels_are_valid(
            there, Direction.SHORT, top - values[-1]
        )
