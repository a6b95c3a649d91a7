"""Keeps how much of each coin is liquidated in an hour: the baseline that a day's figures are read against.

Sums come from the store, so that a restart or a late event changes nothing; rows are written again with the
next hour. Started by the worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from app.core.clock import Clock
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import BaselineRow, HourSum
from app.core.errors import StorageUnavailable
from app.core.store_ports import LiquidationReader, MarketWriter

_log = logging.getLogger(__name__)

KEPT_HOURS = 72
# Late events and the write-behind of the store have come by then.
SETTLED_MS = 15_000
LOOK_S = 20.0
# Hours summed again each time: an event may come minutes late.
AGAIN_HOURS = 2


class Baselines:
    """`run()` until cancelled. symbols: coins that had an event within a day."""

    def __init__(
        self,
        *,
        reader: LiquidationReader,
        writer: MarketWriter,
        symbols: Callable[[], Sequence[str]],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._symbols = symbols
        self._clock = clock
        self._sleep = sleep
        self._done_ms = 0

    async def run(self) -> None:
        while True:
            await self._sleep(LOOK_S)
            await self.look()

    async def look(self) -> int:
        """Write the hours that are over since the last time; how many rows."""
        hour_ms = (self._clock.now_ms() - SETTLED_MS) // HOUR_MS * HOUR_MS
        if hour_ms <= self._done_ms:
            return 0
        again_ms = min(self._done_ms, hour_ms - HOUR_MS) - (AGAIN_HOURS - 1) * HOUR_MS
        from_ms = max(hour_ms - KEPT_HOURS * HOUR_MS, again_ms)
        written = 0
        try:
            for symbol in self._symbols():
                rows = hourly(symbol, await self._reader.hours(symbol, from_ms, hour_ms))
                written += self._writer.put(rows) if rows else 0
        except StorageUnavailable as error:
            _log.warning("hourly sums are late", extra={"why": str(error)})
            return written
        self._done_ms = hour_ms
        return written


def hourly(symbol: str, sums: Sequence[HourSum]) -> list[BaselineRow]:
    """One row per hour, all streams together, oldest first."""
    found: dict[int, list[HourSum]] = defaultdict(list)
    for one in sums:
        found[one.hour_ms].append(one)
    return [
        BaselineRow(
            symbol=symbol,
            hour_ms=hour_ms,
            long_usd=sum(one.long_usd for one in parts),
            short_usd=sum(one.short_usd for one in parts),
            events=sum(one.events for one in parts),
        )
        for hour_ms, parts in sorted(found.items())
    ]
