"""How far the resident memory of this process rose above where it was, for the promises about memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

MAX_GROWTH_BYTES = 50 * 2**20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Memory:
    """The highest resident size while the block ran, sampled every few milliseconds."""

    def __init__(self) -> None:
        self._before = self._peak = resident_bytes()

    @property
    def growth_bytes(self) -> int:
        return self._peak - self._before

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, resident_bytes())
            await asyncio.sleep(0.005)
