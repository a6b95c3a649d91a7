"""Episodes the desk knows: what was said of each, and when its next finding could matter.

An episode is one burst of one kind in one coin and one alert. Bounded: the ones untouched longest ago are
forgotten. Used by `desk` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from app.core.alerting.memory import Told, told_by
from app.core.alerting.severity import louder
from app.core.domain.alerts import DropReason, GateVerdict, Severity, StoredAlert
from app.core.domain.flow import AlertKind, Finding, Phase
from app.core.domain.signal import Direction

MAX_EPISODES = 20_000
_SECOND_CHANCES = 8
# A cascade goes back and forth between these two; neither is news.
_RUNNING = (Phase.BUILDING, Phase.PEAK)


def alert_id(kind: AlertKind, symbol: str, episode: str) -> str:
    """16 hex digits, the same in every process and for ever."""
    return blake2b(f"{kind}|{symbol}|{episode}".encode(), digest_size=8).hexdigest()


@dataclass(slots=True)
class Episode:
    """One alert in the making.

    follows: id of the cascade's alert where this is its reclaim.
    latest: newest finding, None after a restart until one comes; passed_over: the one it had when it was last
    spared from being forgotten. told: what each chat saw last. shown: newest
    revision that was handed out, whoever saw it. wake_*: size (also past the peak), confidence and time from
    which on a finding may change something; the fields after them: what it must be like not to change
    anything before.
    """

    id: str
    revision: int = 0
    severity: Severity = Severity.INFO
    reason: DropReason | None = None
    follows: str | None = None
    latest: Finding | None = None
    passed_over: Finding | None = None
    shown: Told | None = None
    told: dict[str, Told] = field(default_factory=dict)
    wake_usd: float = 0.0
    wake_peak_usd: float = 0.0
    wake_confidence: float = 0.0
    wake_ms: int = 0
    phase: Phase | None = None
    direction: Direction = Direction.NEUTRAL
    is_final: bool = False
    is_blind: bool = True

    def sleeps_through(self, finding: Finding, now_ms: int) -> bool:
        """Whether this finding changes nothing for anybody."""
        return (
            finding.usd < (self.wake_peak_usd if finding.phase is Phase.PEAK else self.wake_usd)
            and finding.confidence < self.wake_confidence
            and now_ms < self.wake_ms
            and (finding.phase is self.phase or (finding.phase in _RUNNING and self.phase in _RUNNING))
            and finding.direction is self.direction
            and finding.is_final is self.is_final
            and (finding.price is None) is self.is_blind
        )

    def sleep(self, *, usd: float, peak_usd: float, confidence: float, until_ms: int) -> None:
        self.wake_usd = usd
        self.wake_peak_usd = peak_usd
        self.wake_confidence = confidence
        self.wake_ms = until_ms

    def rest(self, finding: Finding, until_ms: int) -> None:
        """It was told as part of a heavier one: not asked about again before."""
        self._looks_like(finding)
        self.sleep(usd=math.inf, peak_usd=math.inf, confidence=math.inf, until_ms=until_ms)

    def judged(self, verdict: GateVerdict, finding: Finding, *, is_news: bool) -> None:
        """The gate has answered; `is_news`: its verdict is handed out as the next revision."""
        self._looks_like(finding)
        self.reason = verdict.reason
        if is_news:
            self.revision = verdict.alert.revision
            self.shown = told_by(verdict.alert)
        self.severity = louder(verdict.alert.severity, self.severity)

    def was_shown(self, stored: StoredAlert, told: Mapping[str, Told]) -> None:
        """Another process, or this one before its start, went further than is known here."""
        self.revision = stored.alert.revision
        self.severity = stored.alert.severity
        self.reason = stored.drop_reason
        self.shown = told_by(stored.alert)
        self.told = dict(told)
        self.sleep(usd=0.0, peak_usd=0.0, confidence=0.0, until_ms=0)

    def told_direction(self) -> Direction:
        """The direction some chat was told, NEUTRAL when none was."""
        said = (told.direction for told in self.told.values())
        return next((item for item in said if item is not Direction.NEUTRAL), Direction.NEUTRAL)

    def _looks_like(self, finding: Finding) -> None:
        self.phase = finding.phase
        self.direction = finding.direction
        self.is_final = finding.is_final
        self.is_blind = finding.price is None


class EpisodeBook:
    """Episodes by their names, by coin, and after a restart by the id of their alert."""

    def __init__(self, max_episodes: int = MAX_EPISODES) -> None:
        self._max = max_episodes
        self._named: dict[tuple[AlertKind, str, str], Episode] = {}
        self._by_coin: dict[str, dict[AlertKind, Episode]] = {}
        self._ids: dict[str, Episode] = {}
        self._restored: dict[str, Episode] = {}

    def find(self, finding: Finding) -> Episode | None:
        return self._named.get((finding.kind, finding.symbol, finding.episode))

    def of_coin(self, symbol: str) -> Iterable[Episode]:
        """The newest episode of each kind."""
        return self._by_coin.get(symbol, {}).values()

    def newest(self, symbol: str, kind: AlertKind) -> Episode | None:
        return self._by_coin.get(symbol, {}).get(kind)

    def open(self, finding: Finding) -> Episode:
        """The episode of a finding that `find` does not know: restored, or new."""
        self._make_room()
        name = alert_id(finding.kind, finding.symbol, finding.episode)
        episode = self._restored.pop(name, None) or Episode(name)
        self._named[(finding.kind, finding.symbol, finding.episode)] = episode
        self._ids[name] = episode
        self._by_coin.setdefault(finding.symbol, {})[finding.kind] = episode
        return episode

    def restore(self, stored: StoredAlert, told: Mapping[str, Told]) -> None:
        """Know a stored alert by its id (the name of its episode is not stored); nothing older than known."""
        alert = stored.alert
        episode = self._ids.get(alert.id) or self._restored.get(alert.id)
        if episode is None:
            if len(self._restored) >= self._max:
                del self._restored[next(iter(self._restored))]
            episode = self._restored[alert.id] = Episode(alert.id)
        if alert.revision > episode.revision:
            episode.was_shown(stored, told)

    def _make_room(self) -> None:
        """Forget the oldest; one that had findings since it was last passed over is spared a few times."""
        chances = _SECOND_CHANCES
        while len(self._named) >= self._max:
            key, episode = next(iter(self._named.items()))
            del self._named[key]
            if chances and episode.latest is not episode.passed_over:
                chances -= 1
                episode.passed_over = episode.latest
                self._named[key] = episode
                continue
            del self._ids[episode.id]
            kind, symbol, _ = key
            of_coin = self._by_coin.get(symbol, {})
            if of_coin.get(kind) is episode:
                del of_coin[kind]
            if not of_coin:
                self._by_coin.pop(symbol, None)
