"""What each chat has been told: the memory behind repetition, opposite directions and the hourly cap.

Bounded by time and number, and rebuilt from the stored alerts (`desk.restore`). Asked by
`policy`, written by `desk`. A clock that steps back makes it more careful, never deaf: distances in time are
taken without their sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from app.core.domain.alerts import Alert, Severity
from app.core.domain.flow import AlertKind
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

HOUR_MS = 3_600_000
MAX_HELD = 20_000  # statements, directions and messages per chat
K = TypeVar("K")
V = TypeVar("V")

# What makes two alerts the same statement. The side is part of it because a cascade of longs is not a
# repetition of one of shorts, though neither has a direction while it runs.
StateKey: TypeAlias = tuple[str, AlertKind, Direction, LiquidatedSide | None]


class Told(NamedTuple):
    """One statement as a chat last saw it. is_final: the episode was shown as over."""

    at_ms: int
    usd: float
    confidence: float
    direction: Direction
    is_final: bool


class Said(NamedTuple):
    """The last direction a chat heard of a coin."""

    at_ms: int
    direction: Direction


def told_by(alert: Alert) -> Told:
    """What this revision tells, at the time it was made."""
    return Told(alert.ts_init_ms, alert.usd, alert.confidence, alert.direction, alert.is_final)


def state_key(alert: Alert) -> StateKey:
    return (alert.symbol, alert.kind, alert.direction, alert.side)


@dataclass(slots=True)
class ChatMemory:
    """Of one chat: last statement by kind and coin, last direction by coin, and the messages that count for
    the cap, by alert."""

    states: dict[StateKey, Told] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)

    def note(self, alert: Alert, *, is_edit: bool) -> None:
        """The chat is told this revision. An edit sends no new message, and urgent ones are exempt: neither
        counts for the cap."""
        _put(self.states, state_key(alert), told_by(alert))
        if alert.direction is not Direction.NEUTRAL:
            _put(self.said, alert.symbol, Said(alert.ts_init_ms, alert.direction))
        if not is_edit and alert.severity is not Severity.URGENT:
            _put(self.spent, alert.id, alert.ts_init_ms)

    def recall(self, alert: Alert) -> None:
        """The chat was told this revision, by this process or another; what is known better stays.

        An urgent alert that grew may have been a message of the ordinary kind once, so it counts.
        """
        known = self.states.get(state_key(alert))
        if known is None or known.at_ms <= alert.ts_init_ms:
            _put(self.states, state_key(alert), told_by(alert))
        said = self.said.get(alert.symbol)
        if alert.direction is not Direction.NEUTRAL and (said is None or said.at_ms <= alert.ts_init_ms):
            _put(self.said, alert.symbol, Said(alert.ts_init_ms, alert.direction))
        if alert.id not in self.spent and (alert.severity is not Severity.URGENT or alert.revision > 1):
            _put(self.spent, alert.id, alert.ts_init_ms)

    def sent_last_hour(self, now_ms: int) -> int:
        """New messages of the last 60 minutes that count for the cap."""
        while self.spent:
            alert_id, at_ms = next(iter(self.spent.items()))
            if at_ms > now_ms - HOUR_MS:
                break
            del self.spent[alert_id]
        return sum(1 for at_ms in self.spent.values() if abs(now_ms - at_ms) < HOUR_MS)


def _put(held: dict[K, V], key: K, value: V) -> None:
    """To the end; of too many the front is forgotten."""
    held.pop(key, None)
    held[key] = value
    if len(held) > MAX_HELD:
        del held[next(iter(held))]
