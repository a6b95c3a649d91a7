"""How many requests one provider gets at a time, and who goes next when all seats are taken.

The connection pool would serve first come, first served: a current price would wait for the pages of
everybody's statistics. Called by `http.UpstreamClient`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque


class Seats:
    """`count` seats. A free one goes to the endpoint with the fewest requests under way, then in order."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._busy: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, endpoint: str, max_wait_s: float) -> None:
        """Wait for a seat; give it back with `give`. Raises: `TimeoutError` after `max_wait_s`."""
        if self._free > 0:
            self._free -= 1
            self._busy[endpoint] += 1
            return
        seat: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(endpoint, deque()).append(seat)
        is_seated = False
        try:
            async with asyncio.timeout(max_wait_s):
                await seat
            is_seated = True
        finally:
            if not is_seated:
                self._leave(endpoint, seat)

    def give(self, endpoint: str) -> None:
        """End a request."""
        self._busy[endpoint] -= 1
        while self._queues:
            following = min(self._queues, key=lambda waiting: self._busy[waiting])
            seat = self._queues[following].popleft()
            self._drop_if_empty(following)
            if not seat.done():  # else its taker just left
                self._busy[following] += 1
                seat.set_result(None)
                return
        self._free += 1

    def _leave(self, endpoint: str, seat: asyncio.Future[None]) -> None:
        if not seat.cancelled():  # the seat came just as its taker left
            self.give(endpoint)
        elif seat in self._queues.get(endpoint, ()):
            self._queues[endpoint].remove(seat)
            self._drop_if_empty(endpoint)

    def _drop_if_empty(self, endpoint: str) -> None:
        if not self._queues[endpoint]:
            del self._queues[endpoint]
