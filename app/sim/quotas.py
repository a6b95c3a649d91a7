"""Request budgets as providers count them: fixed windows per key, on process time.

Owned by the provider servers; reset through the control routes. Not market time: a replay at 60x speed does
not get sixty times the quota.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MAX_KEYS = 10_000


@dataclass(slots=True)
class FixedWindows:
    """Counts per key within windows of `window_s`, all starting at multiples of it."""

    window_s: float
    monotonic_s: Callable[[], float] = time.monotonic
    _window: int = -1
    _counts: dict[str, int] = field(default_factory=dict)

    def take(self, key: str, limit: int) -> bool:
        """Count one call; False when it is over `limit`. Refused calls do not count."""
        used = self.used(key)
        if used >= limit:
            return False
        if len(self._counts) < _MAX_KEYS or key in self._counts:
            self._counts[key] = used + 1
        return True

    def used(self, key: str) -> int:
        window = int(self.monotonic_s() // self.window_s)
        if window != self._window:
            self._window = window
            self._counts.clear()
        return self._counts.get(key, 0)

    def left_s(self) -> float:
        """Seconds until the window rolls over."""
        return self.window_s - self.monotonic_s() % self.window_s

    def reset(self) -> None:
        self._counts.clear()
