"""Requests per minute and per caller: a sliding-window counter in bounded memory.

Owns counting only; the edge middleware decides who the caller is and renders refusals. One process, one
counter: with several web processes each allows its own share.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """remaining: requests left right now; reset_s / retry_after_s: whole seconds, retry 0 when allowed."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int


@dataclass(slots=True)
class _Window:
    index: int
    current: int
    previous: int


class SlidingWindowLimiter:
    """At most `limit` requests in about any 60 s, estimated as previous x (1 - elapsed share) + current.

    Worked number: limit 60, 60 requests in the last minute, 15 s into this one -> 60 x 0.75 = 45 used, 15
    left. The estimate smooths over the border of two windows, where a plain counter lets twice as many in.
    Memory is bounded by forgetting whoever asked least recently.
    """

    def __init__(self, limit: int, *, max_callers: int = 10_000) -> None:
        self._limit = limit
        self._max_callers = max_callers
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def check(self, caller: str, now_s: float) -> Verdict:
        """Count one request of `caller` at `now_s` (monotonic seconds) unless it is over the limit."""
        index = int(now_s // WINDOW_S)
        share = now_s / WINDOW_S - index
        window = self._window(caller, index)
        used = window.previous * (1.0 - share) + window.current
        reset_s = math.ceil((1.0 - share) * WINDOW_S)
        if used + 1 > self._limit + 1e-9:
            return Verdict(False, self._limit, 0, reset_s, self._wait_s(window, share))
        window.current += 1
        return Verdict(True, self._limit, int(self._limit - used - 1), reset_s, 0)

    def _window(self, caller: str, index: int) -> _Window:
        window = self._windows.get(caller)
        if window is None:
            window = self._windows[caller] = _Window(index, 0, 0)
            if len(self._windows) > self._max_callers:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(caller)
        if window.index != index:
            window.previous = window.current if window.index == index - 1 else 0
            window.index, window.current = index, 0
        return window

    def _wait_s(self, window: _Window, share: float) -> int:
        """Whole seconds until one more request fits, at least 1."""
        room = self._limit - 1 - window.current
        if room >= 0 and window.previous:
            # previous (1 - s) <= room, solved for the share s of this window.
            needed = (1.0 - room / window.previous) - share
        else:
            # This window is full by itself: it has to decay as the previous one of the next.
            needed = (1.0 - share) + (1.0 - (self._limit - 1) / max(1, window.current))
        return max(1, math.ceil(needed * WINDOW_S))
