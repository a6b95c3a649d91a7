"""The alert desk: findings in, verdicts of the gate out, each only when there is something to store or send.

Owns the life of alerts (id, revisions, severity, what each chat saw of it) and the memory of the gate. Pure:
no clock, no I/O; the pipeline stores and sends what it returns. A finding that changes nothing for anybody
costs one dictionary look-up and a few comparisons, because a growing cascade brings a hundred thousand a
second.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from app.core.alerting.episodes import Episode, EpisodeBook
from app.core.alerting.memory import ChatMemory, Told, told_by
from app.core.alerting.merge import Candidate, is_echo, merge, weight_of
from app.core.alerting.policy import HOUSE, SETTLED_FACTOR, GateRules, decide, edit_is_due
from app.core.alerting.record import Records, look_up
from app.core.alerting.restoring import told_chats
from app.core.alerting.severity import URGENT_RATIO, louder, severity_of
from app.core.domain.alerts import (
    Alert,
    AlertContext,
    ChatSettings,
    DropReason,
    GateVerdict,
    StoredAlert,
)
from app.core.domain.flow import AlertKind, Finding, Phase
from app.core.domain.signal import Direction
from app.core.flow.market_filter import context_shift

MERGE_WINDOW_MS = 60_000  # findings this close together are one moment
# A drop that hangs on time or settings (mute, quiet hours, cap) is asked again this much later at most.
ASK_AGAIN_MS = 1_000
NEVER_MS = 1 << 62

Contexts: TypeAlias = Callable[[str, Direction], AlertContext | None]


class AlertDesk:
    """Turns findings into alerts and asks the gate about each.

    tier_of: tier of a coin, 1 to 3. chats: settings of the destinations as they are now. watchlist: of the
    service, None for every coin. context: what the market says of a direction. records: outcomes by setup.
    feeds: upstream streams a finding's events came from.
    """

    def __init__(
        self,
        *,
        tier_of: Callable[[str], int],
        data_mode: str,
        chats: Callable[[], Sequence[ChatSettings]],
        watchlist: Callable[[], frozenset[str] | None] = lambda: None,
        context: Contexts = lambda _symbol, _direction: None,
        records: Records = lambda _setup: None,
        feeds: Callable[[Finding], tuple[str, ...]] = lambda _finding: (),
        rules: GateRules | None = None,
        urgent_ratio: float = URGENT_RATIO,
    ) -> None:
        self._tier_of = tier_of
        self._data_mode = data_mode
        self._chats = chats
        self._watchlist = watchlist
        self._context = context
        self._records = records
        self._feeds = feeds
        self._rules = rules or GateRules()
        self._urgent_ratio = urgent_ratio
        self._book = EpisodeBook()
        self._memories: dict[str, ChatMemory] = {}
        self._counts: Counter[str] = Counter()

    def counters(self) -> Mapping[str, int]:
        """Since the start, by fate: `kept`, `edited`, `repeat` (changed nothing), `merged` (told as part of a
        heavier one), `unusable` (numbers that are none), and every drop reason, once per chat."""
        return dict(self._counts)

    def consider(self, findings: Sequence[Finding], *, now_ms: int) -> list[GateVerdict]:
        """Verdicts on what is new in these findings, heaviest source first; mostly none."""
        if not findings:
            return []
        awake: list[tuple[Finding, Episode]] = []
        for finding in findings:
            episode = self._book.find(finding)
            if episode is not None and episode.sleeps_through(finding, now_ms):
                episode.latest = finding
                self._counts["repeat"] += 1
            elif _is_usable(finding):
                episode = episode or self._book.open(finding)
                episode.latest = finding
                awake.append((finding, episode))
            else:
                self._counts["unusable"] += 1
        awake.sort(key=lambda item: -weight_of(item[0].kind))
        verdicts: list[GateVerdict] = []
        for finding, episode in awake:
            if episode.latest is finding:  # else the same call brought a newer one
                verdicts += self._consider_one(finding, episode, now_ms)
        return verdicts

    def restore(self, stored: Sequence[StoredAlert]) -> None:
        """Remember what was told before this start, or by another process: nothing of it is told again.

        stored: in any order, with deliveries (`AlertStore.recent`); the same again changes nothing, so this
        may be called whenever coins are taken over. What a chat saw is read from its delivery; its time is
        that of the newest revision, so that cap and cooldown err towards silence.
        """
        heard: list[tuple[int, str, Alert]] = []
        for item in stored:
            told = told_chats(item)
            self._book.restore(item, {chat: told_by(alert) for chat, alert in told.items()})
            heard += [(alert.ts_init_ms, chat, alert) for chat, alert in told.items()]
        # In the order in which they were told: an alert that was stored first may have been edited last.
        for _, chat, alert in sorted(heard, key=lambda item: item[:2]):
            self._memories.setdefault(chat, ChatMemory()).recall(alert)

    def _consider_one(self, finding: Finding, episode: Episode, now_ms: int) -> list[GateVerdict]:
        """Judge a finding together with what stands beside it in its coin."""
        if _is_reclaim_of_told(finding, episode):
            return self._consider_reclaim(finding, episode, now_ms)
        if self._is_echo(finding, episode):
            self._counts["merged"] += 1
            episode.rest(finding, now_ms + MERGE_WINDOW_MS)
            return []
        peers = self._peers(finding, episode)
        candidate = merge([peer.latest for peer in peers if peer.latest is not None])
        if candidate.lead is finding:
            return self._ask(episode, candidate, now_ms)
        leader = next(peer for peer in peers if peer.latest is candidate.lead)
        has_said = leader.told_direction() is not Direction.NEUTRAL
        if episode.told or finding.kind not in candidate.sources or (has_said and candidate.is_opposed):
            return self._ask(episode, merge([finding]), now_ms)
        verdicts = [] if leader.told else self._ask(leader, candidate, now_ms)
        if not leader.told and not candidate.is_opposed:
            # Together they were not enough; a merge never silences what is enough alone.
            return verdicts + self._ask(episode, merge([finding]), now_ms)
        self._counts["merged"] += 1
        episode.rest(finding, now_ms + MERGE_WINDOW_MS)
        return verdicts

    def _consider_reclaim(self, finding: Finding, cascade: Episode, now_ms: int) -> list[GateVerdict]:
        """A told cascade is over: its message ends as it is, and the way back is an alert of its own.

        An edit calls nobody, and the reclaim is what can be acted on (docs/adr/0031).
        """
        end = cascade.latest = replace(finding, direction=Direction.NEUTRAL, levels=None)
        verdicts = self._ask(cascade, merge([end]), now_ms)
        way_back = replace(finding, episode=f"{finding.episode}:reclaim")
        episode = self._book.find(way_back) or self._book.open(way_back)
        episode.latest, episode.follows = way_back, cascade.id
        return verdicts + self._consider_one(way_back, episode, now_ms)

    def _is_echo(self, finding: Finding, episode: Episode) -> bool:
        """Whether it only repeats a cascade that was told. What has a message of its own is finished."""
        cascade = self._book.newest(finding.symbol, AlertKind.STOP_HUNT)
        if cascade is None or cascade.latest is None or not (cascade.told or cascade.follows) or episode.told:
            return False
        return is_echo(cascade.latest, finding)

    def _peers(self, finding: Finding, episode: Episode) -> list[Episode]:
        """Episodes of the coin that say something within the same minute, this one included.

        A message that has a direction is not taken back by a later opposite finding: that one is judged by
        itself, and the gate holds it back for as long as a flip is barred.
        """
        peers = [episode]
        has_said = episode.told_direction() is not Direction.NEUTRAL
        for peer in self._book.of_coin(finding.symbol):
            latest = peer.latest
            if peer is episode or latest is None:
                continue
            is_now = abs(finding.ts_event_ms - latest.ts_event_ms) < MERGE_WINDOW_MS
            if is_now and not (has_said and latest.direction is not finding.direction):
                peers.append(peer)
        return peers

    def _ask(self, episode: Episode, candidate: Candidate, now_ms: int) -> list[GateVerdict]:
        """Put the candidate before the gate and note the answer; the verdict, when it is news."""
        alert = self._alert(episode, candidate, now_ms)
        chats = self._chats()
        verdict = decide(
            alert,
            chats=chats,
            memories=self._memories,
            told=episode.told,
            watchlist=self._watchlist(),
            now_ms=now_ms,
            rules=self._rules,
        )
        is_news = self._is_news(episode, verdict)
        episode.judged(verdict, candidate.lead, is_news=is_news)
        self._note(episode, verdict)
        self._sleep(episode, verdict, candidate.lead, chats, now_ms)
        if not is_news:
            self._counts["repeat"] += 1
            return []
        self._count(verdict)
        return [verdict]

    def _is_news(self, episode: Episode, verdict: GateVerdict) -> bool:
        """Whether the verdict is to be stored or sent: new, told, grown, over, or of another fate."""
        if verdict.chats or episode.shown is None:
            return True
        is_other_fate = not episode.told and verdict.reason is not episode.reason
        return is_other_fate or edit_is_due(verdict.alert, episode.shown, self._rules)

    def _note(self, episode: Episode, verdict: GateVerdict) -> None:
        """Remember who is told what. Without a chat the house counts as one, so that it repeats nothing."""
        alert, chats = verdict.alert, verdict.chats
        if verdict.reason is DropReason.NO_CHAT:
            seen = episode.told.get(HOUSE.chat)
            chats = (HOUSE.chat,) if seen is None or edit_is_due(alert, seen, self._rules) else ()
        for chat in chats:
            memory = self._memories.setdefault(chat, ChatMemory())
            memory.note(alert, is_edit=chat in episode.told)
            episode.told[chat] = told_by(alert)

    def _sleep(
        self,
        episode: Episode,
        verdict: GateVerdict,
        lead: Finding,
        chats: Sequence[ChatSettings],
        now_ms: int,
    ) -> None:
        """Set from when on the next finding of this episode could change anything."""
        is_dropped = bool(verdict.dropped) or verdict.reason not in (None, DropReason.NO_CHAT)
        next_usd = self._next_size(episode, verdict, chats)
        episode.sleep(
            usd=next_usd,
            peak_usd=min(next_usd, _next_settled(verdict.alert, _seen(episode))),
            confidence=lead.confidence + _missing_confidence(verdict, chats, self._rules.house),
            until_ms=now_ms + ASK_AGAIN_MS if is_dropped else NEVER_MS,
        )

    def _next_size(self, episode: Episode, verdict: GateVerdict, chats: Sequence[ChatSettings]) -> float:
        """The next size in USD at which a message grows, gets urgent, or reaches a chat's threshold."""
        alert = verdict.alert
        sizes = [_next_shown(alert, _seen(episode), self._rules.change_factor)]
        if alert.kind is AlertKind.STOP_HUNT and alert.ratio > 0:
            sizes.append(alert.usd * self._urgent_ratio / alert.ratio)
        sizes += [
            chat.thresholds.get(alert.symbol, chat.thresholds.get("*", math.inf))
            for chat in chats
            if verdict.dropped.get(chat.chat) is DropReason.BELOW_THRESHOLD
        ]
        # What is passed already and still open hangs on time or settings, and those are asked again soon.
        return min((size for size in sizes if size > alert.usd), default=math.inf)

    def _alert(self, episode: Episode, candidate: Candidate, now_ms: int) -> Alert:
        lead, direction = candidate.lead, candidate.direction
        record = look_up(self._records, lead.kind, direction, self._tier_of(lead.symbol))
        context = None if direction is Direction.NEUTRAL else self._context(lead.symbol, direction)
        shift = (record.shift if record else 0.0) + context_shift(context)
        levels = None if candidate.is_opposed else lead.levels
        severity = severity_of(
            lead.kind, ratio=lead.ratio, phase=lead.phase, levels=levels, urgent_ratio=self._urgent_ratio
        )
        return Alert(
            id=episode.id,
            revision=episode.revision + 1,
            kind=lead.kind,
            symbol=lead.symbol,
            direction=direction,
            severity=louder(severity, episode.severity),
            side=lead.side,
            phase=lead.phase,
            started_ms=lead.started_ms,
            ts_event_ms=lead.ts_event_ms,
            ts_init_ms=now_ms,
            usd=lead.usd,
            ratio=lead.ratio,
            window_s=lead.window_s,
            price=lead.price,
            percentile=lead.percentile,
            confidence=max(0.0, min(100.0, candidate.confidence + shift)),
            base_confidence=candidate.confidence,
            record=record,
            context=context,
            levels=levels,
            sources=candidate.sources,
            feeds=self._feeds(lead),
            evidence=(*(item for item in lead.evidence if math.isfinite(item[1])), *candidate.evidence),
            is_final=lead.is_final,
            data_mode=self._data_mode,
            follows=episode.follows,
        )

    def _count(self, verdict: GateVerdict) -> None:
        if verdict.chats:
            self._counts["edited" if verdict.is_edit else "kept"] += 1
        elif verdict.reason is not None and not verdict.dropped:
            self._counts[verdict.reason] += 1
        for reason in verdict.dropped.values():
            self._counts[reason] += 1


