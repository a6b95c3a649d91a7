"""What the delivery tells about itself: counters, the state of each chat, and one record per try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.core.domain.alerts import OutboxDepth

_MAX_CHATS = 200


class Outcome(StrEnum):
    """What became of one try. Digests count as the one message they are."""

    SENT = "sent"
    EDITED = "edited"
    EDIT_REFUSED = "edit_refused"  # the message is gone or may not be edited: it stays as it was
    LATER = "later"  # certainly not delivered: tried again
    UNCERTAIN = "uncertain"  # may have been delivered: repeated once
    REFUSED = "refused"  # given up


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One try, for the metrics. alerts: in the message; wait_s: from when the service learned of the (first)
    alert to the answer of the destination, None for edits; is_repeat: it may have arrived before."""

    scheme: str
    outcome: Outcome
    alerts: int
    wait_s: float | None
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class ChatState:
    """How one destination does. failures: in a row; wait_s: until the next message may go there."""

    sent: int = 0
    failures: int = 0
    last_sent_ms: int | None = None
    last_error: str | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Since the start. depth: of the outbox when it was last looked at, None before; stopped: schemes whose
    credentials were refused, with the reason; trouble: why the outbox cannot be read, None while it can."""

    depth: OutboxDepth | None
    tries: Mapping[str, int]
    repeats: int
    digests: int
    chats: Mapping[str, ChatState]
    stopped: Mapping[str, str]
    last_error: str | None
    trouble: str | None


@dataclass(slots=True)
class Ledger:
    """The counters while they run; bounded, the chats heard of last stay."""

    tries: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Outcome), 0))
    repeats: int = 0
    digests: int = 0
    chats: dict[str, ChatState] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    last_error: str | None = None

    def count(self, record: DeliveryRecord, *, is_digest: bool) -> None:
        self.tries[record.outcome] += 1
        self.repeats += record.is_repeat
        self.digests += is_digest and record.outcome is Outcome.SENT

    def failures(self, chat: str) -> int:
        return self.chats.get(chat, ChatState()).failures

    def arrived(self, chat: str, now_ms: int) -> None:
        before = self.chats.get(chat, ChatState())
        self._put(chat, replace(before, sent=before.sent + 1, failures=0, last_sent_ms=now_ms))

    def failed(self, chat: str, why: str) -> None:
        before = self.chats.get(chat, ChatState())
        self._put(chat, replace(before, failures=before.failures + 1, last_error=why))
        self.last_error = why

    def _put(self, chat: str, state: ChatState) -> None:
        self.chats.pop(chat, None)
        self.chats[chat] = state
        if len(self.chats) > _MAX_CHATS:
            del self.chats[next(iter(self.chats))]
