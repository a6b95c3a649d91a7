"""Who writes next to an embedded database: small transactions that somebody waits for, then bulk.

SQLite lets one connection write at a time and makes the others sleep and look again, up to a tenth of a
second: an alert would wait behind every batch of liquidations. Within one process writers take turns here
instead. Another process is still met by SQLite's own lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# An alert is stored, then claimed, then marked: bulk stays away between the steps.
GRACE_S = 0.003
# However many alerts there are, bulk goes on: buffers are bounded.
PATIENCE_S = 0.2


class WriteTurns:
    """`urgent()` and `patient()` are held for one transaction; never one within the other."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._urgent = 0
        self._urgent_s = -GRACE_S
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def urgent(self) -> AsyncIterator[None]:
        """Next, in the order of asking."""
        self._urgent += 1
        try:
            async with self._lock:
                yield
        finally:
            self._urgent -= 1
            self._urgent_s = time.monotonic()
            self._changed.set()

    @asynccontextmanager
    async def patient(self) -> AsyncIterator[None]:
        """When nothing urgent waits or has just ended, or when it has waited long enough."""
        until_s = time.monotonic() + PATIENCE_S
        await self._stand_back(until_s)
        await self._lock.acquire()
        while self._wait_s(until_s) > 0:  # somebody came while the lock was another's
            self._lock.release()
            await self._stand_back(until_s)
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    async def _stand_back(self, until_s: float) -> None:
        while (wait_s := self._wait_s(until_s)) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _wait_s(self, until_s: float) -> float:
        now_s = time.monotonic()
        quiet_s = until_s if self._urgent else self._urgent_s + GRACE_S
        return min(quiet_s, until_s) - now_s