def _next_settled(alert: Alert, seen: Sequence[Told]) -> float:
    """From which size on its peak is shown: before the peak that size may have been passed already."""
    if alert.phase is Phase.PEAK:
        return _next_shown(alert, seen, SETTLED_FACTOR)
    return min((SETTLED_FACTOR * told.usd for told in seen), default=math.inf)


def _is_reclaim_of_told(finding: Finding, episode: Episode) -> bool:
    """Whether a cascade that somebody was told takes its first direction."""
    is_reclaim = finding.kind is AlertKind.STOP_HUNT and finding.direction is not Direction.NEUTRAL
    is_told = bool(episode.told) and episode.told_direction() is Direction.NEUTRAL
    return is_reclaim and is_told and episode.follows is None


def _seen(episode: Episode) -> list[Told]:
    """What anybody was shown of it last."""
    return [*episode.told.values(), *([episode.shown] if episode.shown else [])]


def _next_shown(alert: Alert, seen: Sequence[Told], factor: float) -> float:
    """The next size in USD that is `factor` times what somebody sees, infinite for none."""
    sizes = (factor * told.usd for told in seen)
    return min((size for size in sizes if size > alert.usd), default=math.inf)


def _is_usable(finding: Finding) -> bool:
    """Sizes and confidence that are numbers; the price is the gate's to judge."""
    return math.isfinite(finding.usd) and math.isfinite(finding.ratio) and math.isfinite(finding.confidence)


def _missing_confidence(verdict: GateVerdict, chats: Sequence[ChatSettings], house: ChatSettings) -> float:
    """Points the alert lacks for the easiest chat; infinite when it lacks none.

    The confidence of the alert rises by at most as much as that of its leading finding, so it cannot pass
    before.
    """
    needed = [
        chat.min_confidence for chat in chats if verdict.dropped.get(chat.chat) is DropReason.LOW_CONFIDENCE
    ]
    if not needed and verdict.reason is DropReason.LOW_CONFIDENCE:
        needed = [house.min_confidence]
    return min(needed) - verdict.alert.confidence if needed else math.inf
