"""How one stream does: counters, the age of its data, what was missed, and whether it can be read.

Domain-free and clock-driven; kinds of frames are names to it. Each kind is judged by itself: prices that can
be read are no comfort when liquidations cannot. Kept by the streams of CoinGlass and OKX, shown in status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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


# The kind of a frame of which not even the kind is known.
UNKNOWN_KIND = ""


@dataclass(slots=True)
class _Unreadable:
    """Frames of one kind since the last one that could be read."""

    since_s: float
    last_s: float
    frames: int = 1


class StreamHealth:
    """Counters since the start. expected_gap_s: data older than that is too old for a live stream."""

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        expected_gap_s: float,
    ) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._expected_gap_s = expected_gap_s
        self.connected_ms: int | None = None
        self.last_data_ms: int | None = None
        self.frames = self.events = self.reconnects = self.gaps = 0
        self.rejects: dict[str, int] = {}
        self._data_s: float | None = None
        self._lost_for: str | None = None
        self._was_connected = False
        self._unreadable: dict[str, _Unreadable] = {}

    def opened(self) -> None:
        self.reconnects += self._was_connected
        self._was_connected = True
        self.connected_ms = self._now_ms()

    def lost(self, reason: str) -> None:
        """The first reason stays: attempts that fail later explain nothing."""
        self.connected_ms = None
        if self._lost_for is None and self.last_data_ms is not None:
            self._lost_for = reason

    def note(self, events: int, rejects: Mapping[str, int], kinds: Collection[str]) -> Missed | None:
        """Count one frame with usable events of `kinds`.

        Returns what was missed before it, when it is the first data after a loss.
        """
        self.frames += 1
        self.events += events
        for reason, count in rejects.items():
            self.rejects[reason] = self.rejects.get(reason, 0) + count
        if not events:
            return None
        for kind in (*kinds, UNKNOWN_KIND):
            self._unreadable.pop(kind, None)
        return self._note_data()

    def note_unreadable(self, kind: str) -> None:
        """The frame just counted was of that kind, and nothing of it could be read."""
        now_s = self._monotonic()
        known = self._unreadable.get(kind)
        if known is None:
            self._unreadable[kind] = _Unreadable(now_s, now_s)
        else:
            known.last_s = now_s
            known.frames += 1

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
        if self.alarms():
            return "alarm"
        if socket is SocketState.REFUSED:
            return "refused"
        if socket is not SocketState.OPEN:
            return "connecting"
        is_live = self._data_s is not None and now_s - self._data_s < self._expected_gap_s
        return "live" if is_live and self._lost_for is None else "silent"

    def alarms(self) -> tuple[str, ...]:
        """The kinds of frames that keep arriving and could not be read for almost a minute."""
        now_s = self._monotonic()
        return tuple(
            kind
            for kind, seen in self._unreadable.items()
            if seen.frames >= _MIN_UNREADABLE
            and now_s - seen.since_s >= ALARM_AFTER_S
            and now_s - seen.last_s < 2 * ALARM_AFTER_S
        )
