"""Reads the track record every few minutes for the metrics: three numbers per horizon, and how many trades.

Old figures are no figures: while the record cannot be read there are none. Run in the web process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.core.domain.track_record import HorizonRecord, RecordAnswer
from app.core.errors import StorageUnavailable

# A record is made of everything that is stored; its service keeps one for as long.
EVERY_S = 300.0
# Not while the process starts.
FIRST_S = 20.0


@dataclass(frozen=True, slots=True)
class HorizonFigures:
    """The engine's trades with an outcome at one horizon; shares None without one."""

    horizon: str
    trades: int
    win_rate_frac: float | None
    mean_return_frac: float | None


class RecordFigures:
    """`run()` until cancelled."""

    def __init__(
        self,
        read: Callable[[], Awaitable[RecordAnswer]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """read: the record of all coins. Raises: StorageUnavailable."""
        self._read = read
        self._sleep = sleep
        self.horizons: tuple[HorizonFigures, ...] = ()

    async def run(self) -> None:
        """Read again and again."""
        await self._sleep(FIRST_S)
        while True:
            await self.refresh()
            await self._sleep(EVERY_S)

    async def refresh(self) -> None:
        """Read once."""
        try:
            answer = await self._read()
        except StorageUnavailable:
            self.horizons = ()
        else:
            self.horizons = tuple(map(_figures, answer.record.horizons))


def _figures(one: HorizonRecord) -> HorizonFigures:
    stats = one.engine
    return HorizonFigures(
        one.horizon,
        stats.scored,
        None if stats.hit_rate is None else stats.hit_rate.share,
        None if stats.mean_net is None else stats.mean_net.mean,
    )
