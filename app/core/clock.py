"""The clocks of the service; everything else is handed one.

`now_ms` is market time (UTC epoch milliseconds): wall time in live and demo, recorded time in replay.
`monotonic_s` is process time for deadlines, breakers and quotas; it only moves forward. (The transport reads
wall time once more by itself, to understand dates in Retry-After headers.)
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two times: what time the market has, and how long we have been waiting."""

    def now_ms(self) -> int:
        """Market time, UTC epoch milliseconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that only moves forward; differences only."""
        ...


class SystemClock:
    """Wall time of this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ReplayClock:
    """Market time that starts at `start_ms` and runs `speed` times as fast as process time.

    App and simulator share it by sharing the anchor: both processes read the same system-wide
    monotonic clock. Worked number: start 1,000,000 ms, speed 60, 2 s after the anchor -> 1,120,000 ms.
    """

    def __init__(self, *, start_ms: int, speed: float, anchor_s: float | None = None) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self.anchor_s = time.monotonic() if anchor_s is None else anchor_s

    def now_ms(self) -> int:
        return self._start_ms + int((time.monotonic() - self.anchor_s) * self._speed * 1000)

    def monotonic_s(self) -> float:
        return time.monotonic()


class SteppedClock:
    """Market time that moves only when told to, for stepped replays.

    Process time runs on by itself and takes every step with it: an hour of market time is also an hour of
    quota and breaker rest, or a replay of three months would wait three months for its budget.
    """

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._stepped_s = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return time.monotonic() + self._stepped_s

    def advance(self, step_ms: int) -> None:
        """Move market time forward by `step_ms`, and process time with it."""
        self._now_ms += step_ms
        self._stepped_s += step_ms / 1000


class ManualClock:
    """A clock for tests in which both times stand still until moved."""

    def __init__(self, start_ms: int = 1_760_000_000_000, monotonic_s: float = 1000.0) -> None:
        self._now_ms = start_ms
        self._monotonic_s = monotonic_s

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def tick(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._monotonic_s += seconds
        self._now_ms += int(seconds * 1000)

    def set(self, now_ms: int) -> None:
        """Jump to a market time, backwards too; process time stays."""
        self._now_ms = now_ms
