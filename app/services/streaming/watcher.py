"""Keeps the streams on the coins whose trades and prices are wanted: the watchlist, and what is being
liquidated most.

A cascade without a price path has no direction, and a path has to be there before the cascade begins. Reads
the warm cache, so that it works in a process that analyses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from app.core.domain.flow import FlowSnapshot
from app.core.stream_ports import WarmCache

EVERY_S = 30.0
FIRST_S = 1.0
# Together with the watchlist well below what one connection of a venue carries.
MAX_DISCOVERED = 60
_DAY_S = 86_400


class Watcher:
    """`run()` until cancelled, `wake()` when the watchlist changed. watch: of the streams; listed: coins on
    the watchlist, most wanted first."""

    def __init__(
        self,
        *,
        watch: Callable[[Sequence[str]], None],
        listed: Callable[[], Sequence[str]],
        warm: WarmCache,
    ) -> None:
        self._watch = watch
        self._listed = listed
        self._warm = warm
        self._woken = asyncio.Event()
        self._known: tuple[str, ...] = ()

    async def run(self) -> None:
        await self.look()
        await self._pause(FIRST_S)
        while True:
            await self.look()
            await self._pause(EVERY_S)

    def wake(self, _coins: Sequence[str] = ()) -> None:
        """Look at once; a listener of the watchlist."""
        self._woken.set()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def look(self) -> None:
        """Tell the streams when the wanted coins are others than before."""
        wanted = wanted_coins(self._listed(), await self._warm.read_all())
        if wanted != self._known:
            self._known = wanted
            self._watch(wanted)


def wanted_coins(listed: Sequence[str], snapshots: Sequence[FlowSnapshot]) -> tuple[str, ...]:
    """The watchlist, then the coins with most USD liquidated in 24 h over their tier's large order: what a
    large order is for a coin says how much of it is much."""
    by_size = sorted(
        ((_liquidated_usd(one) / one.large_usd, one.symbol) for one in snapshots),
        key=lambda item: (-item[0], item[1]),
    )
    discovered = [symbol for size, symbol in by_size if size > 0 and symbol not in listed]
    return (*listed, *discovered[:MAX_DISCOVERED])


def _liquidated_usd(snapshot: FlowSnapshot) -> float:
    return sum(
        window.long_usd + window.short_usd for window in snapshot.liquidations if window.window_s == _DAY_S
    )
