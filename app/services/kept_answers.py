"""Answers that take long and may be some minutes old: made once at a time, kept for a while, bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class KeptAnswers(Generic[K, T]):
    """One answer per key. Who asks while the first is being made waits for the same one; a failure is not
    kept."""

    def __init__(
        self, *, keep_s: float, max_keys: int, monotonic: Callable[[], float], grace_s: float = 0.0
    ) -> None:
        """keep_s: an answer is given again for so long. grace_s: for so long after that it is still given,
        while a new one is being made: nobody waits for what takes seconds."""
        self._keep_s = keep_s
        self._grace_s = grace_s
        self._max_keys = max_keys
        self._monotonic = monotonic
        self._known: OrderedDict[K, tuple[float, asyncio.Future[T]]] = OrderedDict()
        self._renewing: dict[K, asyncio.Future[T]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[T]]) -> T:
        """The kept answer, or a new one. Raises: what `make` raises."""
        known = self._known.get(key)
        if known is None or self._is_over(*known, self._keep_s + self._grace_s):
            known = self._monotonic(), _begun(make)
            self._put(key, known)
        elif self._is_over(*known, self._keep_s) and key not in self._renewing:
            self._renew(key, make)
        # Whoever goes away does not take the answer from the others.
        return await asyncio.shield(known[1])

    def _renew(self, key: K, make: Callable[[], Awaitable[T]]) -> None:
        """Make a new one beside the old; one that fails leaves the old in its place."""
        since_s, made = self._monotonic(), _begun(make)
        self._renewing[key] = made

        def landed(done: asyncio.Future[T]) -> None:
            self._renewing.pop(key, None)
            if not _is_failed(done):
                self._put(key, (since_s, done))

        made.add_done_callback(landed)

    def _put(self, key: K, known: tuple[float, asyncio.Future[T]]) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > self._max_keys:
            self._known.popitem(last=False)

    def _is_over(self, since_s: float, made: asyncio.Future[T], after_s: float) -> bool:
        if not made.done():
            return False
        return _is_failed(made) or self._monotonic() - since_s >= after_s


def _begun(make: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
    made = asyncio.ensure_future(make())
    # Retrieved here: everybody who waited may have gone.
    made.add_done_callback(lambda done: done.cancelled() or done.exception())
    return made


def _is_failed(made: asyncio.Future[T]) -> bool:
    return made.cancelled() or made.exception() is not None
