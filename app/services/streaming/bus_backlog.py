"""How many frames wait on the bus, asked every few seconds: what says that more detect workers are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from app.core.errors import BusUnavailable

EVERY_S = 5.0


class WaitingFrames(Protocol):
    """The log of frames, as far as it is asked here."""

    async def waiting(self) -> int:
        """Frames of all partitions that nobody has acknowledged. Raises: BusUnavailable."""
        ...


class BusBacklog:
    """`run()` until cancelled. frames: of the whole bus, None while that is not known."""

    def __init__(
        self, log: WaitingFrames, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._log = log
        self._sleep = sleep
        self.frames: int | None = None

    async def run(self) -> None:
        """Ask again and again."""
        while True:
            try:
                self.frames = await self._log.waiting()
            except BusUnavailable:
                self.frames = None  # that the bus is away is said elsewhere
            await self._sleep(EVERY_S)
