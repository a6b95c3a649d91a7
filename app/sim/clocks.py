"""The simulator's market clock: wall time, a faster past that both processes agree on, or standing still.

Owns only the arithmetic. `python -m app.sim` builds one; the control route `/__sim__/clock` moves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class SimClock:
    """Market time `start_ms + (monotonic - anchor_s) * speed * 1000`, the formula of the app's replay clock.

    With no arguments it is the wall clock. App and simulator agree when they share start, speed and anchor,
    because the monotonic clock is system-wide. Worked number: start 1,000,000 ms, speed 60, 2 s after the
    anchor -> 1,120,000 ms.

    Args:
        start_ms: market time at the anchor; None means the wall clock's time now.
        speed: market seconds per real second, > 0.
        anchor_s: monotonic time of `start_ms`; None means now.
    """

    def __init__(
        self,
        *,
        start_ms: int | None = None,
        speed: float = 1.0,
        anchor_s: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"clock speed must be above 0, got {speed}")
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self.speed = speed
        self._anchor_s = monotonic() if anchor_s is None else anchor_s
        # Wall mode follows the machine's clock, NTP steps included, instead of drifting from it.
        self._is_wall = start_ms is None and speed == 1.0
        self._start_ms = wall_ms() if start_ms is None else start_ms
        self._frozen_ms: int | None = None

    @property
    def is_frozen(self) -> bool:
        return self._frozen_ms is not None

    def now_ms(self) -> int:
        """Market time, UTC epoch milliseconds."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        if self._is_wall:
            return self._wall_ms()
        return self._start_ms + int((self._monotonic() - self._anchor_s) * self.speed * 1000)

    def set(self, now_ms: int) -> None:
        """Jump to a market time and stand still there (stepped replays)."""
        self._frozen_ms = now_ms

    def resume(self) -> None:
        """Run on from where the clock stands, at its speed."""
        if self._frozen_ms is None:
            return
        self._start_ms, self._anchor_s = self._frozen_ms, self._monotonic()
        self._frozen_ms, self._is_wall = None, False
