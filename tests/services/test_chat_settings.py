"""Commands that change what a chat is told: their arguments, bounds, and what they leave alone."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.alerts import ChatSettings, FilterLevel, Language
from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.errors import InputError, UnknownSymbol
from app.services.chat_settings import CHANGERS, MAX_COINS, Change, TooMany, Usage, Wish, clock_text

NOW_MS = 1_764_936_000_000
HOUR_MS = 3_600_000
START = ChatSettings(
    "telegram:-1001", mute={"BTC": NOW_MS + HOUR_MS, "ETH": NOW_MS - 1}, thresholds={"*": 5e4}
)


def resolve(text: str) -> Symbol:
    return resolve_symbol(text, {"BTC", "ETH", "SOL", "ALL"})


def change(text: str, settings: ChatSettings = START) -> Change:
    command, *args = text.split()
    return CHANGERS[command](settings, Wish(command, tuple(args), NOW_MS, resolve))


def changed(text: str, settings: ChatSettings = START) -> dict[str, Any]:
    """The fields that the command changed."""
    new = change(text, settings).settings
    names = [field.name for field in fields(ChatSettings)]
    return {name: getattr(new, name) for name in names if getattr(new, name) != getattr(settings, name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("watch btc-usdt", {}),
        ("unwatch sol", {"unwatch": frozenset({"SOL"})}),
        ("threshold BTC 250k", {"thresholds": {"*": 5e4, "BTC": 250_000.0}}),
        ("threshold * $1.5M", {"thresholds": {"*": 1_500_000.0}}),
        ("threshold all 2,000,000", {"thresholds": {"*": 2_000_000.0}}),
        ("threshold * off", {"thresholds": {}}),
        ("threshold * 0", {"thresholds": {}}),
        ("cooldown 10", {"cooldown_s": 600}),
        ("mute SOL", {"mute": {"BTC": NOW_MS + HOUR_MS, "SOL": NOW_MS + HOUR_MS}}),
        ("mute BTC 2.5", {"mute": {"BTC": NOW_MS + 9_000_000}}),
        ("mute * 1d", {"mute": {"BTC": NOW_MS + HOUR_MS, "*": NOW_MS + 24 * HOUR_MS}}),
        ("mute ALL", {"mute": {"BTC": NOW_MS + HOUR_MS, "ALL": NOW_MS + HOUR_MS}}),
        ("unmute", {"mute": {}}),
        ("unmute BTC", {"mute": {"ETH": NOW_MS - 1}}),
        ("quiet 22:00-6:30", {"quiet_from_min": 1_320, "quiet_to_min": 390}),
        ("quiet 7:05 - 8:00", {"quiet_from_min": 425, "quiet_to_min": 480}),
        ("digest off", {"is_digest_on": False}),
        ("digest on", {}),
        ("digest 60", {"digest_every_min": 60}),
        ("level strict", {"level": FilterLevel.STRICT}),
        ("level PERMISSIVE", {"level": FilterLevel.PERMISSIVE}),
        ("language id", {"language": Language.ID}),
    ],
)
def test_a_command_changes_what_it_names_and_nothing_else(text: str, expected: dict[str, Any]) -> None:
    assert changed(text) == expected


MALFORMED = """
watch|watch BTC ETH|unwatch|threshold BTC|threshold BTC -5|threshold BTC nan|threshold BTC 1e9
threshold BTC 99999999b|threshold BTC inf|cooldown 0|cooldown 1441|cooldown x|cooldown ٣|cooldown
mute|mute BTC 0|mute BTC 721|mute BTC 1 2|mute BTC nan|quiet|quiet 25:00-06:00|quiet 07:00-07:00
quiet 22:60-23:00|digest|digest 4|digest 1441|digest maybe|level|level loose|language|language fr
"""


@pytest.mark.parametrize("text", re.split(r"[|\n]", MALFORMED.strip()))
def test_what_does_not_fit_is_answered_with_the_usage(text: str) -> None:
    with pytest.raises(Usage) as caught:
        change(text)
    assert caught.value.command == text.split()[0]


@pytest.mark.parametrize("text", ["watch NOSUCH", "mute NOSUCH", "threshold NOSUCH 5", "unwatch NOSUCH"])
def test_an_unknown_coin_is_refused(text: str) -> None:
    with pytest.raises(UnknownSymbol):
        change(text)


def test_a_chat_with_a_list_of_its_own_gets_coins_added_and_taken_away() -> None:
    own = replace(START, watch=frozenset({"BTC"}), unwatch=frozenset({"SOL"}))
    added = change("watch SOL", own)
    assert (added.settings.watch, added.settings.unwatch) == ({"BTC", "SOL"}, frozenset())
    assert added.watched == "SOL"
    assert change("unwatch BTC", own).settings.watch == frozenset()


def test_quiet_hours_off_takes_both_ends_away() -> None:
    quiet = change("quiet 22:00-06:00").settings
    assert changed("quiet off", quiet) == {"quiet_from_min": None, "quiet_to_min": None}


def test_unmuting_one_coin_says_that_everything_is_still_muted() -> None:
    all_muted = change("mute * 1").settings
    assert change("unmute BTC", all_muted).key == "set.unmute_not_all"
    assert change("unmute BTC").key == "set.unmute"
    assert change("unmute *", all_muted).key == "set.unmute"


def test_settings_of_one_kind_are_bounded() -> None:
    many = {f"C{number}": 5.0 for number in range(MAX_COINS)}
    full = replace(START, thresholds=many, watch=frozenset(many), unwatch=frozenset(many))
    for text in ("threshold BTC 5", "watch BTC", "unwatch BTC"):
        with pytest.raises(TooMany):
            change(text, full)


@given(st.sampled_from(sorted(CHANGERS)), st.lists(st.text(max_size=20), max_size=4))
def test_any_arguments_give_settings_or_a_named_refusal(command: str, args: list[str]) -> None:
    try:
        made = CHANGERS[command](START, Wish(command, tuple(args), NOW_MS, resolve))
    except InputError:
        return
    assert made.settings.chat == START.chat
    assert made.settings.severities == START.severities
    assert made.settings.cooldown_s >= 60
    assert all(usd > 0 for usd in made.settings.thresholds.values())


@given(st.integers(0, 1_439))
def test_a_minute_of_the_day_is_read_as_it_is_shown(minute: int) -> None:
    end = (minute + 1) % 1_440
    new = change(f"quiet {clock_text(minute)}-{clock_text(end)}").settings
    assert (new.quiet_from_min, new.quiet_to_min) == (minute, end)
