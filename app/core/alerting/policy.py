"""The one gate that every alert passes, and the order in which it asks.

Pure: `decide` judges and changes nothing; `desk` notes what came of it. New messages are asked everything,
in the order of `GATE` (that of `DropReason`); the cap comes last, so that noise cannot use it up. The next
revision of a message already sent is an edit: nobody is called again, so cooldown, quiet hours and cap do
not hold it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.alerting.memory import ChatMemory, Told, state_key
from app.core.domain.alerts import (
    Alert,
    ChatSettings,
    ContextVerdict,
    DropReason,
    FilterLevel,
    GateVerdict,
    Severity,
)
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.signal import Direction

# Judged in place of a chat when no chat takes the alert: what it would have been told by default.
HOUSE = ChatSettings(chat="", hourly_cap=None)

# These come from polls of bars and lists, so their event is minutes old when it is learned.
POLLED = frozenset(
    {AlertKind.WHALE_POSITION, AlertKind.FUNDING_EXTREME, AlertKind.OI_SPIKE, AlertKind.HEATMAP}
)
# The name under which `core.flow` finds what concerns all coins together.
MARKET = "MARKET"
# Past its peak a cascade hardly grows: what is shown then may lack less than at the 2x steps before.
SETTLED_FACTOR = 1.05
# A funding rate has no size in USD: no threshold in USD can be under or over it.
UNSIZED = frozenset({AlertKind.FUNDING_EXTREME})


@dataclass(frozen=True, slots=True)
class GateRules:
    """Numbers of the gate that no chat can change; `[gate]` of config/alerts.toml.

    change_points, change_factor: what makes a statement new (confidence, or size either way). forget_s: after
    this long a statement is new without a change. flip_s: no opposite direction before. max_age_s: too old to
    act on. market_symbols: names that are no coin (market-wide findings) and pass every watchlist. house:
    judged where no chat takes the alert; its name is that of HOUSE.
    """

    change_points: float = 10.0
    change_factor: float = 2.0
    forget_s: int = 3_600
    flip_s: int = 60
    max_age_s: int = 300
    max_age_polled_s: int = 3_600
    market_symbols: frozenset[str] = frozenset({MARKET})
    house: ChatSettings = HOUSE


@dataclass(frozen=True, slots=True)
class Question:
    """May this chat be told this alert now? watchlist: of the service, None for every coin."""

    alert: Alert
    chat: ChatSettings
    memory: ChatMemory
    watchlist: frozenset[str] | None
    rules: GateRules
    now_ms: int


def decide(
    alert: Alert,
    *,
    chats: Sequence[ChatSettings],
    memories: Mapping[str, ChatMemory],
    told: Mapping[str, Told],
    watchlist: frozenset[str] | None,
    now_ms: int,
    rules: GateRules,
) -> GateVerdict:
    """Judge one revision of one alert for all chats.

    memories: by chat, absent for one that heard nothing yet. told: chats that were told an earlier revision
    of this very alert, with what they saw. A chat that has nothing new to see is in neither list of the
    verdict. With no chat for this severity the house's defaults are judged, and what passes is NO_CHAT.
    """
    addressed = [chat for chat in chats if _is_addressed(alert, chat, told)]
    passed: list[str] = []
    dropped: dict[str, DropReason] = {}
    for chat in addressed or [rules.house]:
        seen = told.get(chat.chat)
        if seen is not None and not edit_is_due(alert, seen, rules):
            continue
        memory = memories.get(chat.chat) or ChatMemory()
        reason = _refusal(Question(alert, chat, memory, watchlist, rules, now_ms), seen)
        if reason is None:
            passed.append(chat.chat)
        else:
            dropped[chat.chat] = reason
    return _verdict(alert, passed, dropped, told=told, has_chats=bool(addressed))


def _is_addressed(alert: Alert, chat: ChatSettings, told: Mapping[str, Told]) -> bool:
    """Chats that were told see the message to its end, also when its severity has outgrown theirs."""
    return not chat.is_disabled and (alert.severity in chat.severities or chat.chat in told)


def edit_is_due(alert: Alert, seen: Told, rules: GateRules) -> bool:
    """Whether a message already sent has something new to show: twice the size (past the peak 5 % more), a
    direction, or the end."""
    factor = SETTLED_FACTOR if alert.phase is Phase.PEAK else rules.change_factor
    has_grown = alert.usd >= factor * seen.usd > 0
    return has_grown or alert.direction is not seen.direction or (alert.is_final and not seen.is_final)


def furthest(reasons: Sequence[DropReason]) -> DropReason | None:
    """The reason of the chat that came furthest through the gate: why, in the end, nobody is told."""
    return max(reasons, key=_POSITION.__getitem__, default=None)


def levels_are_valid(levels: TradeLevels, direction: Direction, price: float) -> bool:
    """Whether stop < entry < targets (mirrored for SHORT), nearest first, the price still between stop and
    first target."""
    if direction is Direction.NEUTRAL or not levels.targets:
        return False
    path = (levels.stop, levels.entry, *levels.targets)
    if not all(math.isfinite(value) and value > 0 for value in path):
        return False
    sign = 1.0 if direction is Direction.LONG else -1.0
    rises = all(sign * before < sign * after for before, after in pairwise(path))
    return rises and sign * levels.stop < sign * price < sign * levels.targets[0]


def _has_no_price(ask: Question) -> bool:
    """A direction without a traded price is worthless; without direction an unknown price is only unknown."""
    price = ask.alert.price
    if price is None:
        return ask.alert.direction is not Direction.NEUTRAL
    return not (math.isfinite(price) and price > 0)


def _has_bad_levels(ask: Question) -> bool:
    levels = ask.alert.levels
    if levels is None:
        return False
    return ask.alert.price is None or not levels_are_valid(levels, ask.alert.direction, ask.alert.price)


def _is_not_watched(ask: Question) -> bool:
    symbol = ask.alert.symbol
    if symbol in ask.rules.market_symbols:
        return False
    watched = ask.watchlist if ask.chat.watch is None else ask.chat.watch
    return symbol in ask.chat.unwatch or (watched is not None and symbol not in watched)


def _is_muted(ask: Question) -> bool:
    mute = ask.chat.mute
    return max(mute.get(ask.alert.symbol, 0), mute.get("*", 0)) > ask.now_ms


def _is_filtered(ask: Question) -> bool:
    """The filter judges the side of a signal; an alert without direction has none to judge."""
    if ask.alert.direction is Direction.NEUTRAL or ask.chat.level is FilterLevel.PERMISSIVE:
        return False
    context = ask.alert.context
    verdict = ContextVerdict.NEUTRAL if context is None else context.verdict
    if ask.chat.level is FilterLevel.STRICT:
        return verdict is not ContextVerdict.FAVORABLE
    return verdict is ContextVerdict.UNFAVORABLE


def _is_unsure(ask: Question) -> bool:
    return not ask.alert.confidence >= ask.chat.min_confidence  # a NaN is unsure too


def _is_small(ask: Question) -> bool:
    if ask.alert.kind in UNSIZED:
        return False
    thresholds = ask.chat.thresholds
    return not ask.alert.usd >= thresholds.get(ask.alert.symbol, thresholds.get("*", 0.0))


def _is_no_change(ask: Question) -> bool:
    """The reference is what the chat was told, never what was dropped since: 72.4 and 72.6 are the same."""
    last = ask.memory.states.get(state_key(ask.alert))
    if last is None:
        return False
    age_ms = abs(ask.now_ms - last.at_ms)
    if age_ms < ask.chat.cooldown_s * 1000:
        return True
    if age_ms >= ask.rules.forget_s * 1000:
        return False
    factor = ask.rules.change_factor
    is_other_size = ask.alert.usd >= factor * last.usd or factor * ask.alert.usd <= last.usd
    return not is_other_size and abs(ask.alert.confidence - last.confidence) < ask.rules.change_points


def _is_flip(ask: Question) -> bool:
    said = ask.memory.said.get(ask.alert.symbol)
    if said is None or Direction.NEUTRAL in (ask.alert.direction, said.direction):
        return False
    is_opposite = said.direction is not ask.alert.direction
    return is_opposite and abs(ask.now_ms - said.at_ms) < ask.rules.flip_s * 1000


def _is_expired(ask: Question) -> bool:
    rules = ask.rules
    limit_s = rules.max_age_polled_s if ask.alert.kind in POLLED else rules.max_age_s
    return ask.now_ms - ask.alert.ts_event_ms > limit_s * 1000


def _is_quiet(ask: Question) -> bool:
    start, end = ask.chat.quiet_from_min, ask.chat.quiet_to_min
    if ask.alert.severity is Severity.URGENT or start is None or end is None:
        return False
    minute = ask.now_ms // 60_000 % 1_440
    # Over midnight the two halves join; equal ends are no span at all.
    return start <= minute < end if start <= end else minute >= start or minute < end


def _is_over_cap(ask: Question) -> bool:
    if ask.alert.severity is Severity.URGENT or ask.chat.hourly_cap is None:
        return False
    return ask.memory.sent_last_hour(ask.now_ms) >= ask.chat.hourly_cap


GATE: tuple[tuple[DropReason, Callable[[Question], bool]], ...] = (
    (DropReason.NO_PRICE, _has_no_price),
    (DropReason.BAD_LEVELS, _has_bad_levels),
    (DropReason.NOT_WATCHED, _is_not_watched),
    (DropReason.MUTED, _is_muted),
    (DropReason.CONTEXT, _is_filtered),
    (DropReason.LOW_CONFIDENCE, _is_unsure),
    (DropReason.BELOW_THRESHOLD, _is_small),
    (DropReason.NO_CHANGE, _is_no_change),
    (DropReason.FLIP, _is_flip),
    (DropReason.EXPIRED, _is_expired),
    (DropReason.QUIET_HOURS, _is_quiet),
    (DropReason.HOURLY_CAP, _is_over_cap),
)
_POSITION: Mapping[DropReason, int] = {reason: place for place, reason in enumerate(DropReason)}

# What an edit is not asked. That it was sure once keeps it told (hysteresis), unless it now takes a direction
# that the message did not have: that is a new claim.
_NOT_ASKED_OF_EDITS = frozenset(
    {DropReason.NO_CHANGE, DropReason.EXPIRED, DropReason.QUIET_HOURS, DropReason.HOURLY_CAP}
)
_ASKED_OF_NEW_CLAIMS = frozenset({DropReason.LOW_CONFIDENCE, DropReason.FLIP})


def _refusal(ask: Question, seen: Told | None) -> DropReason | None:
    skipped: frozenset[DropReason] = frozenset()
    if seen is not None:
        is_claim = ask.alert.direction not in (seen.direction, Direction.NEUTRAL)
        skipped = _NOT_ASKED_OF_EDITS | (frozenset() if is_claim else _ASKED_OF_NEW_CLAIMS)
    return next((reason for reason, refuses in GATE if reason not in skipped and refuses(ask)), None)


def _verdict(
    alert: Alert,
    passed: Sequence[str],
    dropped: Mapping[str, DropReason],
    *,
    told: Mapping[str, Told],
    has_chats: bool,
) -> GateVerdict:
    if not has_chats:
        reason = furthest(tuple(dropped.values())) or DropReason.NO_CHAT
        return GateVerdict(alert=alert, reason=reason, chats=(), dropped={})
    is_kept = bool(passed) or bool(told)
    return GateVerdict(
        alert=alert,
        reason=None if is_kept else furthest(tuple(dropped.values())),
        chats=tuple(passed),
        dropped=dict(dropped),
        is_edit=any(chat in told for chat in passed),
    )
