"""Answers that take long and may be some minutes old: made once at a time, kept for a while, bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class KeptAnswers(Generic[K, T]):
    """One answer per key. Who asks while it is being made waits for the same one; a failure is not kept."""

    def __init__(self, *, keep_s: float, max_keys: int, monotonic: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._max_keys = max_keys
        self._monotonic = monotonic
        self._known: OrderedDict[K, tuple[float, asyncio.Future[T]]] = OrderedDict()

    async def get(self, key: K, make: Callable[[], Awaitable[T]]) -> T:
        """The kept answer, or a new one. Raises: what `make` raises."""
        known = self._known.get(key)
        if known is None or self._is_over(*known):
            known = self._monotonic(), asyncio.ensure_future(make())
            # Retrieved here: everybody who waited may have gone.
            known[1].add_done_callback(lambda done: done.cancelled() or done.exception())
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > self._max_keys:
                self._known.popitem(last=False)
        # Whoever goes away does not take the answer from the others.
        return await asyncio.shield(known[1])

    def _is_over(self, since_s: float, made: asyncio.Future[T]) -> bool:
        if not made.done():
            return False
        is_failed = made.cancelled() or made.exception() is not None
        return is_failed or self._monotonic() - since_s >= self._keep_s
