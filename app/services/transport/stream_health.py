"""How one stream does: counters, the age of its data, what was missed, and whether any of it can be read.

Domain-free and clock-driven; knows no channel. Kept by the streams of CoinGlass and OKX, shown in status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple

from app.services.transport.socket import SocketState

# A wholly unknown dialect must be an alarm within 60 s: a little before that.
ALARM_AFTER_S = 50.0
_MIN_UNREADABLE = 2

State = Literal["connecting", "live", "silent", "refused", "alarm"]


class Missed(NamedTuple):
    """Time without data around a lost connection, epoch ms, and why it was lost."""

    from_ms: int
    to_ms: int
    reason: str


class StreamHealth:
    """Counters since the start. expected_gap_s: data older than that is too old for a live stream.

    harmless: reasons of rejects that show a readable event which is simply not wanted.
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        expected_gap_s: float,
        harmless: Collection[str] = (),
    ) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._expected_gap_s = expected_gap_s
        self._harmless = frozenset(harmless)
        self.connected_ms: int | None = None
        self.last_data_ms: int | None = None
        self.frames = self.events = self.reconnects = self.gaps = 0
        self.rejects: dict[str, int] = {}
        self._data_s: float | None = None
        self._lost_for: str | None = None
        self._was_connected = False
        self._unreadable = 0
        self._unreadable_since_s = self._unreadable_s = 0.0

    def opened(self) -> None:
        self.reconnects += self._was_connected
        self._was_connected = True
        self.connected_ms = self._now_ms()

    def lost(self, reason: str) -> None:
        """The first reason stays: attempts that fail later explain nothing."""
        self.connected_ms = None
        if self._lost_for is None and self.last_data_ms is not None:
            self._lost_for = reason

    def note(self, events: int, rejects: Mapping[str, int]) -> Missed | None:
        """Count one frame; what was missed before it, when it is the first data after a loss."""
        self.frames += 1
        self.events += events
        for reason, count in rejects.items():
            self.rejects[reason] = self.rejects.get(reason, 0) + count
        if not events:
            if rejects and not self._harmless.issuperset(rejects):
                self._note_unreadable()
            return None
        self._unreadable = 0
        return self._note_data()

    def _note_unreadable(self) -> None:
        now_s = self._monotonic()
        if not self._unreadable:
            self._unreadable_since_s = now_s
        self._unreadable += 1
        self._unreadable_s = now_s

    def _note_data(self) -> Missed | None:
        before_ms, now_ms = self.last_data_ms, self._now_ms()
        self.last_data_ms = now_ms
        self._data_s = self._monotonic()
        reason, self._lost_for = self._lost_for, None
        if reason is None or before_ms is None:
            return None
        self.gaps += 1
        # The wall clock may have stepped back meanwhile.
        return Missed(min(before_ms, now_ms), now_ms, reason)

    def state(self, socket: SocketState) -> State:
        """In one word; what cannot be read is said first."""
        now_s = self._monotonic()
        if self._is_alarm(now_s):
            return "alarm"
        if socket is SocketState.REFUSED:
            return "refused"
        if socket is not SocketState.OPEN:
            return "connecting"
        is_live = self._data_s is not None and now_s - self._data_s < self._expected_gap_s
        return "live" if is_live and self._lost_for is None else "silent"

    def _is_alarm(self, now_s: float) -> bool:
        return (
            self._unreadable >= _MIN_UNREADABLE
            and now_s - self._unreadable_since_s >= ALARM_AFTER_S
            and now_s - self._unreadable_s < 2 * ALARM_AFTER_S
        )
