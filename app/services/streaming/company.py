"""Notices that a second whole worker runs on the same database, which nobody wants and nothing else says.

Both would read every stream and spend the budget twice; alerts still come once, by their ids. Owns one line
of state under which each such worker writes its name: who finds another's there was not the last to write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.core.errors import StorageUnavailable
from app.core.store_ports import StateStore

_log = logging.getLogger(__name__)

KEY = "worker"
EVERY_S = 10.0


class Company:
    """`run()` beside the other loops; needs no clock, so hosts whose clocks differ find each other too."""

    def __init__(
        self,
        name: str,
        state: StateStore,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._state = state
        self._sleep = sleep
        self._has_written = False
        self._other: str | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await self._sleep(EVERY_S)

    async def look(self) -> None:
        """Read who wrote last, and write our name."""
        try:
            last = await self._state.get_state(KEY)
            await self._state.put_state(KEY, self._name)
        except StorageUnavailable:
            return  # that it is away is said elsewhere
        # What was there before our first look may be of a process that has ended.
        other = last if self._has_written and last != self._name else None
        self._has_written = True
        if other is not None and self._other is None:
            _log.error("another worker runs on this database: stop one", extra={"worker": other})
        self._other = other

    def alarms(self) -> tuple[str, ...]:
        if self._other is None:
            return ()
        return (f"another worker ({self._other}) runs on this database: calls are spent twice; stop one",)
