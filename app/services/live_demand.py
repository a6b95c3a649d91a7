"""Whether anybody watches: what the live feed gathers is gathered for somebody, or not at all.

Counts who listens and remembers when the last one left. Time is monotonic and injected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# A page that is loaded again, or a phone that changes its network, finds the feed as warm as it left it.
LINGER_S = 30.0


class Demand:
    """Wanted while somebody listens, and for `linger_s` after the last one left."""

    def __init__(self, *, monotonic: Callable[[], float], linger_s: float = LINGER_S) -> None:
        self._monotonic = monotonic
        self._linger_s = linger_s
        self._listeners = 0
        self._until_s = float("-inf")
        self._came = asyncio.Event()

    @property
    def is_wanted(self) -> bool:
        return self._listeners > 0 or self._monotonic() < self._until_s

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._listeners

    def enter(self) -> None:
        """Somebody listens from now on."""
        self._listeners += 1
        self._came.set()

    def leave(self) -> None:
        """Somebody who entered listens no more."""
        self._listeners -= 1
        self._until_s = self._monotonic() + self._linger_s

    async def wanted(self) -> None:
        """Return when it is wanted: at once, or as soon as somebody enters."""
        while not self.is_wanted:
            self._came.clear()
            await self._came.wait()
