"""The warm cache as the live feed reads it: all coins at most once in a while, however many parts ask.

Over Redis or the database a reading of all coins is many kilobytes; the market strip, the ranking, the quotes
and the status share one. Everything else passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.core.domain.flow import FlowSnapshot
from app.core.stream_ports import WarmCache


class SharedReading:
    """`core.stream_ports.WarmCache` whose `read_all` is made again after `keep_s` seconds."""

    def __init__(self, warm: WarmCache, *, keep_s: float, monotonic: Callable[[], float]) -> None:
        self._warm = warm
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._known: Sequence[FlowSnapshot] = ()
        self._read_s = float("-inf")

    async def publish(self, snapshots: Sequence[FlowSnapshot]) -> None:
        await self._warm.publish(snapshots)

    async def read(self, symbol: str) -> FlowSnapshot | None:
        return await self._warm.read(symbol)

    async def read_all(self) -> Sequence[FlowSnapshot]:
        async with self._lock:
            if self._monotonic() - self._read_s >= self._keep_s:
                self._known = await self._warm.read_all()
                self._read_s = self._monotonic()
            return self._known

    async def put_text(self, key: str, value: str, *, keep_s: float) -> None:
        await self._warm.put_text(key, value, keep_s=keep_s)

    async def get_text(self, key: str) -> str | None:
        return await self._warm.get_text(key)
