"""What each chat has been told: the memory behind repetition, opposite directions and the hourly cap.

Bounded by time and number, and rebuilt after a start from the stored alerts (`desk.restore`). Asked by
`policy`, written by `desk`. A clock that steps back makes it more careful, never deaf: distances in time are
taken without their sign.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from app.core.domain.alerts import Alert, Severity
from app.core.domain.flow import AlertKind
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide

HOUR_MS = 3_600_000
# More than any cap that makes sense; beyond it the oldest are forgotten.
MAX_SPENT = 10_000
MAX_STATES = 20_000

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
    """Of one chat: last statement by kind and coin, last direction by coin, times that count for the cap."""

    states: dict[StateKey, Told] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    spent: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_SPENT))

    def note(self, alert: Alert, *, is_edit: bool) -> None:
        """The chat is told this revision. An edit sends no new message, and urgent ones are exempt: neither
        counts for the cap."""
        key = state_key(alert)
        self.states.pop(key, None)  # to the end: the front is forgotten first
        self.states[key] = told_by(alert)
        if alert.direction is not Direction.NEUTRAL:
            self.said.pop(alert.symbol, None)
            self.said[alert.symbol] = Said(alert.ts_init_ms, alert.direction)
        if not is_edit and alert.severity is not Severity.URGENT:
            self.spent.append(alert.ts_init_ms)
        if len(self.states) > MAX_STATES:
            del self.states[next(iter(self.states))]
        if len(self.said) > MAX_STATES:
            del self.said[next(iter(self.said))]

    def sent_last_hour(self, now_ms: int) -> int:
        """New messages of the last 60 minutes that count for the cap."""
        while self.spent and self.spent[0] <= now_ms - HOUR_MS:
            self.spent.popleft()
        return sum(1 for at_ms in self.spent if abs(now_ms - at_ms) < HOUR_MS)
